//! `.hgrm` files: a percentile distribution as text, as HdrHistogram prints it and its plotter
//! reads it.
//!
//! Four columns, of which the plotter draws the first against the last: the value, the share of
//! all that is at most that, how many these are, and 1 / (1 - share). Values are microseconds with
//! three decimals, so no nanosecond is lost; a note at the end, which is a comment to others, says
//! so, and from which run they are.

use std::io::{self, Write};

use hdrhistogram::Histogram;

use crate::distribution::{Distribution, Point};
use crate::plot::Limit;

/// What is known of the run that a distribution is from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Notes {
    /// The machine, in words.
    pub machine: Option<String>,
    /// The day, in UTC.
    pub date: Option<String>,
    /// What the latencies should not exceed.
    pub limits: Vec<Limit>,
}

/// A file that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Hgrm {
    /// What it holds.
    pub distribution: Distribution,
    /// What it says of itself.
    pub notes: Notes,
}

/// What values are counted in, where a file does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Unit {
    /// Nanoseconds.
    Ns,
    /// Microseconds.
    Us,
    /// Milliseconds: what HdrHistogram's own tools print.
    #[default]
    Ms,
    /// Seconds.
    S,
}

/// Why a text is no distribution.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HgrmError {
    /// A line that is none of a distribution's.
    #[error(
        "line {line} is not a percentile distribution's: expected value, percentile, count and 1/(1-percentile)"
    )]
    Malformed {
        /// Counted from 1.
        line: usize,
    },
    /// Values or percentiles that fall.
    #[error("line {line} lies below the one before: percentiles and values only rise")]
    Falling {
        /// Counted from 1.
        line: usize,
    },
    /// No values.
    #[error("it holds no percentiles: a .hgrm file has one on each line")]
    Empty,
}

/// Nanoseconds in the unit that is written.
const MICROSECOND: f64 = 1e3;
const UNIT: &str = "#[Unit    = ";
const MACHINE: &str = "#[Machine = ";
const DATE: &str = "#[Date    = ";
const LIMIT: &str = "#[Limit   = ";

/// Writes what `histogram`, in nanoseconds, holds.
///
/// # Errors
///
/// What `out` says.
pub fn write(out: &mut impl Write, histogram: &Histogram<u64>, notes: &Notes) -> io::Result<()> {
    writeln!(
        out,
        "{:>12} {:>14} {:>10} {:>14}\n",
        "Value", "Percentile", "TotalCount", "1/(1-Percentile)"
    )?;
    let distribution = Distribution::of(histogram);
    for point in distribution.iter().flat_map(Distribution::points) {
        let Point {
            ns,
            quantile,
            count,
        } = point;
        write!(out, "{:12.3} {quantile:.12} {count:10}", ns / MICROSECOND)?;
        if *quantile < 1.0 {
            write!(out, " {:14.2}", 1.0 / (1.0 - quantile))?;
        }
        writeln!(out)?;
    }
    let (mean, deviation) = if histogram.is_empty() {
        (0.0, 0.0)
    } else {
        (histogram.mean(), histogram.stdev())
    };
    writeln!(
        out,
        "#[Mean    = {:12.3}, StdDeviation   = {:12.3}]",
        mean / MICROSECOND,
        deviation / MICROSECOND
    )?;
    writeln!(
        out,
        "#[Max     = {:12.3}, Total count    = {:12}]",
        histogram.max() as f64 / MICROSECOND,
        histogram.len()
    )?;
    writeln!(
        out,
        "#[Buckets = {:12}, SubBuckets     = {:12}]",
        histogram.buckets(),
        sub_buckets(histogram)
    )?;
    writeln!(out, "{UNIT}microseconds]")?;
    for (label, value) in [(MACHINE, &notes.machine), (DATE, &notes.date)] {
        if let Some(value) = value {
            writeln!(out, "{label}{value}]")?;
        }
    }
    for Limit { label, ns } in &notes.limits {
        writeln!(out, "{LIMIT}{:12.3}, {label}]", ns / MICROSECOND)?;
    }
    out.flush()
}

