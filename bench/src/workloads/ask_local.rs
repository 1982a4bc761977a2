//! `ask-local`: one actor asks another on its own core, one at a time.

use super::asks::{Held, run};
use super::{Setup, Workload};
use crate::error::Error;
use crate::floors::Kind;
use crate::report::Report;

/// The workload.
pub const WORKLOAD: Workload = Workload {
    name: "ask-local",
    about: "One actor asks another on its own core, one at a time.",
    unit: "asks",
    floor: Some(Kind::VirtualCall.name()),
    run: ask_local,
};

fn ask_local(setup: &Setup) -> Result<Report, Error> {
    run(&WORKLOAD, setup, 1, Kind::VirtualCall, Held::Mean)
}
