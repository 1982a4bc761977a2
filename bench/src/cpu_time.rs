//! The CPU time this process has used, to the nanosecond.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// CPU time of all threads so far, user and system, those that have ended included.
#[must_use]
pub fn process() -> Duration {
    since_zero(ClockId::ProcessCPUTime)
}

/// CPU time of the calling thread so far.
#[must_use]
pub fn thread() -> Duration {
    since_zero(ClockId::ThreadCPUTime)
}

/// A thread of this process.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Thread {
    name: String,
    id: i32,
}

impl Thread {
    /// CPU time so far, while it runs, too; `None` once it has ended.
    #[must_use]
    pub fn used(&self) -> Option<Duration> {
        // What Linux calls the clock of a thread: its number, inverted, and what is counted.
        const OF_A_THREAD_AS_SCHEDULED: i32 = 0b110;
        let clock = nix::time::ClockId::from_raw(!self.id << 3 | OF_A_THREAD_AS_SCHEDULED);
        clock.now().ok().map(Duration::from)
    }
}

/// The threads of this process whose name is `wanted`, by name. Empty where the system does not say.
#[must_use]
pub fn threads(wanted: impl Fn(&str) -> bool) -> Vec<Thread> {
    let tasks = tasks("/proc/self/task");
    let threads = tasks.filter_map(|task| {
        let id = task.file_name()?.to_str()?.parse().ok()?;
        let name = fs::read_to_string(task.join("comm")).ok()?;
        let name = name.trim_end();
        wanted(name).then(|| Thread {
            name: name.to_owned(),
            id,
        })
    });
    let mut threads: Vec<Thread> = threads.collect();
    threads.sort();
    threads
}

/// CPU time so far of all threads of the process `id` that have not ended; for one that runs, as of
/// the last tick (some milliseconds ago). Zero where the system does not say.
#[must_use]
pub fn of_process(id: u32) -> Duration {
    let used = tasks(&format!("/proc/{id}/task")).filter_map(|task| {
        let used = fs::read_to_string(task.join("schedstat")).ok()?;
        used.split(' ')
            .next()?
            .parse()
            .ok()
            .map(Duration::from_nanos)
    });
    used.sum()
}

fn tasks(folder: &str) -> impl Iterator<Item = PathBuf> + use<> {
    let tasks = fs::read_dir(folder).into_iter().flatten().flatten();
    tasks.map(|task| task.path())
}

/// CPU used over a span, in percent of one core.
#[must_use]
pub fn percent(used: Duration, over: Duration) -> f64 {
    if over.is_zero() {
        0.0
    } else {
        100.0 * used.as_secs_f64() / over.as_secs_f64()
    }
}

fn since_zero(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    // CPU clocks begin at zero and only grow.
    Duration::new(
        time.tv_sec.unsigned_abs(),
        u32::try_from(time.tv_nsec).unwrap_or(0),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_counted_and_sleep_is_not() {
        let begun = thread();
        std::thread::sleep(Duration::from_millis(30));
        assert!(thread() - begun < Duration::from_millis(20));
        let begun = (thread(), process());
        while thread() - begun.0 < Duration::from_millis(5) {
            std::hint::black_box(0);
        }
        // Read after the thread's, so it may have begun a little later.
        assert!(process() - begun.1 >= Duration::from_millis(4));
    }

    #[test]
    fn percent_is_of_one_core() {
        assert!((percent(Duration::from_millis(20), Duration::from_secs(2)) - 1.0).abs() < 1e-9);
        assert_eq!(percent(Duration::from_secs(1), Duration::ZERO), 0.0);
    }

    #[test]
    fn threads_are_told_apart_by_name() {
        let worker = std::thread::Builder::new().name("cpu-time-test".to_owned());
        let worker = worker.spawn(|| {
            let found = threads(|name| name == "cpu-time-test");
            assert_eq!(found.len(), 1);
            let (before, used, after) = (thread(), found[0].used(), thread());
            assert!(Some(before) <= used && used <= Some(after));
            found
        });
        let found = worker.unwrap().join().unwrap();
        // It may still be on its way out.
        while found[0].used().is_some() {
            std::thread::yield_now();
        }
        assert!(threads(|name| name == "no such thread").is_empty());
        assert!(of_process(std::process::id()) > Duration::ZERO);
        assert_eq!(of_process(u32::MAX), Duration::ZERO);
    }
}