/// Reads such a text; values are in `unit` unless it says otherwise.
///
/// # Errors
///
/// [`HgrmError`], with the line.
pub fn read(text: &str, unit: Unit) -> Result<Hgrm, HgrmError> {
    let mut points: Vec<Point> = Vec::new();
    let mut notes = Notes::default();
    let mut scale = unit.nanoseconds();
    for (number, line) in text.lines().enumerate() {
        let number = number + 1;
        let trimmed = line.trim();
        if trimmed.starts_with('#') {
            let note = |label| Some(trimmed.strip_prefix(label)?.strip_suffix(']')?.to_owned());
            notes.machine = note(MACHINE).or(notes.machine);
            notes.date = note(DATE).or(notes.date);
            notes
                .limits
                .extend(note(LIMIT).and_then(|text| limit(&text)));
            if let Some(unit) = note(UNIT).and_then(|name| Unit::named(&name)) {
                scale = unit.nanoseconds();
            }
            continue;
        }
        if trimmed.is_empty() || trimmed.starts_with("Value") {
            continue;
        }
        let point = point(trimmed).ok_or(HgrmError::Malformed { line: number })?;
        if points
            .last()
            .is_some_and(|last| last.ns > point.ns || last.quantile > point.quantile)
        {
            return Err(HgrmError::Falling { line: number });
        }
        points.push(point);
    }
    for point in &mut points {
        point.ns *= scale;
    }
    Ok(Hgrm {
        distribution: Distribution::new(points).ok_or(HgrmError::Empty)?,
        notes,
    })
}

/// One line, its value not scaled yet.
fn point(line: &str) -> Option<Point> {
    let mut columns = line.split_whitespace();
    let point = Point {
        ns: columns.next()?.parse().ok()?,
        quantile: columns.next()?.parse().ok()?,
        count: columns.next()?.parse().ok()?,
    };
    let sound = point.ns >= 0.0 && point.ns.is_finite() && (0.0..=1.0).contains(&point.quantile);
    // The last column follows from the second; at 100 % there is none, or infinity.
    let fourth = columns
        .next()
        .is_none_or(|text| text.parse::<f64>().is_ok());
    (sound && fourth && columns.next().is_none()).then_some(point)
}

/// What the note of a limit says; ours alone write it, in microseconds.
fn limit(text: &str) -> Option<Limit> {
    let (value, label) = text.split_once(", ")?;
    let ns = value.trim().parse::<f64>().ok()? * MICROSECOND;
    (ns.is_finite() && ns > 0.0).then(|| Limit {
        label: label.to_owned(),
        ns,
    })
}

/// Counters in one bucket, as HdrHistogram counts them: two for each value that the precision
/// tells apart, rounded up to a power of two.
fn sub_buckets(histogram: &Histogram<u64>) -> u64 {
    (2 * 10_u64.pow(u32::from(histogram.sigfig()))).next_power_of_two()
}

impl Unit {
    fn nanoseconds(self) -> f64 {
        match self {
            Unit::Ns => 1.0,
            Unit::Us => 1e3,
            Unit::Ms => 1e6,
            Unit::S => 1e9,
        }
    }

    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "nanoseconds" => Unit::Ns,
            "microseconds" => Unit::Us,
            "milliseconds" => Unit::Ms,
            "seconds" => Unit::S,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram(values: impl IntoIterator<Item = u64>) -> Histogram<u64> {
        let mut histogram = Histogram::new_with_bounds(1, 3_600_000_000_000, 3).unwrap();
        for ns in values {
            histogram.record(ns).unwrap();
        }
        histogram
    }

