use std::time::Duration;

use quark_shards::planted::{Bug, planted};

/// How long leases are, and what follows from that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// How long a member serves after the question that a majority has confirmed. Slots of a member
    /// that is lost are served by others as much later.
    pub lease: Duration,
    /// How often the others are asked for it: several times within a lease.
    pub ask_every: Duration,
    /// How long a member may be silent, or without a lease, before it is removed.
    pub silence: Duration,
    /// How much faster or slower than true time the clock of a member runs at most, in thousandths.
    pub drift_per_mille: u32,
}

impl Default for Timing {
    /// Leases of three seconds, asked for every half second; two seconds of silence; clocks that are
    /// right within 1 %, which is a hundred times what quartz does.
    fn default() -> Self {
        Timing {
            lease: Duration::from_secs(3),
            ask_every: Duration::from_millis(500),
            silence: Duration::from_secs(2),
            drift_per_mille: 10,
        }
    }
}

impl Timing {
    /// How long after a majority has confirmed a version, by this side's clock, no lease of an
    /// earlier version can hold any more, by anyone's.
    #[must_use]
    pub fn settling(&self) -> Duration {
        let mut drift = u64::from(self.drift_per_mille.min(500));
        if planted(Bug::DriftForgotten) {
            drift = 0;
        }
        let lease = u64::try_from(self.lease.as_nanos()).unwrap_or(u64::MAX);
        let scaled = u128::from(lease) * u128::from(1000 + drift) / u128::from(1000 - drift);
        // Rounded up.
        Duration::from_nanos(u64::try_from(scaled + 1).unwrap_or(u64::MAX))
    }
}
