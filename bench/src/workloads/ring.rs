//! `ring`: Savina's thread ring: a token passes 100 actors, 1 M hops.

use super::{Workload, pending};
use crate::floors::Kind;

/// The workload.
pub const WORKLOAD: Workload = Workload {
    name: "ring",
    about: "Savina's thread ring: a token passes 100 actors, 1 M hops.",
    unit: "hops",
    floor: Some(Kind::QueueHop),
    run: pending,
};
