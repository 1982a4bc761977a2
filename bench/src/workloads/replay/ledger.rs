//! What the book has accepted, in a journal: an event is in it before it is acknowledged.

use std::io::Write;
use std::path::Path;

use quark::prelude::*;
use quark::{Evolve, Journal, StateError};
use serde::{Deserialize, Serialize};

use super::WORKLOAD;
use crate::cli::Options;
use crate::error::Error;
use crate::feed::Event;
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
    pub(super) event: Event,
}

/// How far the journal goes.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Accepted {
    /// No entry has this sequence or a later one.
    next: u64,
}

impl Evolve for Accepted {
    type Event = Entry;

    fn evolve(&mut self, entry: &Entry) {
        self.next = entry.sequence + 1;
    }
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

    /// Entries from number `from` on, counted from 1, `most` at most.
    pub async fn read(&self, from: u64, most: usize) -> Result<Vec<Entry>, StateError> {
        let read = self.accepted.read(from, most).await?;
        Ok(read.into_iter().map(|(_, entry)| entry).collect())
    }
}

/// `quark-bench replay --book`: recovers the log in `folder`, and writes a line for each event that
/// it has accepted, `sequence order-id`, in their order.
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
        for Entry { sequence, event } in page {
            writeln!(out, "{sequence} {}", event.order)?;
        }
    }
    engine.shutdown();
    Ok(out.flush()?)
}
