//! `fan-in`: 100 senders tell 1 actor.

use super::{Workload, pending};
use crate::floors::Kind;

/// The workload.
pub const WORKLOAD: Workload = Workload {
    name: "fan-in",
    about: "100 senders tell 1 actor.",
    unit: "messages",
    floor: Some(Kind::Ring),
    run: pending,
};
