//! The caller of most workloads.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use elfo::prelude::*;
use elfo::routers::{MapRouter, Outcome};
use elfo::{Addr, Local, MoveOwnership};
use futures_util::stream::{FuturesUnordered, StreamExt};
use peers_common::{Laps, Measured, Stamps};

use crate::actors::{Add, Leave, Locate, Meet, Note};

/// Asks before a loop is measured.
const WARM_UP: u64 = 2_000;
const BATCH: u64 = 512;
/// Times that everything runs to let actors end.
const ENDINGS: usize = 1_000;
/// Messages between two looks at the clock: of many senders each.
const SENDERS_BATCH: u64 = 128;
/// Asks between two looks, where many loops run beside each other.
const SMALL_BATCH: u64 = 16;

/// Ask `target`, one at a time.
#[message(ret = Local<Measured>)]
pub struct Ask {
    pub target: Local<Addr>,
    pub lasts: Duration,
}

/// The same with the clock read before and after each.
#[message(ret = MoveOwnership<(Measured, Stamps)>)]
pub struct AskStamped {
    pub target: Local<Addr>,
    pub lasts: Duration,
}

/// Ask the `targets` in turn with so many outstanding: how many it were.
#[message(ret = u64)]
pub struct Walk {
    pub targets: Local<Arc<[Addr]>>,
    pub outstanding: usize,
    pub lasts: Duration,
}

/// Tell `target`, then wait until all has arrived: how many it were.
#[message(ret = u64)]
pub struct Pour {
    pub target: Local<Addr>,
    pub lasts: Duration,
}

/// Ask the first `keys` actors of `group` once each, by key, so many at a time.
#[message(ret = ())]
pub struct Greet {
    pub group: Local<Addr>,
    pub keys: u64,
    pub outstanding: usize,
}

/// End the first `keys` actors of `group`.
#[message(ret = ())]
pub struct Dismiss {
    pub group: Local<Addr>,
    pub keys: u64,
}

/// A group of callers, made by key.
pub fn callers() -> Blueprint {
    ActorGroup::new()
        .router(MapRouter::new(|envelope| {
            msg!(match envelope {
                Locate { key } => Outcome::Unicast(*key),
                _ => Outcome::Default,
            })
        }))
        .exec(call)
}

type Caller = Context<(), u64>;

async fn call(mut ctx: Caller) {
    while let Some(envelope) = ctx.recv().await {
        msg!(match envelope {
            (Ask { target, lasts }, token) => {
                let measured = ask(&ctx, *target, lasts).await;
                ctx.respond(token, measured.into());
            }
            (AskStamped { target, lasts }, token) => {
                let measured = ask_stamped(&ctx, *target, lasts).await;
                ctx.respond(token, measured.into());
            }
            (
                Walk {
                    targets,
                    outstanding,
                    lasts,
                },
                token,
            ) => {
                let asked = walk(&ctx, &targets, outstanding, lasts).await;
                ctx.respond(token, asked);
            }
            (Pour { target, lasts }, token) => {
                let sent = pour(&ctx, *target, lasts).await;
                ctx.respond(token, sent);
            }
            (
                Greet {
                    group,
                    keys,
                    outstanding,
                },
                token,
            ) => {
                greet(&ctx, *group, keys, outstanding).await;
                ctx.respond(token, ());
            }
            (Dismiss { group, keys }, token) => {
                dismiss(&ctx, *group, keys).await;
                ctx.respond(token, ());
            }
            (Locate, token) => ctx.respond(token, ctx.addr().into()),
        });
    }
}

async fn ask(ctx: &Caller, target: Addr, lasts: Duration) -> Measured {
    for _ in 0..WARM_UP {
        add(ctx, target).await;
    }
    let mut laps = Laps::start(lasts, BATCH);
    while laps.again() {
        for _ in 0..BATCH {
            add(ctx, target).await;
        }
    }
    laps.end()
}

async fn ask_stamped(ctx: &Caller, target: Addr, lasts: Duration) -> (Measured, Stamps) {
    for _ in 0..WARM_UP {
        add(ctx, target).await;
    }
    let mut stamps = Stamps::new();
    let mut laps = Laps::start(lasts, BATCH);
    while laps.again() {
        for _ in 0..BATCH {
            let begun = stamps.now();
            add(ctx, target).await;
            stamps.record(begun);
        }
    }
    (laps.end(), stamps)
}

async fn walk(ctx: &Caller, targets: &[Addr], outstanding: usize, lasts: Duration) -> u64 {
    let until = Instant::now() + lasts;
    let next = AtomicUsize::new(0);
    let walker = async || {
        let mut asked = 0;
        while Instant::now() < until {
            for _ in 0..SMALL_BATCH {
                let at = next.fetch_add(1, Ordering::Relaxed) % targets.len();
                add(ctx, targets[at]).await;
            }
            asked += SMALL_BATCH;
        }
        asked
    };
    let walkers: FuturesUnordered<_> = (0..outstanding).map(|_| walker()).collect();
    walkers.fold(0, async |sum, asked| sum + asked).await
}

async fn pour(ctx: &Caller, target: Addr, lasts: Duration) -> u64 {
    let until = Instant::now() + lasts;
    let mut sent = 0;
    while Instant::now() < until {
        for _ in 0..SENDERS_BATCH {
            let note = Note { more: black_box(1) };
            ctx.send_to(target, note).await.expect("the actor lives");
        }
        sent += SENDERS_BATCH;
    }
    // One sender's messages arrive in order, so this comes last.
    let last = ctx.request_to(target, Add { more: 0 }).resolve().await;
    last.expect("the actor answers");
    sent
}

async fn greet(ctx: &Caller, group: Addr, keys: u64, outstanding: usize) {
    let next = AtomicU64::new(0);
    let walker = async || {
        loop {
            let key = next.fetch_add(1, Ordering::Relaxed);
            if key >= keys {
                return;
            }
            let meet = Meet {
                key,
                more: black_box(1),
            };
            let sum = ctx.request_to(group, meet).resolve().await;
            assert_eq!(sum.expect("the actor answers"), 1, "the key is new");
        }
    };
    let walkers: FuturesUnordered<_> = (0..outstanding).map(|_| walker()).collect();
    walkers.collect::<()>().await;
}

async fn dismiss(ctx: &Caller, group: Addr, keys: u64) {
    for key in 0..keys {
        let told = ctx.send_to(group, Leave { key }).await;
        told.expect("the actor lives");
        if key % BATCH == 0 {
            tokio::task::yield_now().await;
        }
    }
    for _ in 0..ENDINGS {
        tokio::task::yield_now().await;
    }
}

#[inline]
async fn add(ctx: &Caller, target: Addr) {
    let add = Add { more: black_box(1) };
    let sum = ctx.request_to(target, add).resolve().await;
    black_box(sum.expect("the actor answers"));
}
