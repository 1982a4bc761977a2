//! The caller of most workloads.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures_util::stream::{FuturesUnordered, StreamExt};
use orlando_core::{Grain, GrainContext, GrainHandler, GrainRef, Message};
use peers_common::{Laps, Measured, Stamps};

use crate::grains::{Add, Counter, Note, one_way};

/// Asks before a loop is measured.
const WARM_UP: u64 = 2_000;
const BATCH: u64 = 512;
/// Messages between two looks at the clock: of many senders each.
const SENDERS_BATCH: u64 = 128;
/// Asks between two looks, where many loops run beside each other.
const SMALL_BATCH: u64 = 16;

/// Calls counters.
pub struct Caller;

/// Ask `target`, one at a time.
pub struct Ask {
    pub target: GrainRef<Counter>,
    pub lasts: Duration,
}

/// The same with the clock read before and after each.
pub struct AskStamped {
    pub target: GrainRef<Counter>,
    pub lasts: Duration,
}

/// Ask the `targets` in turn with so many outstanding: how many it were.
pub struct Walk {
    pub targets: Arc<[GrainRef<Counter>]>,
    pub outstanding: usize,
    pub lasts: Duration,
}

/// Tell `target`, then wait until all has arrived: how many it were.
pub struct Pour {
    pub target: GrainRef<Counter>,
    pub lasts: Duration,
}

/// Ask so many counters once each, by key, that nobody has called before.
pub struct Greet {
    pub keys: u64,
    pub outstanding: usize,
}

impl Grain for Caller {
    type State = ();

    /// More than any loop takes.
    fn ask_timeout() -> Duration {
        Duration::from_secs(60)
    }
}

impl Message for Ask {
    type Result = Measured;
}

impl Message for AskStamped {
    type Result = Stamps;
}

impl Message for Walk {
    type Result = u64;
}

impl Message for Pour {
    type Result = u64;
}

impl Message for Greet {
    type Result = ();
}

#[async_trait]
impl GrainHandler<Ask> for Caller {
    async fn handle(_: &mut (), ask: Ask, _: &GrainContext) -> Measured {
        for _ in 0..WARM_UP {
            add(&ask.target).await;
        }
        let mut laps = Laps::start(ask.lasts, BATCH);
        while laps.again() {
            for _ in 0..BATCH {
                add(&ask.target).await;
            }
        }
        laps.end()
    }
}

#[async_trait]
impl GrainHandler<AskStamped> for Caller {
    async fn handle(_: &mut (), ask: AskStamped, _: &GrainContext) -> Stamps {
        for _ in 0..WARM_UP {
            add(&ask.target).await;
        }
        let mut stamps = Stamps::new();
        let mut laps = Laps::start(ask.lasts, BATCH);
        while laps.again() {
            for _ in 0..BATCH {
                let begun = stamps.now();
                add(&ask.target).await;
                stamps.record(begun);
            }
        }
        stamps
    }
}

#[async_trait]
impl GrainHandler<Walk> for Caller {
    async fn handle(_: &mut (), walk: Walk, _: &GrainContext) -> u64 {
        let until = Instant::now() + walk.lasts;
        let next = AtomicUsize::new(0);
        let walker = async || {
            let mut asked = 0;
            while Instant::now() < until {
                for _ in 0..SMALL_BATCH {
                    let at = next.fetch_add(1, Ordering::Relaxed) % walk.targets.len();
                    add(&walk.targets[at]).await;
                }
                asked += SMALL_BATCH;
            }
            asked
        };
        let walkers: FuturesUnordered<_> = (0..walk.outstanding).map(|_| walker()).collect();
        walkers.fold(0, async |sum, asked| sum + asked).await
    }
}

#[async_trait]
impl GrainHandler<Pour> for Caller {
    async fn handle(_: &mut (), pour: Pour, _: &GrainContext) -> u64 {
        let mailbox = pour.target.sender();
        let until = Instant::now() + pour.lasts;
        let mut sent = 0;
        while Instant::now() < until {
            for _ in 0..SENDERS_BATCH {
                let note = one_way::<Counter, _>(Note(black_box(1)));
                mailbox.send(note).await.expect("the grain lives");
            }
            sent += SENDERS_BATCH;
        }
        // One sender's messages arrive in order, so this comes last.
        pour.target.ask(Add(0)).await.expect("the grain answers");
        sent
    }
}

#[async_trait]
impl GrainHandler<Greet> for Caller {
    async fn handle(_: &mut (), greet: Greet, context: &GrainContext) {
        let next = AtomicU64::new(0);
        let walker = async || {
            loop {
                let key = next.fetch_add(1, Ordering::Relaxed);
                if key >= greet.keys {
                    return;
                }
                let counter = context.get_ref::<Counter>(key.to_string());
                let sum = counter.ask(Add(black_box(1))).await;
                assert_eq!(sum.expect("the grain answers"), 1, "the key is new");
            }
        };
        let walkers: FuturesUnordered<_> = (0..greet.outstanding).map(|_| walker()).collect();
        walkers.collect::<()>().await;
    }
}

#[inline]
async fn add(target: &GrainRef<Counter>) {
    let sum = target.ask(Add(black_box(1))).await;
    black_box(sum.expect("the grain answers"));
}
