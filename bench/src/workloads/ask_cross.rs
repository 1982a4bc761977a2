//! `ask-cross`: one actor asks another on the next core, one at a time.

use super::{Workload, pending};
use crate::floors::Kind;

/// The workload.
pub const WORKLOAD: Workload = Workload {
    name: "ask-cross",
    about: "One actor asks another on the next core, one at a time.",
    unit: "asks",
    floor: Some(Kind::CacheLine),
    run: pending,
};
