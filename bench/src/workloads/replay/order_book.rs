//! A symbol's book as an actor: puts events back in order, applies them, and acknowledges.

use std::mem;

use quark::prelude::*;

use super::account::RETRY;
use super::gateway::GatewayRef;
use super::in_order::InOrder;
use super::ledger::{Entry, LedgerRef};
use crate::bbo::BboLog;
use crate::book::{Book, Tally};
use crate::feed::Event;

/// Most events that are under way at once: the gateway sends no more, and the book keeps room
/// for so many that came too early.
pub(super) const WINDOW: usize = 128;

/// What one lap through the feed made of the book.
#[derive(Clone, Debug, Default)]
pub(super) struct Lap {
    book: Book,
    pub(super) log: BboLog,
    pub(super) tally: Tally,
    /// Events that the risk check refused.
    pub(super) refused: u64,
    /// Events that have been through.
    pub(super) events: u32,
}

impl Lap {
    /// Takes the next event in order; `None` if it was refused.
    #[inline]
    pub(super) fn take(&mut self, event: Option<&Event>) {
        match event {
            Some(event) => {
                self.book.apply(event);
                self.log.observe(self.events, self.book.bbo());
            }
            None => self.refused += 1,
        }
        self.events += 1;
    }

    /// The lap without its orders, for comparison.
    pub(super) fn end(mut self) -> Self {
        self.tally = mem::take(&mut self.book).tally();
        self
    }

    /// Whether both say the same of the events that both have seen.
    pub(super) fn agrees_with(&self, other: &Lap) -> bool {
        let (short, long) = if self.events <= other.events {
            (self, other)
        } else {
            (other, self)
        };
        let changes = long.log.changes();
        let seen = changes.partition_point(|change| change.event < short.events);
        let whole = short.events == long.events;
        short.log.changes() == &changes[..seen]
            && (!whole || (short.tally, short.refused) == (long.tally, long.refused))
    }
}

/// What the book has to say at the end.
#[derive(Debug, Default)]
pub(super) struct Laps {
    /// The first lap, or as much of it as there was.
    pub(super) first: Lap,
    /// Laps after it, the last perhaps in part.
    pub(super) more: u64,
    /// How many of these came out otherwise than the first.
    pub(super) odd: u64,
    /// Events that came before one with a lower number.
    pub(super) came_early: u64,
}

/// A symbol's book.
pub(super) struct OrderBook {
    gateway: Option<GatewayRef>,
    /// Events in a lap.
    length: u32,
    laps: Laps,
    lap: Lap,
    /// Events, those refused among them, on their way into the book.
    events: InOrder<Option<Event>>,
    /// An acknowledgement is on its way to being sent.
    acknowledging: bool,
    /// Where events are kept before they are acknowledged, if that is asked for.
    keeping: Option<Keeping>,
}

/// Events that are to be durable before they are acknowledged.
struct Keeping {
    ledger: LedgerRef,
    /// The sequence of event number 0.
    first: u64,
    /// Accepted, and not in the ledger yet.
    entries: Vec<Entry>,
    /// Why nothing is acknowledged any more.
    fault: Option<String>,
}

impl OrderBook {
    /// A book for a feed of `length` events.
    pub(super) fn new(length: usize) -> Self {
        OrderBook {
            gateway: None,
            length: u32::try_from(length).expect("a feed holds 100 M events at most"),
            laps: Laps::default(),
            lap: Lap::default(),
            events: InOrder::new(WINDOW),
            acknowledging: false,
            keeping: None,
        }
    }

    /// Takes the event that is next, and all that have waited for it.
    #[inline]
    fn take(&mut self, event: Option<Event>) {
        let mut next = Some(event);
        while let Some(event) = next {
            if self.lap.events == self.length {
                self.turn_lap();
            }
            self.lap.take(event.as_ref());
            if let (Some(keeping), Some(event)) = (&mut self.keeping, event) {
                let sequence = keeping.first + self.events.next();
                // It has been counted.
                let lap = sequence + 1 - u64::from(self.lap.events);
                keeping.entries.push(Entry {
                    sequence,
                    lap,
                    event,
                });
            }
            next = self.events.advance();
        }
    }

