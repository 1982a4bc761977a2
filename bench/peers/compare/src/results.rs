//! RESULTS.md.

use std::fmt::Write as _;

use crate::contender::Contender;
use crate::figures::{GROUPS, Group};
use crate::leads::{Asked, LEVEL};
use crate::markdown::{Footnotes, Grid};
use crate::record::Run;
use crate::spread::Spread;
use crate::table::{Cell, Row, Table};
use crate::units::{Unit, significant, times};

/// The whole file.
pub(crate) fn write(table: &Table) -> String {
    let mut notes = Footnotes::default();
    let mut out = String::new();
    head(&mut out, table);
    out.push_str("\n![The figures as bars](results.svg)\n");
    leads(&mut out, table, &mut notes);
    for group in &GROUPS {
        let rows: Vec<&Row> = rows_of(table, group);
        if !rows.is_empty() {
            let _ = write!(out, "\n## {}\n\n", group.title);
            out.push_str(&against_the_best(table, &rows, &mut notes));
        }
    }
    out.push_str("\n## Everyone, in every mode\n");
    for group in &GROUPS {
        let rows: Vec<&Row> = rows_of(table, group);
        if !rows.is_empty() {
            let _ = write!(out, "\n### {}: all\n\n", group.title);
            out.push_str(&everyone(table, &rows, &mut notes));
        }
    }
    who(&mut out, table);
    rounds(&mut out, table);
    let notes = notes.end();
    if !notes.is_empty() {
        let _ = write!(out, "\n{notes}");
    }
    out
}

fn rows_of<'a>(table: &'a Table, group: &Group) -> Vec<&'a Row> {
    let is_of_group = |row: &&Row| {
        let mut figures = group.figures.iter();
        figures.any(|figure| std::ptr::eq(figure, row.figure))
    };
    table.rows.iter().filter(is_of_group).collect()
}

fn head(out: &mut String, table: &Table) {
    out.push_str("# Quark and its peers\n\nAs `bench/peers/run.sh` wrote it.\n\n");
    let Some(head) = &table.head else {
        return;
    };
    let machine = &head.machine;
    let most =
        |of: fn(&crate::record::Round) -> f64| table.rounds.iter().map(of).fold(0.0, f64::max);
    let _ = writeln!(
        out,
        "- {}, {} cores, Linux {}; load {} before the run, at most {} in it; at most {} % of the \
         time stolen in a round.\n\
         - {}; {}; Quark at {}. Everyone has mimalloc, fat LTO and one codegen unit, where that is \
         theirs to have.\n\
         - Medians of {} rounds (of 3 at most for new actors, 2 for idle systems), in brackets the \
         least and the most; loops of {} s. In each round, each workload comes to everyone in turn, each \
         time in a process of its own.",
        machine.cpu,
        machine.cores,
        machine.kernel,
        significant(machine.load),
        significant(most(|round| round.load)),
        significant(most(|round| round.steal_percent)),
        head.date,
        head.rustc,
        head.commit,
        table.rounds.len(),
        head.seconds,
    );
    out.push_str(
        "- Between any two runs, the round trip of a cache line between the two cores is measured, \
         and what crosses cores is compared only where that was alike: a row for cores near each \
         other, one for cores far apart.",
    );
    let _ = match table.left_out {
        0 => writeln!(out),
        some => writeln!(out, " {some} runs during which it changed are left out."),
    };
    let _ = writeln!(
        out,
        "- Ratios say how many times as good Quark is: above 1, it is ahead. What each workload \
         does and each figure means: [workload.rs](common/src/workload.rs)."
    );
}

/// A verdict for each that is asked.
fn leads(out: &mut String, table: &Table, notes: &mut Footnotes) {
    let mut grid = Grid::new(&[
        "figure",
        "asked",
        "Quark spinning, to peers that spin",
        "Quark spinning, to the best of all",
        "Quark parking, to peers that park",
    ]);
    let (mut held, mut all) = (0, 0);
    for row in &table.rows {
        for asked in Asked::of(row.figure.lead) {
            let mut verdict = |spins: bool, who: &dyn Fn(&Contender) -> bool| {
                let quark = table.quark(spins)?;
                let verdict = asked.verdict(table, row, quark, who)?;
                all += 1;
                held += u32::from(verdict.held);
                let word = if verdict.held { "held" } else { "**missed**" };
                let peer = named(table, row, verdict.against, notes);
                Some(format!("{word}: {} {peer}", times(verdict.ratio)))
            };
            let spinning = verdict(true, &|peer| peer.spins);
            let best = verdict(true, &|_| true);
            let parking = verdict(false, &|peer| !peer.spins);
            let cell = |verdict: Option<String>| verdict.unwrap_or_else(|| "–".to_owned());
            grid.row(&[
                title(row),
                asked.title().to_owned(),
                cell(spinning),
                cell(best),
                cell(parking),
            ]);
        }
    }
    let _ = write!(
        out,
        "\n## The leads\n\n{held} of {all} held. Each names the peer that decides it; a dash has \
         nobody to be held against. Level is {LEVEL} × and better.\n\n{}",
        grid.end()
    );
}

