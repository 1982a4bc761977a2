//! A core's own world: the loop, its drivers, the mesh between cores, tasks, timers, ports and
//! the hash ring. Knows nothing of actors.

pub mod driver;
mod sync;
pub mod time;