    /// Each lap begins with an empty book.
    #[cold]
    fn turn_lap(&mut self) {
        let lap = mem::take(&mut self.lap).end();
        if self.laps.first.events == 0 {
            self.laps.first = lap;
        } else {
            self.laps.more += 1;
            self.laps.odd += u64::from(!lap.agrees_with(&self.laps.first));
        }
    }
}

#[actor(name = "bench.book")]
impl OrderBook {
    /// Answers, so that the caller's reference knows where the book lives.
    pub fn open(&self) {}

    /// Whom to acknowledge to.
    pub fn connect(&mut self, gateway: GatewayRef) {
        self.gateway = Some(gateway);
    }

    /// Has events kept by `ledger` before they are acknowledged; the first gets the sequence
    /// `first`.
    pub fn keep(&mut self, ledger: LedgerRef, first: u64) {
        self.keeping = Some(Keeping {
            ledger,
            first,
            entries: Vec::new(),
            fault: None,
        });
    }

    /// Event number `number`, or nothing if it was refused. Accounts pass events on at their own
    /// pace: those that come early wait here.
    ///
    /// # Panics
    /// If it is further ahead than the gateway may be.
    pub fn place(&mut self, cx: &Cx<Self>, number: u64, event: Option<Event>) {
        if number != self.events.next() {
            return self.events.keep(number, event);
        }
        self.take(event);
        if !self.acknowledging {
            self.acknowledging = true;
            // Queues behind the events that are here already, so that one acknowledgement is for
            // all of them: as many as came in one pass of the loop, or one when the load is low.
            if self.keeping.is_some() {
                if cx.me().settle().tell().is_err() {
                    cx.after(RETRY, |me| me.settle());
                }
            } else if cx.me().acknowledge().tell().is_err() {
                cx.after(RETRY, |me| me.acknowledge());
            }
        }
    }

    /// Has what was taken kept, and tells the gateway once it is durable. Events that come
    /// meanwhile wait, and share the next time.
    pub async fn settle(&mut self, cx: &Cx<Self>) {
        if let Some(keeping) = &mut self.keeping {
            let entries = mem::take(&mut keeping.entries);
            if !entries.is_empty()
                && let Err(error) = keeping.ledger.accept(entries).await
            {
                // Nobody knows what was kept: this is the end.
                keeping.fault = Some(error.to_string());
                return;
            }
        }
        self.acknowledge(cx);
    }

    /// Why nothing is acknowledged any more, if so.
    pub fn fault(&self) -> Option<String> {
        self.keeping.as_ref()?.fault.clone()
    }

    /// Tells the gateway how far the book is.
    pub fn acknowledge(&mut self, cx: &Cx<Self>) {
        self.acknowledging = false;
        let Some(gateway) = &self.gateway else {
            return;
        };
        if gateway.acknowledged(self.events.next()).tell().is_err() {
            self.acknowledging = true;
            cx.after(RETRY, |me| me.acknowledge());
        }
    }

    /// Hands over what the laps came to.
    pub fn close(&mut self) -> Laps {
        if self.lap.events > 0 {
            self.turn_lap();
        }
        self.laps.came_early = self.events.came_early();
        mem::take(&mut self.laps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::synthetic;

    fn lap(events: &[Event]) -> Lap {
        let mut lap = Lap::default();
        events.iter().for_each(|event| lap.take(Some(event)));
        lap.end()
    }

    #[test]
    fn laps_agree_as_far_as_both_go() {
        let feed = synthetic::feed(5_000, 1);
        let whole = lap(&feed.events);
        for cut in [0, 1, 1_234, 5_000] {
            let part = lap(&feed.events[..cut]);
            assert!(part.agrees_with(&whole) && whole.agrees_with(&part));
        }
        let other = lap(&synthetic::feed(5_000, 2).events);
        assert!(!other.agrees_with(&whole));
        let mut swapped = feed.events.clone();
        swapped.swap(2_000, 2_001);
        let mut skipped = Lap::default();
        for (index, event) in feed.events.iter().enumerate() {
            skipped.take((index != 4_000).then_some(event));
        }
        assert!(!skipped.end().agrees_with(&whole));
    }
}
