//! All figures of all contenders: medians, or why there are none.

use crate::contender::Contender;
use crate::figures::{self, Figure};
use crate::record::{Head, Record, Round, Run};
use crate::spread::Spread;
use crate::states::{State, States};
use crate::units::Unit;

/// Everything that tables and chart are made from.
pub(crate) struct Table {
    pub(crate) head: Option<Head>,
    pub(crate) contenders: Vec<Contender>,
    pub(crate) rows: Vec<Row>,
    pub(crate) rounds: Vec<Round>,
    pub(crate) runs: Vec<Run>,
    /// Names and modes of those that mean to park and don't.
    restless: Vec<(String, String)>,
    /// Runs across cores that no row has, for the cores came nearer or went farther meanwhile.
    pub(crate) left_out: usize,
}

/// One figure; of those that cross cores, in one state of theirs.
pub(crate) struct Row {
    pub(crate) figure: &'static Figure,
    /// How far apart the cores were, where that matters.
    pub(crate) apart: Option<String>,
    /// In the contenders' order.
    pub(crate) cells: Vec<Cell>,
}

/// One figure of one contender.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Cell {
    pub(crate) spread: Option<Spread>,
    /// Why there are no figures, or fewer.
    pub(crate) note: Option<String>,
}

/// Of one core's time: far above what timers and housekeeping take.
const RESTLESS_PERCENT: f64 = 10.0;
const NOT_THEN: &str = "None of its runs was at a time when the cores were that far apart.";

impl Table {
    pub(crate) fn of(records: &[Record]) -> Self {
        let mut table = Table {
            head: None,
            contenders: Vec::new(),
            rows: Vec::new(),
            rounds: Vec::new(),
            runs: Vec::new(),
            restless: Vec::new(),
            left_out: 0,
        };
        for record in records {
            match record {
                Record::Head(head) => table.head = Some(head.clone()),
                Record::Contender(contender) => table.contenders.push(contender.clone()),
                Record::Round(round) => table.rounds.push(round.clone()),
                Record::Run(run) => table.runs.push(run.clone()),
            }
        }
        let states = States::of(table.runs.iter());
        let has_run = |figure: &&Figure| {
            let mut runs = table.runs.iter();
            runs.any(|run| run.workload == figure.workload)
        };
        table.rows = figures::all()
            .filter(has_run)
            .flat_map(|figure| table.rows_of(figure, &states))
            .collect();
        table.left_out = table.left_out(&states);
        table.find_restless();
        table
    }

    /// Whether a contender says that it parks, but its idle system is busy.
    pub(crate) fn is_restless(&self, contender: &Contender) -> bool {
        let mut restless = self.restless.iter();
        restless.any(|(name, mode)| *name == contender.name && *mode == contender.mode)
    }

    /// The contender's median in a row.
    pub(crate) fn median(row: &Row, contender: usize) -> Option<f64> {
        Some(row.cells.get(contender)?.spread?.median)
    }

    /// The best of those contenders that `who` lets through.
    pub(crate) fn best(&self, row: &Row, who: impl Fn(&Contender) -> bool) -> Option<usize> {
        let seen = (0..self.contenders.len())
            .filter(|index| who(&self.contenders[*index]))
            .filter_map(|index| Some((index, Self::median(row, index)?)));
        let least = |(_, one): &(usize, f64), (_, other): &(usize, f64)| one.total_cmp(other);
        let best = if row.figure.unit.small_is_better() {
            seen.min_by(least)
        } else {
            seen.max_by(least)
        };
        best.map(|(index, _)| index)
    }

    /// Quark's place among the contenders.
    pub(crate) fn quark(&self, spins: bool) -> Option<usize> {
        let mut contenders = self.contenders.iter();
        contenders.position(|one| one.is_quark() && one.spins == spins)
    }

    fn rows_of(&self, figure: &'static Figure, states: &States) -> Vec<Row> {
        let row = |state: Option<State>| Row {
            figure,
            apart: state.and_then(|state| states.title(state)),
            cells: self
                .contenders
                .iter()
                .map(|contender| self.cell(contender, figure, state, states))
                .collect(),
        };
        if !figure.crosses {
            return vec![row(None)];
        }
        let rows = [State::Near, State::Far].map(|state| row(Some(state)));
        let quark_is_in = |row: &Row| {
            let mut quarks = [self.quark(true), self.quark(false)].into_iter().flatten();
            quarks.any(|index| Self::median(row, index).is_some())
        };
        let rows: Vec<Row> = rows.into_iter().filter(quark_is_in).collect();
        // Where nobody knows how far apart cores are, all runs count.
        if rows.is_empty() {
            vec![row(None)]
        } else {
            rows
        }
    }

