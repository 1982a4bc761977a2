//! `ask-cross`: one actor asks another on the next core, one at a time; then with 256 calls
//! outstanding.

use super::asks::{Held, run};
use super::{Setup, Workload};
use crate::cli::Idle;
use crate::error::Error;
use crate::floors::Kind;
use crate::report::Report;

/// The workload.
pub const WORKLOAD: Workload = Workload {
    name: "ask-cross",
    about: "One actor asks another on the next core, one at a time.",
    unit: "asks",
    floor: Some(Kind::CacheLine.name()),
    run: ask_cross,
};

fn ask_cross(setup: &Setup) -> Result<Report, Error> {
    // Who sleeps at once can be no faster than who is woken.
    let floor = match setup.options.idle {
        Some(Idle::Park) => Kind::Park,
        _ => Kind::CacheLine,
    };
    run(&WORKLOAD, setup, 2, floor, Held::Median)
}
