//! The log on the simulator's disk.

mod bench;
mod conformance;
mod damage;
mod directory;
mod histories;
mod model;
#[cfg(feature = "planted-bugs")]
mod planted;
mod snapshots;
mod work;
