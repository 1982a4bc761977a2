//! A parked shard misses no wake: calls with gaps around the time it takes to park.
//!
//! A few thousand by default; `QUARK_FULL=1` makes it a million each way.
#![allow(missing_docs)]

use std::hint;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use quark::prelude::*;
use quark_tests::{key_on, small};

/// No call takes that long, unless its wake was lost.
const LOST: Duration = Duration::from_secs(20);

fn calls() -> u64 {
    match std::env::var_os("QUARK_FULL") {
        Some(_) => 1_000_000,
        None => 5_000,
    }
}

#[derive(Default)]
pub struct Echo;

#[actor]
impl Echo {
    pub fn echo(&self, number: u64) -> u64 {
        number
    }

    /// Asks the other shard after each gap; counts as it goes.
    pub async fn ask_with_gaps(
        &self,
        cx: &Cx<Self>,
        to: u64,
        gaps: Gaps,
        progress: Arc<AtomicU64>,
    ) -> u64 {
        let to = cx.actor::<Echo>(to);
        for (number, gap) in (0..).zip(gaps) {
            wait(gap);
            assert_eq!(to.echo(number).await, Ok(number));
            progress.fetch_add(1, Ordering::Relaxed);
        }
        progress.load(Ordering::Relaxed)
    }
}

/// Gaps uniform in twice the time it takes to park, as many as there are calls.
#[derive(Clone)]
pub struct Gaps {
    left: u64,
    upto: u64,
    state: u64,
}

impl Iterator for Gaps {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        self.left = self.left.checked_sub(1)?;
        // SplitMix64.
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.state;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        Some(Duration::from_nanos((word ^ (word >> 31)) % self.upto))
    }
}

/// Spins: a sleep would be longer than any gap here.
fn wait(gap: Duration) {
    let begin = Instant::now();
    while begin.elapsed() < gap {
        hint::spin_loop();
    }
}

/// How long after its answer a shard is asleep, as calls to it tell: one that finds it awake is
/// answered sooner than one that must wake it. At least 20 µs, for machines where they can't say.
fn time_to_park(engine: &Engine) -> Duration {
    let echo = engine.actor::<Echo>(1);
    let asked = |gap: Duration| {
        let mut took: Vec<_> = (0..100)
            .map(|number| {
                wait(gap);
                let begin = Instant::now();
                assert_eq!(echo.echo(number).wait(), Ok(number));
                begin.elapsed()
            })
            .collect();
        took.sort_unstable();
        took[50]
    };
    let asleep = asked(Duration::from_millis(2));
    let mut gap = Duration::from_micros(1);
    while asked(gap) * 10 < asleep * 8 && gap < Duration::from_millis(1) {
        gap *= 2;
    }
    gap.max(Duration::from_micros(20))
}

/// Runs `body`, which counts its progress, and fails if that ever stands still.
fn without_loss(body: impl FnOnce(Arc<AtomicU64>) + Send + 'static) {
    let progress = Arc::new(AtomicU64::new(0));
    let (done, is_done) = mpsc::channel();
    let theirs = progress.clone();
    let running = thread::spawn(move || {
        body(theirs);
        // Nobody listens once a loss was found.
        let _ = done.send(());
    });
    loop {
        let before = progress.load(Ordering::Relaxed);
        match is_done.recv_timeout(LOST) {
            Err(RecvTimeoutError::Timeout) => {
                let now = progress.load(Ordering::Relaxed);
                assert_ne!(now, before, "a wake was lost after {now} calls");
            }
            _ => break,
        }
    }
    if let Err(panic) = running.join() {
        std::panic::resume_unwind(panic);
    }
}

fn gaps(engine: &Engine, seed: u64) -> Gaps {
    let upto = 2 * time_to_park(engine).as_nanos() as u64;
    Gaps {
        left: calls(),
        upto,
        state: seed,
    }
}

#[test]
fn no_wake_is_lost_from_a_plain_thread() {
    for by_port in [true, false] {
        without_loss(move |progress| {
            let engine = small().launch().unwrap();
            let port = by_port.then(|| engine.port().unwrap());
            let echo = [0, 1].map(|shard| {
                engine.actor::<Echo>(key_on(shard, |key| engine.home_of::<Echo>(key)))
            });
            for (number, gap) in (0..).zip(gaps(&engine, 1)) {
                wait(gap);
                let echo = &echo[number as usize % 2];
                // The timeout is never the way out: it would hide a lost wake.
                assert_eq!(echo.echo(number).timeout(Duration::MAX).wait(), Ok(number));
                progress.fetch_add(1, Ordering::Relaxed);
            }
            drop(port);
        });
    }
}

#[test]
fn no_wake_is_lost_between_shards() {
    without_loss(|progress| {
        let engine = small().timeout(Duration::MAX).launch().unwrap();
        let [from, to] = [0, 1].map(|shard| key_on(shard, |key| engine.home_of::<Echo>(key)));
        let gaps = gaps(&engine, 2);
        let count = gaps.left;
        let caller = engine.actor::<Echo>(from);
        assert_eq!(caller.ask_with_gaps(to, gaps, progress).wait(), Ok(count));
    });
}
