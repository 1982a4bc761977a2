//! The log on the simulator's disk.

mod conformance;
mod damage;
mod directory;
mod found;
mod histories;
mod lies;
mod model;
mod owners;
#[cfg(feature = "planted-bugs")]
mod planted;
mod snapshots;
mod work;

use super::bench;
