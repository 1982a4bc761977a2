//! `replay`, the main job: an order feed through gateway, accounts and book.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use super::{Setup, Workload, pending};
use crate::bbo::BboLog;
use crate::book::Tally;
use crate::cli::Replay;
use crate::error::Error;
use crate::feed::{Feed, Source};
use crate::interrupt::Interrupt;
use crate::output::Output;
use crate::report::Report;

/// The workload, for its name and unit: it is not run by name but by [`command`].
pub const WORKLOAD: Workload = Workload {
    name: "replay",
    about: "An order feed through gateway, accounts and book.",
    unit: "events",
    floor: None,
    run: pending,
};

/// `quark-bench`: the launch report, the replay, then every workload in a table.
///
/// # Errors
///
/// See [`command`].
pub fn main_job(asked: &Replay, interrupt: &Interrupt, out: &mut impl Write) -> Result<(), Error> {
    let setup = Setup {
        options: asked.options.clone(),
        interrupt: interrupt.clone(),
    };
    let mut output = Output::new(asked.options.format, out);
    output.report(&replay(asked, &setup)?)?;
    for workload in super::ALL {
        if interrupt.is_set() {
            break;
        }
        output.report(&(workload.run)(&setup)?)?;
    }
    Ok(())
}

/// `quark-bench replay`.
///
/// # Errors
///
/// When the feed cannot be used, the file of changes cannot be written, or the engine will not
/// launch as asked.
pub fn command(asked: &Replay, interrupt: &Interrupt, out: &mut impl Write) -> Result<(), Error> {
    let setup = Setup {
        options: asked.options.clone(),
        interrupt: interrupt.clone(),
    };
    Ok(Output::new(asked.options.format, out).report(&replay(asked, &setup)?)?)
}

fn replay(asked: &Replay, setup: &Setup) -> Result<Report, Error> {
    let prepared = Prepared::new(asked)?;
    let (report, log, tally) = through_actors(&prepared.feed, setup)?;
    prepared.conclude(report, &log, tally)
}

/// Replays the feed through actors.
fn through_actors(_feed: &Feed, setup: &Setup) -> Result<(Report, BboLog, Tally), Error> {
    Ok((pending(setup)?, BboLog::default(), Tally::default()))
}

/// What is ready before anything is measured, so that bad input is known first.
#[derive(Debug)]
struct Prepared {
    feed: Feed,
    bbo: Option<(PathBuf, File)>,
}

impl Prepared {
    fn new(asked: &Replay) -> Result<Self, Error> {
        let source = asked.feed.clone().unwrap_or_else(Source::usual);
        let feed = source.load(asked.options.seed, asked.lenient)?;
        let bbo = match &asked.bbo {
            None => None,
            Some(path) => match File::create(path) {
                Ok(file) => Some((path.clone(), file)),
                Err(source) => {
                    return Err(Error::Write {
                        path: path.clone(),
                        source,
                    });
                }
            },
        };
        Ok(Prepared { feed, bbo })
    }

    /// Writes the changes out, and adds to the report what the book made of the feed.
    fn conclude(self, report: Report, log: &BboLog, tally: Tally) -> Result<Report, Error> {
        if let Some((path, file)) = self.bbo {
            log.write(&self.feed, BufWriter::new(file))
                .map_err(|source| Error::Write { path, source })?;
        }
        Ok(report
            .figure("bbo_changes", log.changes().len() as u64)
            .figure("crossed", log.crossed())
            .figure("unknown_orders", tally.unknown)
            .figure("duplicate_orders", tally.duplicate)
            .figure("excess_sizes", tally.excess)
            .figure("skipped_lines", self.feed.skipped))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::bbo;
    use crate::cli::Idle;
    use crate::report::Figure;

    #[test]
    fn the_file_holds_the_changes_and_the_report_counts_them() {
        let path = std::env::temp_dir().join(format!("quark-bench-bbo-{}", std::process::id()));
        let asked = Replay {
            feed: Some(Source::Synthetic(2_000)),
            bbo: Some(path.clone()),
            ..Replay::default()
        };
        let prepared = Prepared::new(&asked).unwrap();
        let (log, tally) = bbo::replay(&prepared.feed);
        let report = Report::new(&WORKLOAD, 1, Idle::Park, 2_000, Duration::from_secs(1));
        let report = prepared.conclude(report, &log, tally).unwrap();
        let lines = std::fs::read_to_string(&path).unwrap().lines().count();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(lines, log.changes().len());
        assert!(lines > 100);
        assert_eq!(
            report.figures.0[0],
            ("bbo_changes", Figure::Count(lines as u64))
        );
    }

    #[test]
    fn a_file_that_cannot_be_written_is_known_before_the_run() {
        let asked = Replay {
            feed: Some(Source::Synthetic(10)),
            bbo: Some("/nonexistent/bbo.csv".into()),
            ..Replay::default()
        };
        let error = Prepared::new(&asked).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(
            error
                .to_string()
                .starts_with("cannot write /nonexistent/bbo.csv: "),
            "{error}"
        );
    }
}
