//! `idle`: the CPU an idle engine uses in 2 s.

use super::{Workload, pending};

/// The workload.
pub const WORKLOAD: Workload = Workload {
    name: "idle",
    about: "The CPU an idle engine uses in 2 s.",
    unit: "asks",
    floor: None,
    run: pending,
};
