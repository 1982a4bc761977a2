//! `--format text`: a table for people, a row as soon as its workload is done.

use std::io::{self, Write};

use crate::report::{Figure, Report};

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
    write!(out, "{name:<11}{rate:>20}")?;
    for cell in cells {
        write!(out, "{cell:>9}")?;
    }
    writeln!(out)
}

/// The line below a row: `2 shards, spin, 4.00 k asks in 500 ms · floor: … · figures`.
fn below(report: &Report) -> String {
    let shards = if report.shards == 1 {
        "shard"
    } else {
        "shards"
    };
    let mut line = format!(
        "{} {shards}, {}, {} in {}",
        report.shards,
        report.idle,
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

/// A duration in the unit that suits it.
fn time(ns: f64) -> String {
    let (value, unit) = match ns {
        ns if ns < 999.5 => (ns, "ns"),
        ns if ns < 999.5e3 => (ns / 1e3, "µs"),
        ns if ns < 999.5e6 => (ns / 1e6, "ms"),
        ns => (ns / 1e9, "s"),
    };
    format!("{} {unit}", significant(value))
}

/// A number of something, in thousands, millions or billions where it is large.
fn quantity(value: f64, unit: &str) -> String {
    let (value, scale) = match value {
        value if value < 999.5 => (value, ""),
        value if value < 999.5e3 => (value / 1e3, "k "),
        value if value < 999.5e6 => (value / 1e6, "M "),
        value => (value / 1e9, "G "),
    };
    format!("{} {scale}{unit}", significant(value))
}

/// Three significant digits, and no more of them after the point than that.
fn significant(value: f64) -> String {
    if value == value.trunc() && value.abs() < 1e15 {
        return format!("{value:.0}");
    }
    let digits = match value.abs() {
        size if size >= 99.95 => 0,
        size if size >= 9.995 => 1,
        size if size >= 0.9995 => 2,
        _ => 3,
    };
    format!("{value:.digits$}")
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
            "workload                   rate     mean      p50      p90      p99     p999      max\
             \x20   floor    ratio"
        );
        assert_eq!(
            lines[1],
            "ask-cross            8 k asks/s   130 ns   120 ns   160 ns   160 ns   160 ns   160 ns\
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
    fn numbers_wear_the_unit_that_suits_them() {
        assert_eq!(time(0.0), "0 ns");
        assert_eq!(time(1.894), "1.89 ns");
        assert_eq!(time(999.6), "1.000 µs".replace("1.000", "1.00"));
        assert_eq!(time(12_345.0), "12.3 µs");
        assert_eq!(time(2e9), "2 s");
        assert_eq!(quantity(25_130_000.0, "asks/s"), "25.1 M asks/s");
        assert_eq!(quantity(3e9, "hops"), "3 G hops");
        assert_eq!(significant(0.0312), "0.031");
        assert_eq!(significant(-123.4), "-123");
    }

    #[test]
    fn figures_are_shown_by_kind() {
        assert_eq!(figure(&Figure::Flag(true)), "yes");
        assert_eq!(figure(&Figure::Text("uring".to_owned())), "uring");
        assert_eq!(figure(&Figure::Real(0.5)), "0.500");
    }
}
