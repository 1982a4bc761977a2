//! The thread that watches. It stands beside the shards, so it may read the clock and sleep.

#![allow(clippy::disallowed_methods)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use std::{cmp, io};

use super::{Pulse, Stall, StallWatch};
use crate::time::Time;

/// Looks within one threshold, while a shard is awake: 10 ms apart for 25 ms.
const LOOKS_PER_FIVE_THRESHOLDS: u32 = 2;
/// How far apart the looks may get while all shards sleep.
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// A thread that watches shards for stalls, until dropped.
#[derive(Debug)]
pub struct StallWatcher {
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl StallWatcher {
    /// Watches the shards, numbered by their places. Each stall goes to `report` and to the log
    /// as a warning, when it is noticed and when it is over.
    ///
    /// # Errors
    /// If the system has no thread for it.
    pub fn start(
        threshold: Duration,
        pulses: Vec<Arc<Pulse>>,
        report: impl Fn(&Stall) + Send + 'static,
    ) -> io::Result<Self> {
        let ended = Arc::new(AtomicBool::new(false));
        let thread = thread::Builder::new().name("quark-stalls".into()).spawn({
            let ended = Arc::clone(&ended);
            move || watch(threshold, pulses, &ended, report)
        })?;
        Ok(StallWatcher {
            ended,
            thread: Some(thread),
        })
    }
}

impl Drop for StallWatcher {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            if thread.join().is_err() {
                tracing::error!("the watch over stalls had ended by a panic in its report");
            }
        }
    }
}

fn watch(
    threshold: Duration,
    pulses: Vec<Arc<Pulse>>,
    ended: &AtomicBool,
    report: impl Fn(&Stall),
) {
    let begin = Instant::now();
    let shortest = threshold * LOOKS_PER_FIVE_THRESHOLDS / 5;
    let mut watch = StallWatch::new(threshold, pulses, Time::ZERO);
    let mut pause = shortest;
    while !ended.load(Ordering::Acquire) {
        let any_awake = watch.sample(Time::ZERO + begin.elapsed(), |stall| {
            warn(&stall);
            report(&stall);
        });
        // Nobody to watch: look ever less often, so that an idle engine costs nothing.
        pause = if any_awake {
            shortest
        } else {
            cmp::min(pause * 2, LONGEST_PAUSE.max(shortest))
        };
        thread::park_timeout(pause);
    }
}

fn warn(stall: &Stall) {
    let shard = stall.shard;
    let turn = stall.label.map_or("no turn".into(), ToString::to_string);
    let lasted = stall.lasted;
    if stall.over {
        tracing::warn!(shard, turn, ?lasted, "shard runs again after a stall");
    } else {
        tracing::warn!(
            shard,
            turn,
            ?lasted,
            "shard stalls: a turn must not compute long or block"
        );
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn notices_a_stall_and_its_end_and_stops_when_dropped() {
        let pulse = Arc::new(Pulse::new());
        let (tell, told) = mpsc::channel();
        let watcher = StallWatcher::start(
            Duration::from_millis(5),
            vec![Arc::clone(&pulse)],
            move |stall| tell.send(*stall).unwrap(),
        )
        .unwrap();
        pulse.pass();
        let stall = told.recv_timeout(Duration::from_secs(20)).unwrap();
        assert!(!stall.over && stall.lasted >= Duration::from_millis(5));
        pulse.pass();
        let end = told.recv_timeout(Duration::from_secs(20)).unwrap();
        assert!(end.over && end.lasted >= stall.lasted);
        drop(watcher);
        while let Ok(stall) = told.recv() {
            assert_eq!(stall.shard, 0);
        }
    }
}
