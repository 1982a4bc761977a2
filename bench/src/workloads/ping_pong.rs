//! `ping-pong`: two actors on one core tell each other in turn.

use super::{Workload, pending};

/// The workload.
pub const WORKLOAD: Workload = Workload {
    name: "ping-pong",
    about: "Two actors on one core tell each other in turn.",
    unit: "messages",
    floor: None,
    run: pending,
};