    fn cell(
        &self,
        contender: &Contender,
        figure: &Figure,
        state: Option<State>,
        states: &States,
    ) -> Cell {
        let runs: Vec<&Run> = self.runs_of(contender, figure).collect();
        let then = runs
            .iter()
            .filter(|run| state.is_none_or(|state| states.during(run) == state));
        let figure_of = |run: &Run| figure.of(run.line.as_ref()?, contender.is_quark());
        let spread = Spread::of(then.filter_map(|run| figure_of(run)));
        let failed = runs.iter().find_map(|run| run.failed.as_deref());
        let dash = runs
            .iter()
            .find_map(|run| run.line.as_ref()?.get("dash")?.as_str());
        let some = runs.iter().any(|run| figure_of(run).is_some());
        let note = match (spread, dash, failed) {
            (Some(_), None, None) => None,
            (Some(_), _, Some(why)) => Some(format!("Not in every run: {why}.")),
            (Some(_), Some(why), None) => Some(format!("Not in every run: {why}.")),
            (None, ..) if some => Some(NOT_THEN.to_owned()),
            (None, Some(why), _) => Some(sentence(why)),
            (None, None, Some(why)) => Some(format!("Its program {why}.")),
            (None, None, None) if runs.is_empty() => Some("Not run.".to_owned()),
            (None, None, None) => Some("Its program gives no such figure.".to_owned()),
        };
        Cell { spread, note }
    }

    fn runs_of(&self, contender: &Contender, figure: &Figure) -> impl Iterator<Item = &Run> {
        self.runs.iter().filter(|run| {
            run.workload == figure.workload
                && run.name == contender.name
                && run.mode == contender.mode
        })
    }

    /// What takes a core's time while it has nothing to do spins, whatever it calls that.
    fn find_restless(&mut self) {
        let idle = self
            .rows
            .iter()
            .find(|row| row.figure.unit == Unit::Percent);
        let Some(idle) = idle else {
            return;
        };
        for (index, contender) in self.contenders.iter_mut().enumerate() {
            let percent = Self::median(idle, index).unwrap_or(0.0);
            if !contender.is_quark() && !contender.spins && percent > RESTLESS_PERCENT {
                contender.spins = true;
                let who = (contender.name.clone(), contender.mode.clone());
                self.restless.push(who);
            }
        }
    }

    fn left_out(&self, states: &States) -> usize {
        let crosses = |run: &&Run| {
            let mut figures = figures::all();
            figures.any(|figure| figure.crosses && figure.workload == run.workload)
        };
        let runs = self.runs.iter().filter(crosses);
        runs.filter(|run| states.during(run) == State::Drifting)
            .count()
    }
}

