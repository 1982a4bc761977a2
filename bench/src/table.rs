//! `--format text`: a table for people, a row as soon as its workload is done.

use std::io::{self, Write};

use crate::report::{Figure, Report};
use crate::units::{quantity, significant, time};

/// A table in the making.
#[derive(Debug)]
pub struct Table<W> {
    out: W,
    begun: bool,
}

impl<W: Write> Table<W> {
    /// A table on `out`; its head comes with the first row.
    pub fn new(out: W) -> Self {
        Table { out, begun: false }
    }

    /// Adds a row, and below it how it was taken and what else was measured.
    ///
    /// # Errors
    ///
    /// What `out` says.
    pub fn row(&mut self, report: &Report) -> io::Result<()> {
        if !self.begun {
            self.begun = true;
            let head = ["mean", "p50", "p90", "p99", "p999", "max", "floor", "ratio"];
            write_cells(&mut self.out, "workload", "rate", &head.map(str::to_owned))?;
        }
        let mut cells = [const { String::new() }; 8];
        if let Some(latency) = &report.latency_ns {
            cells[0] = time(latency.mean);
            let quantiles = [
                latency.p50,
                latency.p90,
                latency.p99,
                latency.p999,
                latency.max,
            ];
            for (cell, ns) in cells[1..].iter_mut().zip(quantiles) {
                *cell = time(ns as f64);
            }
        }
        if let Some(floor) = &report.floor {
            cells[6] = match floor.unit {
                "ns" => time(floor.value),
                // Of what, the row below says.
                _ => quantity(floor.value, "/s").replace(" /s", "/s"),
            };
        }
        cells[7] = report
            .ratio
            .map(|ratio| match ratio {
                ratio if ratio < 100.0 => format!("{ratio:.2} ×"),
                ratio => quantity(ratio, "×"),
            })
            .unwrap_or_default();
        let rate = quantity(report.rate_per_s, &format!("{}/s", report.unit));
        write_cells(&mut self.out, report.workload, &rate, &cells)?;
        writeln!(self.out, "  {}", below(report))?;
        self.out.flush()
    }
}

fn write_cells(
    out: &mut impl Write,
    name: &str,
    rate: &str,
    cells: &[String; 8],
) -> io::Result<()> {
    write!(out, "{name:<16}{rate:>20}")?;
    for cell in cells {
        write!(out, "{cell:>9}")?;
    }
    writeln!(out)
}

/// The line below a row: `2 shards, spin, 4.00 k asks in 500 ms · floor: … · figures`.
fn below(report: &Report) -> String {
    let shards = if report.ground.shards == 1 {
        "shard"
    } else {
        "shards"
    };
    let mut line = format!(
        "{} {shards}, {}, {} in {}",
        report.ground.shards,
        report.ground.idle,
        quantity(report.count as f64, report.unit),
        time(report.seconds * 1e9)
    );
    if let Some(floor) = &report.floor {
        line += &format!(" · floor: {}", floor.name);
    }
    for (name, value) in &report.figures.0 {
        line += &format!(" · {} {}", name.replace('_', " "), figure(value));
    }
    line
}

fn figure(value: &Figure) -> String {
    match value {
        Figure::Count(count) => count.to_string(),
        Figure::Real(real) => significant(*real),
        Figure::Flag(flag) => if *flag { "yes" } else { "no" }.to_owned(),
        Figure::Text(text) => text.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::sample;

    #[test]
    fn a_row_reads_well_and_stands_in_line() {
        let mut out = Vec::new();
        let mut table = Table::new(&mut out);
        table.row(&sample()).unwrap();
        table.row(&sample()).unwrap();
        let text = String::from_utf8(out).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[0],
            "workload                        rate     mean      p50      p90      p99     p999      max\
             \x20   floor    ratio"
        );
        assert_eq!(
            lines[1],
            "ask-cross                 8 k asks/s   130 ns   120 ns   160 ns   160 ns   160 ns   160 ns\
             \x20  100 ns   1.20 ×"
        );
        assert_eq!(
            lines[2],
            "  2 shards, spin, 4 k asks in 500 ms · floor: cache-line round trip · floor before \
             101 · floor after 100 · unanswered 0"
        );
        // The head comes once.
        assert_eq!(lines[3], lines[1]);
        assert_eq!(lines[0].chars().count(), lines[1].chars().count());
    }

    #[test]
    fn figures_are_shown_by_kind() {
        assert_eq!(figure(&Figure::Flag(true)), "yes");
        assert_eq!(figure(&Figure::Text("uring".to_owned())), "uring");
        assert_eq!(figure(&Figure::Real(0.5)), "0.500");
    }
}
