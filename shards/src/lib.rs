//! A core's own world: the loop, its drivers, the mesh between cores, tasks, timers, ports and
//! the hash ring. Knows nothing of actors.

pub mod driver;
mod envelope;
pub mod inbox;
pub mod local_ring;
#[cfg(all(test, loom))]
mod loom_models;
pub mod park;
pub mod ring;
mod sync;
pub mod time;
pub mod timer;
