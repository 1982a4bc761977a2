//! A core's own world: the loop, its drivers, the mesh between cores, tasks, timers, ports and
//! the hash ring. Knows nothing of actors.
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

#[cfg(not(loom))]
pub mod block;
#[cfg(not(loom))]
pub mod calls;
#[cfg(not(loom))]
pub mod chain;
#[cfg(not(loom))]
pub mod current;
#[cfg(not(loom))]
pub mod deadline;
pub mod driver;
mod envelope;
#[cfg(not(loom))]
pub mod foreign;
#[cfg(not(loom))]
pub mod idle;
pub mod inbox;
#[cfg(not(loom))]
pub mod io;
pub mod local_ring;
#[cfg(all(test, loom))]
mod loom_models;
#[cfg(not(loom))]
pub mod mesh;
pub mod park;
pub mod planted;
pub mod pool;
#[cfg(not(loom))]
pub mod port;
pub mod ring;
#[cfg(not(loom))]
pub mod shard;
#[cfg(not(loom))]
pub mod sleep;
pub mod slots;
pub mod stall;
mod sync;
#[cfg(not(loom))]
pub mod task;
pub mod time;
pub mod timer;
