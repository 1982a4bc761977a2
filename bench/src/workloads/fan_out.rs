//! `fan-out`: 1 caller asks 1,000 actors, 64 calls outstanding; and 256 across cores.

use super::{Workload, pending};

/// The workload.
pub const WORKLOAD: Workload = Workload {
    name: "fan-out",
    about: "1 caller asks 1,000 actors, 64 calls outstanding; and 256 across cores.",
    unit: "asks",
    floor: None,
    run: pending,
};
