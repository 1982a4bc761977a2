//! What the book has accepted, in a journal: an event is in it before it is acknowledged, and the
//! book can be made anew of it.

use std::io::Write;
use std::path::Path;

use quark::prelude::*;
use quark::{Evolve, Journal, StateError};
use serde::{Deserialize, Serialize};

use super::WORKLOAD;
use crate::book::{Book, Resting, Tally};
use crate::cli::Options;
use crate::error::Error;
use crate::feed::{Event, Kind, Side};
use crate::launch;

/// There is one in an engine.
pub(super) const KEY: u64 = 0;
/// Entries read at once.
const PAGE: usize = 1_000;

/// An event that was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// Counts on from one replay to the next in the same log.
    pub(super) sequence: u64,
    /// The sequence of its lap's first event: each lap begins with an empty book.
    pub(super) lap: u64,
    pub(super) event: Event,
}

/// What the journal comes to.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Accepted {
    /// No entry has this sequence or a later one.
    next: u64,
    /// The sequence of the lap's first event.
    lap: u64,
    /// What the lap has made of the book.
    book: Book,
    trades: Trades,
}

/// Executions in a lap.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct Trades {
    count: u64,
    shares: u64,
}

impl Evolve for Accepted {
    type Event = Entry;
    /// A book is large beside an event.
    const SNAPSHOT_EVERY: u64 = 10_000;

    fn evolve(&mut self, entry: &Entry) {
        let Entry {
            sequence,
            lap,
            event,
        } = entry;
        if self.lap != *lap {
            *self = Accepted {
                lap: *lap,
                ..Accepted::default()
            };
        }
        self.next = sequence + 1;
        self.book.apply(event);
        if matches!(event.kind, Kind::Execute | Kind::ExecuteHidden) {
            self.trades.count += 1;
            self.trades.shares += u64::from(event.size);
        }
    }
}

/// The book as the journal has it.
#[derive(Debug)]
pub(super) struct Standing {
    orders: Vec<Resting>,
    trades: Trades,
    tally: Tally,
}

/// The ledger.
#[derive(Default, Stateful)]
pub(super) struct Ledger {
    #[state]
    accepted: Journal<Accepted>,
}

#[actor(name = "bench.ledger")]
impl Ledger {
    /// The sequence of the next entry.
    pub fn next(&self) -> u64 {
        self.accepted.next
    }

    /// Keeps entries, all or none; durable when it returns.
    pub async fn accept(&mut self, entries: Vec<Entry>) -> Result<(), StateError> {
        self.accepted.append(entries).await.map(drop)
    }

    /// The book of the last lap.
    pub fn book(&self) -> Standing {
        Standing {
            orders: self.accepted.book.resting(),
            trades: self.accepted.trades,
            tally: self.accepted.book.tally(),
        }
    }

    /// Entries from number `from` on, counted from 1, `most` at most.
    pub async fn read(&self, from: u64, most: usize) -> Result<Vec<Entry>, StateError> {
        let read = self.accepted.read(from, most).await?;
        Ok(read.into_iter().map(|(_, entry)| entry).collect())
    }
}

/// `quark-bench replay --book`: recovers the log in `folder`, and writes a line for each event that
/// it has accepted, `sequence order-id`, in their order; then the book as the last lap has left it.
///
/// # Errors
/// When there is no such log, or it can't be read.
pub(super) fn print(folder: &Path, options: &Options, out: &mut impl Write) -> Result<(), Error> {
    if let Err(source) = std::fs::read_dir(folder) {
        let path = folder.to_owned();
        return Err(Error::Read { path, source });
    }
    let failed = |error: &dyn std::fmt::Display| Error::Workload {
        workload: WORKLOAD.name,
        reason: error.to_string(),
    };
    let mut topology = launch::topology(options)?;
    if let Some(shards) = options.shards {
        topology = topology.shards(shards);
    }
    let engine = launch::builder(topology, options.idle, options)
        .store(Store::directory(folder))
        .launch()
        .map_err(launch::launch_error)?;
    let ledger = engine.actor::<Ledger>(KEY);
    let mut from = 1;
    loop {
        let page = ledger.read(from, PAGE).wait();
        let page = page.map_err(|error| failed(&error))?;
        if page.is_empty() {
            break;
        }
        from += page.len() as u64;
        for entry in page {
            writeln!(out, "{} {}", entry.sequence, entry.event.order)?;
        }
    }
    let book = ledger.book().wait().map_err(|error| failed(&error))?;
    write_book(&book, out)?;
    engine.shutdown();
    Ok(out.flush()?)
}

/// A line for each order that rests, `order id direction shares price`, and the lap's counts.
fn write_book(book: &Standing, out: &mut impl Write) -> std::io::Result<()> {
    let Standing {
        orders,
        trades,
        tally,
    } = book;
    for Resting {
        order,
        price,
        size,
        side,
    } in orders
    {
        let direction = match side {
            Side::Buy => 1,
            Side::Sell => -1,
        };
        writeln!(out, "order {order} {direction} {size} {price}")?;
    }
    writeln!(out, "trades {} {}", trades.count, trades.shares)?;
    let Tally {
        applied,
        unseen,
        unknown,
        duplicate,
        excess,
    } = tally;
    writeln!(
        out,
        "tally {applied} {unseen} {unknown} {duplicate} {excess}"
    )
}