    fn written(histogram: &Histogram<u64>, notes: &Notes) -> String {
        let mut out = Vec::new();
        write(&mut out, histogram, notes).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_text_is_what_hdrhistogram_prints() {
        let text = written(&histogram([100, 200, 300, 400]), &Notes::default());
        // Java: "%12s %14s %10s %14s\n\n", then "%12.3f %2.12f %10d %14.2f\n", at 100 % without
        // the last column; "#[Mean    = %12.3f, StdDeviation   = %12.3f]\n", and so on.
        let lines: Vec<&str> = text.lines().collect();
        for (index, line) in [
            "       Value     Percentile TotalCount 1/(1-Percentile)",
            "",
            "       0.100 0.000000000000          1           1.00",
            "       0.100 0.025000000000          1           1.03",
        ]
        .into_iter()
        .enumerate()
        {
            assert_eq!(lines[index], line);
        }
        assert!(lines.contains(&"       0.300 0.600000000000          3           2.50"));
        assert_eq!(
            lines[lines.len() - 5..],
            [
                "       0.400 1.000000000000          4",
                "#[Mean    =        0.250, StdDeviation   =        0.112]",
                "#[Max     =        0.400, Total count    =            4]",
                "#[Buckets =           32, SubBuckets     =         2048]",
                "#[Unit    = microseconds]",
            ]
        );
    }

    #[test]
    fn what_is_written_can_be_read() {
        let histogram = histogram((1..50_000).map(|step| step * step));
        let notes = Notes {
            machine: Some("AMD EPYC, 2 cpus".to_owned()),
            date: Some("2026-11-20".to_owned()),
            limits: vec![Limit {
                label: "a tick, 20 a second".to_owned(),
                ns: 5e7,
            }],
        };
        let hgrm = read(&written(&histogram, &notes), Unit::S).unwrap();
        assert_eq!(hgrm.notes, notes);
        let distribution = Distribution::of(&histogram).unwrap();
        assert_eq!(
            hgrm.distribution.points().len(),
            distribution.points().len()
        );
        for (read, held) in hgrm.distribution.points().iter().zip(distribution.points()) {
            assert!((read.ns - held.ns).abs() < 0.5, "{read:?} {held:?}");
            assert!((read.quantile - held.quantile).abs() < 1e-11);
            assert_eq!(read.count, held.count);
        }
    }

    #[test]
    fn an_empty_histogram_is_an_empty_text() {
        let text = written(&histogram([]), &Notes::default());
        assert!(text.contains("Total count    =            0]"), "{text}");
        assert_eq!(read(&text, Unit::Ms), Err(HgrmError::Empty));
    }

    #[test]
    fn others_files_are_read_in_the_unit_that_is_asked_for() {
        let text = "       Value     Percentile TotalCount 1/(1-Percentile)\n\n\
                    0.5 0.0 1 1.00\n 2.5 1.000000000000 3 Infinity\n#[Mean = 1]\n";
        let read = |unit| read(text, unit).unwrap().distribution.max();
        assert_eq!(read(Unit::Ns), 2.5);
        assert_eq!(read(Unit::Ms), 2.5e6);
        assert_eq!(read(Unit::S), 2.5e9);
    }

    #[test]
    fn what_is_no_distribution_is_said_with_its_line() {
        let malformed = |line| Err(HgrmError::Malformed { line });
        for (text, error) in [
            ("", Err(HgrmError::Empty)),
            ("1 0.5", malformed(1)),
            ("1 0.5 x", malformed(1)),
            ("1 0.5 1 y", malformed(1)),
            ("1 0.5 1 2 3", malformed(1)),
            ("1 0.5 1 2\n\nnan 0.5 1 2", malformed(3)),
            ("1 1.5 1 2", malformed(1)),
            ("-1 0.5 1 2", malformed(1)),
            ("inf 0.5 1 2", malformed(1)),
            ("2 0.5 1 2\n1 0.6 1 2", Err(HgrmError::Falling { line: 2 })),
        ] {
            assert_eq!(read(text, Unit::Ms), error, "{text}");
        }
    }
}
