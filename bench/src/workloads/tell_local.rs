//! `tell-local`: one-way messages to an actor on the sender's core.

use super::{Workload, pending};

/// The workload.
pub const WORKLOAD: Workload = Workload {
    name: "tell-local",
    about: "One-way messages to an actor on the sender's core.",
    unit: "messages",
    floor: None,
    run: pending,
};
