//! `tell-cross`: one-way messages to an actor on another core.

use super::{Workload, pending};
use crate::floors::Kind;

/// The workload.
pub const WORKLOAD: Workload = Workload {
    name: "tell-cross",
    about: "One-way messages to an actor on another core.",
    unit: "messages",
    floor: Some(Kind::Ring),
    run: pending,
};
