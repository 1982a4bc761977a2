//! `port`: a plain thread on its own core asks one shard through a port.

use super::{Workload, pending};
use crate::floors::Kind;

/// The workload.
pub const WORKLOAD: Workload = Workload {
    name: "port",
    about: "A plain thread on its own core asks one shard through a port.",
    unit: "asks",
    floor: Some(Kind::CacheLine),
    run: pending,
};
