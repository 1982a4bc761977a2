//! The CPU time this process has used, to the nanosecond.

use std::fs;
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

/// CPU time so far of the threads of this process whose name is `wanted`, by name. Empty where the
/// system does not say.
#[must_use]
pub fn threads(wanted: impl Fn(&str) -> bool) -> Vec<(String, Duration)> {
    threads_in("/proc/self/task", wanted)
}

/// CPU time so far of all threads of the process `id` that have not ended. Zero where the system
/// does not say.
#[must_use]
pub fn of_process(id: u32) -> Duration {
    let threads = threads_in(&format!("/proc/{id}/task"), |_| true);
    threads.iter().map(|(_, used)| *used).sum()
}

fn threads_in(folder: &str, wanted: impl Fn(&str) -> bool) -> Vec<(String, Duration)> {
    let mut threads = Vec::new();
    for task in fs::read_dir(folder).into_iter().flatten().flatten() {
        let read = |file| fs::read_to_string(task.path().join(file)).unwrap_or_default();
        let name = read("comm").trim_end().to_owned();
        let used = read("schedstat")
            .split(' ')
            .next()
            .and_then(|ns| ns.parse().ok());
        if let Some(ns) = used.filter(|_| wanted(&name)) {
            threads.push((name, Duration::from_nanos(ns)));
        }
    }
    threads.sort();
    threads
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
        let found = worker
            .spawn(|| threads(|name| name == "cpu-time-test"))
            .unwrap()
            .join()
            .unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].0, "cpu-time-test");
        assert!(threads(|name| name == "no such thread").is_empty());
        assert!(of_process(std::process::id()) > Duration::ZERO);
        assert_eq!(of_process(u32::MAX), Duration::ZERO);
    }
}
