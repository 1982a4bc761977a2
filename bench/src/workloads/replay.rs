//! `replay`, the main job: an order feed through gateway, accounts and book.
//!
//! An event is three one-way messages: from the gateway to its account, on to the book, and an
//! acknowledgement back, which the book batches by what has come in. Nobody holds a reply open,
//! and the gateway's window bounds what is under way.
//!
//! With `--durable` the book has its events kept in a ledger's journal before it acknowledges them.

mod account;
mod acks;
mod exchange;
mod gateway;
mod in_order;
mod ledger;
mod order_book;
mod windows;

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::sync::Arc;

use quark::Store;

use super::{Setup, Workload};
use crate::cli::{Format, Replay};
use crate::error::Error;
use crate::feed::{Feed, Source};
use crate::interrupt::Interrupt;
use crate::output::Output;
use crate::records::Records;
use crate::report::Report;
use crate::scratch::Scratch;
use acks::AckFile;
use exchange::{Durable, Exchange, Outcome};
use order_book::Lap;

/// The workload, for its name and unit: it is not run by name but by [`command`].
pub const WORKLOAD: Workload = Workload {
    name: "replay",
    about: "An order feed through gateway, accounts and book.",
    unit: "events",
    floor: None,
    run: |setup| {
        let asked = Replay {
            options: setup.options.clone(),
            ..Replay::default()
        };
        replay(&asked, setup, &mut io::sink())
    },
};

/// `quark-bench replay`.
///
/// # Errors
///
/// When the feed cannot be used, the file of changes cannot be written, or the engine will not
/// launch as asked.
pub fn command(asked: &Replay, interrupt: &Interrupt, out: &mut impl Write) -> Result<(), Error> {
    if let Some(folder) = &asked.book {
        return ledger::print(folder, &asked.options, out);
    }
    let setup = Setup {
        options: asked.options.clone(),
        interrupt: interrupt.clone(),
    };
    let mut records = Records::new(&asked.options)?;
    let report = replay(asked, &setup, out)?;
    Output::new(asked.options.format, out).report(&report)?;
    records.take(&report)?;
    records.finish()
}

/// Says on `out` what was launched, for people, and replays.
///
/// # Errors
///
/// See [`command`].
pub fn replay(asked: &Replay, setup: &Setup, out: &mut impl Write) -> Result<Report, Error> {
    let prepared = Prepared::new(asked)?;
    let (folder, acks) = (Kept::new(asked)?, asked.acks.as_deref());
    let (acks, sender) = acks.map(AckFile::create).transpose()?.unzip();
    let durable = folder.as_ref().map(|folder| Durable {
        store: folder.store(),
        acks: sender,
    });
    let exchange = Exchange::open(&prepared.feed, asked.window, setup, durable)?;
    if asked.options.format == Format::Text {
        writeln!(
            out,
            "{}feed: {}\n",
            exchange.launch_report(),
            prepared.feed.name
        )?;
        out.flush()?;
    }
    let Outcome { report, lap } = exchange.run()?;
    acks.map(AckFile::finish).transpose()?;
    prepared.conclude(report, &lap)
}

/// Where the log of a durable replay is.
enum Kept {
    /// Where it was asked for, and it stays.
    Here(PathBuf),
    /// Nowhere in particular, and it is removed.
    Away(Scratch),
}

impl Kept {
    fn new(asked: &Replay) -> Result<Option<Self>, Error> {
        if !asked.durable {
            return Ok(None);
        }
        Ok(Some(match &asked.options.dir {
            Some(folder) => Kept::Here(folder.clone()),
            None => Kept::Away(Scratch::new(None)?),
        }))
    }

    fn store(&self) -> Store {
        match self {
            Kept::Here(folder) => Store::directory(folder),
            Kept::Away(scratch) => scratch.store("log"),
        }
    }
}

/// What is ready before anything is measured, so that bad input is known first.
#[derive(Debug)]
struct Prepared {
    feed: Arc<Feed>,
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
        Ok(Prepared {
            feed: Arc::new(feed),
            bbo,
        })
    }

    /// Writes the changes out, and adds to the report what the book made of the feed.
    fn conclude(self, report: Report, lap: &Lap) -> Result<Report, Error> {
        let Lap { log, tally, .. } = lap;
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
    use crate::cli::Idle;
    use crate::report::Figure;
    use crate::report::tests::ground;

    #[test]
    fn the_file_holds_the_changes_and_the_report_counts_them() {
        let path = std::env::temp_dir().join(format!("quark-bench-bbo-{}", std::process::id()));
        let asked = Replay {
            feed: Some(Source::Synthetic(2_000)),
            bbo: Some(path.clone()),
            ..Replay::default()
        };
        let prepared = Prepared::new(&asked).unwrap();
        let lap = exchange::replay(&prepared.feed.events);
        let log = &lap.log;
        let report = Report::new(
            &WORKLOAD,
            ground(1, Idle::Park),
            2_000,
            Duration::from_secs(1),
        );
        let report = prepared.conclude(report, &lap).unwrap();
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