fn against_the_best(table: &Table, rows: &[&Row], notes: &mut Footnotes) -> String {
    let mut grid = Grid::new(&[
        "",
        "Quark spinning",
        "Quark parking",
        "best peer",
        "Quark spinning to it",
        "best peer that parks",
        "Quark parking to it",
    ]);
    for row in rows {
        let mut cells = vec![title(row)];
        for spins in [true, false] {
            let cell = table.quark(spins).map(|index| &row.cells[index]);
            cells.push(cell.map_or("–".to_owned(), |cell| show(table, row, cell, notes)));
        }
        let best = table.best(row, |one| !one.is_quark());
        let parking = table.best(row, |one| !one.is_quark() && !one.spins);
        for (peer, quark) in [(best, table.quark(true)), (parking, table.quark(false))] {
            let Some(peer) = peer else {
                cells.extend(["–".to_owned(), "–".to_owned()]);
                continue;
            };
            let shown = show(table, row, &row.cells[peer], notes);
            cells.push(format!("{}: {shown}", named(table, row, peer, notes)));
            let own = quark.and_then(|quark| Table::median(row, quark));
            let theirs = Table::median(row, peer);
            let ratio = own
                .zip(theirs)
                .and_then(|(own, theirs)| row.figure.ratio(own, theirs));
            cells.push(ratio.map_or("–".to_owned(), times));
        }
        grid.row(&cells);
    }
    grid.end()
}

fn everyone(table: &Table, rows: &[&Row], notes: &mut Footnotes) -> String {
    let mut titles = vec![String::new()];
    titles.extend(rows.iter().map(|row| title(row)));
    let mut grid = Grid::new(&titles);
    for (index, contender) in table.contenders.iter().enumerate() {
        let mut cells = vec![contender.title()];
        for row in rows {
            cells.push(show(table, row, &row.cells[index], notes));
        }
        grid.row(&cells);
    }
    grid.end()
}

fn title(row: &Row) -> String {
    match &row.apart {
        Some(apart) => format!("{} ({apart})", row.figure.title),
        None => row.figure.title.to_owned(),
    }
}

/// A peer's name; where it matters, with the word that it may not have crossed cores at all.
fn named(table: &Table, row: &Row, index: usize, notes: &mut Footnotes) -> String {
    let contender = &table.contenders[index];
    let mut name = contender.title();
    if row.figure.crosses && !contender.places {
        name.push_str(&notes.mark(NOT_PLACED));
    }
    name
}

const NOT_PLACED: &str = "Its pool runs actors where it likes, so that they may well have been on \
                          one core.";

/// `14.1 ns (13.9–15.2)`, or a dash; and a footnote where there is something to say.
fn show(table: &Table, row: &Row, cell: &Cell, notes: &mut Footnotes) -> String {
    let mut text = match cell.spread {
        None => "–".to_owned(),
        Some(spread) => spread_text(row.figure.unit, spread, usual_runs(table, row)),
    };
    if let Some(note) = &cell.note {
        text.push_str(&notes.mark(note));
    }
    text
}

fn spread_text(unit: Unit, spread: Spread, usual: usize) -> String {
    let median = unit.show(spread.median);
    let range = unit.range(spread.least, spread.most, spread.median);
    match spread.runs {
        1 if usual > 1 => format!("{median} (1 run)"),
        1 => median,
        runs if runs < usual => format!("{median} ({range}; {runs} runs)"),
        _ => format!("{median} ({range})"),
    }
}

/// Runs of a figure that nothing has befallen.
fn usual_runs(table: &Table, row: &Row) -> usize {
    let runs = table.runs.iter();
    let runs = runs.filter(|run| run.workload == row.figure.workload);
    runs.map(|run| run.round as usize).max().unwrap_or(0)
}

fn who(out: &mut String, table: &Table) {
    let mut grid = Grid::new(&["", "version", "actors by key", "mailbox holds", "modes"]);
    let mut seen: Vec<&str> = Vec::new();
    for contender in &table.contenders {
        if seen.contains(&contender.name.as_str()) {
            continue;
        }
        seen.push(&contender.name);
        let modes = table
            .contenders
            .iter()
            .filter(|one| one.name == contender.name);
        let modes = modes.map(|one| {
            let verb = match (one.spins, table.is_restless(one)) {
                (_, true) => "means to park, but is busy when idle: counted among those that spin",
                (true, false) => "spins",
                (false, false) => "parks",
            };
            format!("{} ({verb})", one.mode)
        });
        grid.row(&[
            contender.name.clone(),
            contender.version.clone(),
            if contender.is_virtual { "yes" } else { "no" }.to_owned(),
            contender.mailbox.clone(),
            modes.collect::<Vec<_>>().join(", "),
        ]);
    }
    let _ = write!(out, "\n## Who took part\n\n{}", grid.end());
}

