//! The watch over memory. It stands beside the shards, so it may read files, the clock, and sleep.

#![allow(clippy::disallowed_methods)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use std::{fs, io};

use crate::engine::Engine;
use crate::errand::run_on;

/// How far apart the looks are: what is shed has left by the next.
const PAUSE: Duration = Duration::from_millis(100);
/// This part is shed at once at least and at most, in 1,024ths.
const LEAST: u128 = 16;
const MOST: u128 = 256;

/// A thread that reads the process' resident memory until dropped, and has shards shed actors
/// while it is beyond a limit.
pub(crate) struct MemoryWatcher {
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl MemoryWatcher {
    pub(crate) fn start(engine: Engine, limit: u64) -> io::Result<Self> {
        let ended = Arc::new(AtomicBool::new(false));
        let thread = thread::Builder::new().name("quark-memory".into()).spawn({
            let ended = ended.clone();
            move || watch(&engine, limit, &ended)
        })?;
        Ok(MemoryWatcher {
            ended,
            thread: Some(thread),
        })
    }
}

impl Drop for MemoryWatcher {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            if thread.join().is_err() {
                tracing::error!("the watch over memory had ended by a panic");
            }
        }
    }
}

fn watch(engine: &Engine, limit: u64, ended: &AtomicBool) {
    while !ended.load(Ordering::Acquire) {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        if let Some(share) = share(resident(&status), limit) {
            tracing::debug!(share, limit, "memory is short: the oldest actors leave");
            for shard in 0..engine.shards() {
                run_on(engine, shard, move |shard, runtime| {
                    runtime.density.press(shard, share);
                });
            }
        }
        thread::park_timeout(PAUSE);
    }
}

/// What part of the actors should leave, in 1,024ths: as much as `resident` is beyond `limit`,
/// but not all at once, since memory follows slowly.
pub(crate) fn share(resident: u64, limit: u64) -> Option<u32> {
    let beyond = resident.checked_sub(limit).filter(|beyond| *beyond > 0)?;
    let part = u128::from(beyond) * 1024 / u128::from(resident);
    Some(part.clamp(LEAST, MOST) as u32)
}

/// Bytes of memory resident, by `/proc/self/status`; 0 where it doesn't say.
fn resident(status: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_beyond_the_limit_is_shed_by_parts() {
        assert_eq!(share(99, 100), None);
        assert_eq!(share(100, 100), None);
        assert_eq!(share(1001, 1000), Some(16), "not for one by one");
        assert_eq!(share(1100, 1000), Some(93));
        assert_eq!(share(u64::MAX, 1000), Some(256), "not all at once");
    }

    #[test]
    fn resident_memory_is_read() {
        let status = "VmHWM:\t  200 kB\nVmRSS:\t   100 kB\nRssAnon:\t 50 kB\n";
        assert_eq!(resident(status), 102_400);
        assert_eq!(resident(""), 0);
        assert_eq!(resident("VmRSS: many"), 0);
    }
}
