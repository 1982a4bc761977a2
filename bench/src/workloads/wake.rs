//! `wake`: the first ask after 1 ms asleep, across shards.

use super::{Workload, pending};
use crate::floors::Kind;

/// The workload.
pub const WORKLOAD: Workload = Workload {
    name: "wake",
    about: "The first ask after 1 ms asleep, across shards.",
    unit: "asks",
    floor: Some(Kind::Wake),
    run: pending,
};
