//! The engine with all that a replay needs in it, and the run itself.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::thread;
use std::time::Duration;

use quark::{CallError, Credits, Engine, LaunchReport, Store};

use super::WORKLOAD;
use super::account::{Account, passes};
use super::acks::Acks;
use super::gateway::{End, Gateway, GatewayRef, Measured, Plan, Status};
use super::ledger::{KEY, Ledger};
use super::order_book::{Lap, Laps, OrderBook, OrderBookRef, WINDOW};
use super::windows::warm_up;
use crate::busy::Busy;
use crate::clock::Clock;
use crate::error::Error;
use crate::feed::{Event, Feed};
use crate::launch;
use crate::memory;
use crate::progress::Progress;
use crate::report::{Ground, Report};
use crate::workloads::Setup;

/// How long whole laps go on when nothing else is asked for.
pub(super) const USUAL_TIME: Duration = Duration::from_secs(2);
/// Between two looks at how far the run is.
const LOOK: Duration = Duration::from_millis(50);
/// With events under way and none acknowledged for so many looks (10 s), the run has failed.
const PATIENCE: u32 = 200;
/// Ring slots that an event takes on its way between two shards.
const EVENT_SLOTS: u32 = 2;

/// An engine with gateway, accounts and book in it.
pub(super) struct Exchange {
    engine: Engine,
    plan: Arc<Plan>,
    gateway: GatewayRef,
    book: OrderBookRef,
    /// The sequence of the first event, if they are kept.
    first_sequence: Option<u64>,
}

/// What makes a replay durable.
pub(super) struct Durable {
    /// Where the ledger is.
    pub(super) store: Store,
    /// Who is told of each event that was acknowledged.
    pub(super) acks: Option<Sender<Acks>>,
}

/// What a run came to.
pub(super) struct Outcome {
    pub(super) report: Report,
    /// What the first lap made of the book: checked, and the same in all laps.
    pub(super) lap: Lap,
}

impl Exchange {
    /// Launches the engine and activates all actors.
    pub(super) fn open(
        feed: &Arc<Feed>,
        window: Option<Duration>,
        setup: &Setup,
        durable: Option<Durable>,
    ) -> Result<Self, Error> {
        let options = &setup.options;
        let plan = Arc::new(Plan {
            feed: feed.clone(),
            end: match (options.count, options.seconds) {
                (Some(count), _) => End::Count(count),
                (None, Some(time)) => End::Time(time),
                (None, None) => End::Laps(USUAL_TIME),
            },
            rate: options.rate,
            window,
            clock: Clock::new(),
            interrupt: setup.interrupt.clone(),
        });
        let mut topology = launch::topology(options)?;
        if let Some(shards) = options.shards {
            topology = topology.shards(shards);
        }
        let symbol = symbol(&feed.name);
        let length = feed.events.len();
        let mut builder = launch::builder(topology, options.idle, options);
        if let Some(durable) = &durable {
            builder = builder.store(durable.store.clone());
        }
        let engine = builder
            // Room for all that may be under way: to the accounts, and from there to the book.
            .credits(Credits {
                tell_slots: 2 * EVENT_SLOTS * WINDOW as u32,
                ..Credits::default()
            })
            .register::<Gateway>({
                let plan = plan.clone();
                move |_| Gateway::new(plan.clone())
            })
            .register::<Account>(move |cx| Account::new(cx.actor::<OrderBook>(symbol)))
            .register::<OrderBook>(move |_| OrderBook::new(length))
            .launch()
            .map_err(launch::launch_error)?;
        // Away from the book where there is a choice, as sockets are from whatever they feed.
        let home = engine.home_of::<OrderBook>(symbol);
        let away = |gateway: &u64| engine.home_of::<Gateway>(*gateway) != home;
        let gateway = (0..64).find(away).unwrap_or(0);
        let mut exchange = Exchange {
            first_sequence: None,
            gateway: engine.actor::<Gateway>(gateway),
            book: engine.actor::<OrderBook>(symbol),
            engine,
            plan,
        };
        exchange.answered(exchange.book.connect(exchange.gateway.clone()).wait())?;
        exchange.answered(exchange.gateway.open().wait())?;
        if let Some(durable) = durable {
            exchange.first_sequence = Some(exchange.keep(durable)?);
        }
        Ok(exchange)
    }

    /// Has all that is accepted kept; gives the sequence of the first event.
    fn keep(&self, durable: Durable) -> Result<u64, Error> {
        let ledger = self.engine.actor::<Ledger>(KEY);
        let first = self.answered(ledger.next().wait())?;
        self.answered(self.book.keep(ledger, first).wait())?;
        if let Some(acks) = durable.acks {
            self.answered(self.gateway.tell_acks(first, acks).wait())?;
        }
        Ok(first)
    }

    /// What the engine says of its launch.
    pub(super) fn launch_report(&self) -> LaunchReport {
        self.engine.report()
    }

    /// Replays, and checks what came of it against the same events applied one by one.
    pub(super) fn run(self) -> Result<Outcome, Error> {
        let busy = Busy::begin();
        self.answered(
            self.gateway
                .run()
                .send()
                .wait()
                .map_err(|error| error.reason),
        )?;
        let memory = self.watch()?;
        let busy = busy.shards();
        let measured = self.answered(self.gateway.close().wait())?;
        let laps = self.answered(self.book.close().wait())?;
        let report = self.report(&measured, &laps, &memory);
        let report = report.figure("shards_busy", busy);
        self.check(&measured, &laps)?;
        let interrupted = self.plan.interrupt.is_set();
        self.engine.shutdown();
        Ok(Outcome {
            report: if interrupted {
                report.figure("interrupted", true)
            } else {
                report
            },
            lap: laps.first,
        })
    }