fn rounds(out: &mut String, table: &Table) {
    let mut grid = Grid::new(&[
        "round",
        "took",
        "load",
        "stolen",
        "cores apart, between runs",
        "Quark's own reading round ask-cross, spin",
        "park",
    ]);
    for round in &table.rounds {
        let runs = || table.runs.iter().filter(|run| run.round == round.round);
        let apart = Spread::of(runs().filter_map(|run| Some(run.floors_ns?.1)));
        let apart = apart.map(|spread| spread_text(Unit::Ns, spread, spread.runs));
        let own = |mode: &str| {
            let is_it = |run: &&Run| {
                run.name == crate::contender::QUARK
                    && run.mode == mode
                    && run.workload == "ask-cross"
            };
            let figures = runs().find(is_it)?.line.as_ref()?.get("figures")?.clone();
            let reading = |name| Some(Unit::Ns.show(figures.get(name)?.as_f64()?));
            let (before, after) = (reading("floor_before")?, reading("floor_after")?);
            Some(format!("{before}, {after}"))
        };
        let or_dash = |text: Option<String>| text.unwrap_or_else(|| "–".to_owned());
        grid.row(&[
            round.round.to_string(),
            format!("{:.0} s", round.seconds),
            significant(round.load),
            format!("{} %", significant(round.steal_percent)),
            or_dash(apart),
            or_dash(own("spin")),
            or_dash(own("park")),
        ]);
    }
    let _ = write!(out, "\n## The rounds\n\n{}", grid.end());
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::record::{Head, Record, Round};
    use crate::table::tests::{contender, failed, run};

    fn records() -> Vec<Record> {
        let quark = |ns: f64| {
            json!({
                "latency_ns": {"p50": ns, "p99": ns * 2.0},
                "figures": {"floor_before": 110.2, "floor_after": 111.0, "asks_per_s_256": 2e7},
            })
        };
        let peer = |ns: f64| json!({"figures": {"ask_ns": ns, "asks_per_s_256": 1e7}});
        vec![
            Record::Head(Head {
                machine: Default::default(),
                date: "2026-11-20T12:00:00Z".to_owned(),
                rustc: "rustc 1.95".to_owned(),
                commit: "abc".to_owned(),
                rounds: 2,
                seconds: 0.3,
            }),
            contender("Quark", "spin", true),
            contender("Quark", "park", false),
            contender("acme", "pool", false),
            contender("hot", "busy", true),
            run(("Quark", "spin"), "ask-cross", 110.0, quark(100.0)),
            run(("Quark", "spin"), "ask-cross", 110.0, quark(140.0)),
            run(("Quark", "park"), "ask-cross", 110.0, quark(20_000.0)),
            run(("acme", "pool"), "ask-cross", 110.0, peer(44_000.0)),
            run(("hot", "busy"), "ask-cross", 110.0, peer(110.0)),
            failed(("hot", "busy"), "ring", "timed out after 9 s"),
            Record::Round(Round {
                round: 1,
                seconds: 60.0,
                load: 1.5,
                steal_percent: 0.25,
            }),
        ]
    }

    #[test]
    fn tables_say_figures_ratios_and_verdicts() {
        let text = write(&Table::of(&records()));
        for said in [
            "2026-11-20T12:00:00Z; rustc 1.95; Quark at abc",
            "- Medians of 1 rounds",
            "| ask across cores, p50 (cores 110 ns apart) | 120 ns (100–140) | 20.0 µs |",
            "| hot (busy): 110 ns | 0.92 × | acme (pool)[^1]: 44.0 µs | 2.20 × |",
            "**missed**: 0.92 × hot (busy)",
            "held: 2.20 × acme (pool)",
            "| hot | 1.0.0 | no | 64 | busy (spins) |",
            "| 1 | 60 s | 1.50 | 0.25 % | 110 ns (110–110) | 110 ns, 111 ns | 110 ns, 111 ns |",
            "Its program timed out after 9 s.\n",
            "Its program gives no such figure.\n",
        ] {
            assert!(text.contains(said), "{said}\n{text}");
        }
        assert!(!text.contains("NaN") && !text.contains("inf "), "{text}");
    }

    #[test]
    fn every_footnote_is_there_and_needed() {
        let text = write(&Table::of(&records()));
        let notes = text.lines().filter(|line| line.starts_with("[^"));
        let notes: Vec<_> = notes.filter_map(|line| line.split(':').next()).collect();
        assert!(notes.len() >= 2, "{text}");
        for note in notes {
            assert!(text.matches(note).count() >= 2, "{note}\n{text}");
        }
    }

    #[test]
    fn rows_have_as_many_cells_as_their_heads() {
        let text = write(&Table::of(&records()));
        let mut wanted = 0;
        for line in text.lines() {
            let cells = line.matches('|').count();
            if line.starts_with('|') && wanted > 0 {
                assert_eq!(cells, wanted, "{line}");
            }
            wanted = cells;
        }
    }

    #[test]
    fn nothing_measured_is_no_trouble() {
        assert!(write(&Table::of(&[])).starts_with("# Quark and its peers\n"));
        let text = write(&Table::of(&[contender("Quark", "spin", true)]));
        assert!(text.contains("0 of 0 held"));
    }
}
