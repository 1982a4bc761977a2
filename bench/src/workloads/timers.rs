//! `timers`: 1 M armed timers: what arm and cancel cost, and jitter at 100 k firings/s.

use super::{Workload, pending};

/// The workload.
pub const WORKLOAD: Workload = Workload {
    name: "timers",
    about: "1 M armed timers: what arm and cancel cost, and jitter at 100 k firings/s.",
    unit: "firings",
    floor: None,
    run: pending,
};
