//! How busy shards are.

use std::time::Duration;

use quanta::Instant;

use crate::cpu_time::{self, Thread};

/// Measures the CPU time of this process's shards.
#[derive(Debug)]
pub struct Busy {
    begun: Instant,
    before: Vec<(Thread, Duration)>,
}

impl Busy {
    /// Begins to measure.
    #[must_use]
    pub fn begin() -> Self {
        Busy {
            begun: Instant::now(),
            before: used(),
        }
    }

    /// CPU time since then of each shard that still runs, in percent of a core.
    #[must_use]
    pub fn shards(&self) -> String {
        busy(&self.before, &used(), self.begun.elapsed())
    }
}

/// Whether a thread is a shard's, by its name.
pub(crate) fn is_shard(name: &str) -> bool {
    name.strip_prefix("quark-")
        .is_some_and(|number| number.parse::<u16>().is_ok())
}

fn used() -> Vec<(Thread, Duration)> {
    let shards = cpu_time::threads(is_shard).into_iter();
    let used = shards.map(|shard| (shard.used(), shard));
    used.filter_map(|(used, shard)| Some((shard, used?)))
        .collect()
}

fn busy<T: PartialEq>(
    before: &[(T, Duration)],
    after: &[(T, Duration)],
    elapsed: Duration,
) -> String {
    let shares = after.iter().map(|(shard, used)| {
        let before = before.iter().find(|(known, _)| known == shard);
        let used = used.saturating_sub(before.map_or(Duration::ZERO, |(_, used)| *used));
        format!("{:.0} %", cpu_time::percent(used, elapsed).min(100.0))
    });
    shares.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_shard_is_told_from_an_idle_one() {
        let at = |ms| ("quark-0", Duration::from_millis(ms));
        let second = Duration::from_secs(1);
        assert_eq!(busy(&[at(100)], &[at(600)], second), "50 %");
        assert_eq!(busy(&[], &[at(2_000)], second), "100 %");
        assert!(is_shard("quark-12"));
        assert!(!is_shard("quark-bench") && !is_shard("main"));
    }
}
