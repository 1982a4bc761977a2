//! `tell-cross`: one-way messages to an actor on another core.

use super::tell_local::run;
use super::{Setup, Workload};
use crate::error::Error;
use crate::floors::Kind;
use crate::report::Report;

/// The workload.
pub const WORKLOAD: Workload = Workload {
    name: "tell-cross",
    about: "One-way messages to an actor on another core.",
    unit: "messages",
    floor: Some(Kind::Ring.name()),
    run: tell_cross,
};

fn tell_cross(setup: &Setup) -> Result<Report, Error> {
    run(&WORKLOAD, setup, 2)
}