/// A reason as a footnote has it.
fn sentence(why: &str) -> String {
    let mut letters = why.trim().trim_end_matches('.').chars();
    match letters.next() {
        Some(first) => format!("{}{}.", first.to_uppercase(), letters.as_str()),
        None => "No reason given.".to_owned(),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::{Value, json};

    use super::*;

    pub(crate) fn contender(name: &str, mode: &str, spins: bool) -> Record {
        Record::Contender(Contender {
            name: name.to_owned(),
            mode: mode.to_owned(),
            spins,
            places: mode != "pool",
            is_virtual: name == "Quark" || name == "keyed",
            mailbox: "64".to_owned(),
            version: "1.0.0".to_owned(),
            program: "x".into(),
        })
    }

    pub(crate) fn run(who: (&str, &str), workload: &str, floor_ns: f64, line: Value) -> Record {
        Record::Run(Run {
            round: 1,
            name: who.0.to_owned(),
            mode: who.1.to_owned(),
            workload: workload.to_owned(),
            floors_ns: Some((floor_ns, floor_ns)),
            line: Some(line),
            failed: None,
        })
    }

    pub(crate) fn failed(who: (&str, &str), workload: &str, why: &str) -> Record {
        let Record::Run(run) = run(who, workload, 110.0, Value::Null) else {
            unreachable!("a run was made");
        };
        Record::Run(Run {
            line: None,
            failed: Some(why.to_owned()),
            ..run
        })
    }

    fn cross(ns: f64) -> Value {
        json!({"latency_ns": {"p50": ns}, "figures": {"ask_ns": ns}})
    }

    #[test]
    fn near_runs_are_not_held_against_far_ones() {
        let (quark, acme) = (("Quark", "spin"), ("acme", "pool"));
        let table = Table::of(&[
            contender("Quark", "spin", true),
            contender("acme", "pool", false),
            run(quark, "ask-cross", 110.0, cross(170.0)),
            run(quark, "ask-cross", 112.0, cross(180.0)),
            run(quark, "ask-cross", 500.0, cross(600.0)),
            run(acme, "ask-cross", 111.0, cross(400.0)),
        ]);
        let rows: Vec<&Row> = table
            .rows
            .iter()
            .filter(|row| row.figure.title.ends_with("p50"))
            .collect();
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[0].apart.as_deref(), Some("cores near, 111 ns apart"));
        assert_eq!(Table::median(rows[0], 0), Some(175.0));
        assert_eq!(Table::median(rows[0], 1), Some(400.0));
        assert_eq!(Table::median(rows[1], 0), Some(600.0));
        assert_eq!(rows[1].cells[1].note.as_deref(), Some(NOT_THEN));
        assert_eq!(table.best(rows[0], |one| !one.is_quark()), Some(1));
        assert_eq!(table.best(rows[1], |one| !one.is_quark()), None);
    }

    #[test]
    fn drifting_runs_are_left_out_and_counted() {
        let Record::Run(mut drifting) = run(("Quark", "spin"), "ask-cross", 110.0, cross(300.0))
        else {
            unreachable!("a run was made");
        };
        drifting.floors_ns = Some((110.0, 500.0));
        let table = Table::of(&[
            contender("Quark", "spin", true),
            run(("Quark", "spin"), "ask-cross", 110.0, cross(170.0)),
            Record::Run(drifting),
        ]);
        assert_eq!(Table::median(&table.rows[0], 0), Some(170.0));
        assert_eq!(table.left_out, 1);
    }

    #[test]
    fn a_dash_says_why() {
        let quark = ("Quark", "spin");
        let table = Table::of(&[
            contender("Quark", "spin", true),
            contender("dashed", "one", false),
            contender("slow", "one", false),
            contender("mute", "one", false),
            contender("absent", "one", false),
            run(quark, "ring", 110.0, json!({"figures": {"hop_ns": 14.0}})),
            run(
                ("dashed", "one"),
                "ring",
                110.0,
                json!({"dash": "no ring here"}),
            ),
            failed(("slow", "one"), "ring", "timed out after 9 s"),
            run(("mute", "one"), "ring", 110.0, json!({"figures": []})),
        ]);
        assert_eq!(table.rows.len(), 1);
        let notes: Vec<_> = table.rows[0]
            .cells
            .iter()
            .map(|cell| cell.note.as_deref())
            .collect();
        assert_eq!(
            notes,
            [
                None,
                Some("No ring here."),
                Some("Its program timed out after 9 s."),
                Some("Its program gives no such figure."),
                Some("Not run."),
            ]
        );
    }

    #[test]
    fn large_is_best_where_it_is_a_rate() {
        let line = |rate: f64| json!({"figures": {"messages_per_s": rate}});
        let table = Table::of(&[
            contender("a", "one", false),
            contender("b", "one", true),
            run(("a", "one"), "tell-local", 110.0, line(5e6)),
            run(("b", "one"), "tell-local", 110.0, line(9e6)),
        ]);
        assert_eq!(table.best(&table.rows[0], |_| true), Some(1));
        assert_eq!(table.best(&table.rows[0], |one| !one.spins), Some(0));
    }

    #[test]
    fn those_who_are_busy_when_idle_spin() {
        let idle = |percent: f64| json!({"figures": {"cpu_percent": percent}});
        let table = Table::of(&[
            contender("Quark", "park", false),
            contender("still", "one", false),
            contender("busy", "backoff", false),
            run(("Quark", "park"), "idle", 110.0, idle(50.0)),
            run(("still", "one"), "idle", 110.0, idle(0.5)),
            run(("busy", "backoff"), "idle", 110.0, idle(21.0)),
        ]);
        let spins: Vec<bool> = table.contenders.iter().map(|one| one.spins).collect();
        // Quark's policy is what it was told; what it makes of it stands in the table.
        assert_eq!(spins, [false, false, true]);
        assert!(table.is_restless(&table.contenders[2]));
    }
}