    /// Waits for the end, and says how far it is. Gives the most bytes held in each window:
    /// a lap's book comes and goes within it.
    fn watch(&self) -> Result<Vec<u64>, Error> {
        let goal = match self.plan.end {
            End::Count(count) => count,
            End::Time(time) | End::Laps(time) => time.as_millis() as u64,
        };
        let progress = Progress::begin(WORKLOAD.name, goal);
        let begun = self.plan.clock.now();
        let (mut last, mut still) = (0, 0);
        let mut held = Vec::new();
        loop {
            let status = self.answered(self.gateway.status().wait())?;
            let elapsed = Duration::from_nanos(self.plan.clock.now() - begun);
            if let Some(window) = self.plan.window {
                if elapsed >= warm_up(window) + window * held.len() as u32 {
                    held.push(0);
                }
                if let Some(most) = held.last_mut() {
                    *most = memory::resident().max(*most);
                }
            }
            if status.done {
                return Ok(held);
            }
            progress.reach(match self.plan.end {
                End::Count(_) => status.acknowledged,
                End::Time(_) | End::Laps(_) => elapsed.as_millis() as u64,
            });
            let Status {
                sent, acknowledged, ..
            } = status;
            let waits = acknowledged == last && (sent > acknowledged || !status.begun);
            still = if waits { still + 1 } else { 0 };
            if still > 0
                && self.first_sequence.is_some()
                && let Some(fault) = self.answered(self.book.fault().wait())?
            {
                return Err(self.failed(format!("events can't be kept: {fault}")));
            }
            if still > PATIENCE {
                return Err(self.failed(format!(
                    "no acknowledgement for 10 s, with {acknowledged} of {sent} events acknowledged"
                )));
            }
            last = acknowledged;
            thread::sleep(LOOK);
        }
    }

    fn report(&self, measured: &Measured, laps: &Laps, held: &[u64]) -> Report {
        let ground = Ground::of(&self.engine);
        let report = Report::new(&WORKLOAD, ground, measured.events, measured.elapsed)
            .latency(&measured.latency)
            .figure("laps", laps.more + u64::from(laps.first.events > 0))
            .figure("refused", laps.first.refused)
            .figure("came_early", laps.came_early);
        let report = match self.first_sequence {
            None => report,
            Some(first) => report
                .figure("durable", true)
                .figure("first_sequence", first),
        };
        let p999 = &measured.windows_p999_ns;
        if p999.is_empty() {
            return report;
        }
        report.figure("windows_p999_ns", listed(p999)).figure(
            "windows_most_resident_bytes",
            listed(&held[..p999.len().min(held.len())]),
        )
    }

    /// Refuses a run whose book is not what the feed says.
    fn check(&self, measured: &Measured, laps: &Laps) -> Result<(), Error> {
        let events = &self.plan.feed.events[..];
        let length = events.len() as u64;
        let first = measured.events.min(length);
        let replayed = replay(&events[..first as usize]);
        if laps.first.events != replayed.events || !laps.first.agrees_with(&replayed) {
            return Err(self.failed(format!(
                "the book is not what the feed's first {first} events make of it"
            )));
        }
        let more = measured.events.div_ceil(length).saturating_sub(1);
        if (laps.more, laps.odd) != (more, 0) {
            return Err(self.failed(format!(
                "of {more} laps after the first, {} came out, {} of them not like the first",
                laps.more, laps.odd
            )));
        }
        let letters = self.engine.dead_letters();
        match letters.total {
            0 => Ok(()),
            lost => Err(self.failed(format!(
                "{lost} messages were not delivered{}",
                letters
                    .kept
                    .last()
                    .map(|letter| format!(", the last because: {}", letter.reason))
                    .unwrap_or_default()
            ))),
        }
    }

    fn answered<T>(&self, answer: Result<T, CallError>) -> Result<T, Error> {
        answer.map_err(|error| self.failed(error.to_string()))
    }

    fn failed(&self, reason: String) -> Error {
        Error::Workload {
            workload: WORKLOAD.name,
            reason,
        }
    }
}

/// Numbers in a row, as people read them and scripts split them.
fn listed(numbers: &[u64]) -> String {
    let numbers = numbers.iter().map(u64::to_string);
    numbers.collect::<Vec<_>>().join(" ")
}

/// What events make of a book when they are applied one after the other, past the same risk
/// check.
pub(super) fn replay(events: &[Event]) -> Lap {
    let mut lap = Lap::default();
    for event in events {
        lap.take(passes(event).then_some(event));
    }
    lap.end()
}

/// The key of the feed's symbol. Files are named after it, `AAPL_2012-06-21_…`; eight letters
/// fit a number, as in the exchange's own messages, and numbers are the faster keys.
fn symbol(feed: &str) -> u64 {
    let name = Path::new(feed).file_name().unwrap_or_default();
    let name = name.to_string_lossy();
    let letters = name.bytes().take_while(u8::is_ascii_alphanumeric).take(8);
    letters.fold(0, |key, letter| key << 8 | u64::from(letter))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feed_is_named_after_its_symbol() {
        let aapl = u64::from_be_bytes(*b"\0\0\0\0AAPL");
        assert_eq!(symbol("some/where/AAPL_2012-06-21_message_50.csv"), aapl);
        assert_eq!(symbol("AAPL"), aapl);
        assert_eq!(symbol("/"), 0);
        assert_eq!(symbol("synthetic:99"), u64::from_be_bytes(*b"syntheti"));
    }
}
