//! `ask-local`: one actor asks another on its own core, one at a time.

use super::{Workload, pending};
use crate::floors::Kind;

/// The workload.
pub const WORKLOAD: Workload = Workload {
    name: "ask-local",
    about: "One actor asks another on its own core, one at a time.",
    unit: "asks",
    floor: Some(Kind::VirtualCall),
    run: pending,
};
