//! A token bucket, on its shard's clock.

use std::time::Duration;

use quark_shards::time::Time;

use crate::options::RateLimit;

/// Tokens come at a steady rate; each message takes one.
pub(super) struct Bucket {
    per_second: u64,
    /// In parts of a token, as is the level.
    burst: u64,
    level: u64,
    at: Time,
}

/// Parts of a token: as many as a second has nanoseconds, so that what flows in is exact.
const TOKEN: u64 = 1_000_000_000;

impl Bucket {
    /// A full one. Less than one token a second, or in all, would never let anything through.
    pub(super) fn new(limit: RateLimit) -> Self {
        let burst = u64::from(limit.burst.max(1)) * TOKEN;
        Bucket {
            per_second: u64::from(limit.per_second.max(1)),
            burst,
            level: burst,
            at: Time::ZERO,
        }
    }

    /// Takes a token, or says when there is one.
    pub(super) fn take(&mut self, now: Time) -> Result<(), Duration> {
        let passed = now.as_nanos().saturating_sub(self.at.as_nanos());
        self.at = self.at.max(now);
        let flown = passed.saturating_mul(self.per_second);
        self.level = self.level.saturating_add(flown).min(self.burst);
        if self.level >= TOKEN {
            self.level -= TOKEN;
            return Ok(());
        }
        let missing = TOKEN - self.level;
        Err(Duration::from_nanos(missing.div_ceil(self.per_second)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(per_second: u32, burst: u32) -> Bucket {
        Bucket::new(RateLimit { per_second, burst })
    }

    #[test]
    fn a_burst_and_then_the_rate() {
        let mut bucket = bucket(3, 5);
        let start = Time::from_nanos(7_000_000_000);
        let taken =
            |bucket: &mut Bucket, now| (0..100).take_while(|_| bucket.take(now).is_ok()).count();
        assert_eq!(taken(&mut bucket, start), 5);
        let mut sum = 0;
        for milli in 1..=10_000u64 {
            sum += taken(&mut bucket, start + Duration::from_millis(milli));
        }
        assert_eq!(sum, 30, "three a second for ten seconds");
        assert_eq!(taken(&mut bucket, start + Duration::from_secs(60)), 5);
    }

    #[test]
    fn the_wait_is_exact() {
        let mut bucket = bucket(7, 1);
        let mut now = Time::from_nanos(1);
        assert_eq!(bucket.take(now), Ok(()));
        for _ in 0..100 {
            let wait = bucket.take(now).expect_err("it is empty");
            let early = now + (wait - Duration::from_nanos(1));
            assert!(bucket.take(early).is_err());
            now = now + wait;
            assert_eq!(bucket.take(now), Ok(()));
        }
    }
}
