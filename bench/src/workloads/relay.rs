//! What `ring` and `ping-pong` share: actors that pass one message on and on.

use std::sync::mpsc::{self, Sender};

use quark::prelude::*;

use super::Workload;
use crate::error::Error;
use crate::launch::{Session, keys_on};
use crate::pace::{Goal, Laps, Measured, Pace};

/// One of those who pass the message on.
#[derive(Debug, Default)]
pub(crate) struct Runner {
    next: Option<RunnerRef>,
    race: Option<Race>,
}

/// What the one that counts laps knows.
#[derive(Debug)]
struct Race {
    laps: Laps,
    hops: u64,
    end: Sender<Measured>,
}

#[actor(name = "bench.runner")]
impl Runner {
    /// Learns who comes next.
    pub fn join(&mut self, next: RunnerRef) {
        self.next = Some(next);
    }

    /// Begins a race of laps of `hops` hops each, which end at this very runner.
    pub fn start(&mut self, pace: Pace, hops: u64, end: Sender<Measured>) {
        let laps = pace.start();
        self.race = Some(Race { laps, hops, end });
        self.lap();
    }

    /// Passes the message on, `left` times more.
    pub fn pass(&mut self, left: u64) {
        if left == 0 {
            self.lap();
        } else {
            self.on(left - 1);
        }
    }

    fn lap(&mut self) {
        let Some(Race { laps, hops, .. }) = &mut self.race else {
            return;
        };
        match laps.next(*hops) {
            // One hop is this runner's own.
            Some(hops) => self.on(hops - 1),
            None => {
                if let Some(Race { laps, end, .. }) = self.race.take() {
                    // Whoever waits for it may have given up.
                    let _ = end.send(laps.end());
                }
            }
        }
    }

    #[inline]
    fn on(&mut self, left: u64) {
        let told = self.next.as_ref().map(|next| next.pass(left).tell());
        if !matches!(told, Some(Ok(()))) {
            self.dropped();
        }
    }

    /// The message is lost: whoever waits hears of it by the end of the channel.
    #[cold]
    fn dropped(&mut self) {
        self.race = None;
    }
}

/// Has `runners` runners, the `n`th on shard `shard_of(n)`, pass a message on in laps of `hops`
/// hops, a multiple of their number.
pub(super) fn race(
    session: &Session<'_>,
    workload: &Workload,
    runners: usize,
    shard_of: impl Fn(usize) -> u16,
    hops: u64,
    usual: Goal,
) -> Result<Measured, Error> {
    let engine = &session.engine;
    let shards = engine.shards();
    let mut keys: Vec<_> = (0..shards)
        .map(|shard| keys_on(shard, runners, |key| engine.home_of::<Runner>(key)).into_iter())
        .collect();
    let runners: Vec<RunnerRef> = (0..runners)
        .filter_map(|n| keys[usize::from(shard_of(n))].next())
        .map(|key| engine.actor::<Runner>(key))
        .collect();
    for (n, runner) in runners.iter().enumerate() {
        let next = runners[(n + 1) % runners.len()].clone();
        session.answered(runner.join(next).wait())?;
    }
    // A lap that ends elsewhere would find nobody who counts.
    let pace = session.pace(usual).in_multiples_of(runners.len() as u64);
    let (end, ends) = mpsc::channel();
    pace.watched(workload.name, || {
        let started = runners[0].start(pace.clone(), hops, end);
        session.answered(started.wait())?;
        session.gathered(&ends, 1)
    })
}
