//! What every peer's program shares: the workloads' definitions, the clock, the JSON lines.
//!
//! A peer's program is a [`Peer`] handed to [`run`]: it says how it can be set up, and does one
//! workload after the other. Each is a process of its own run, so nothing need be cleaned up.

mod answer;
mod cli;
mod laps;
pub mod memory;
mod pin;
#[cfg(feature = "tokio")]
pub mod spawned;
mod stamps;
#[cfg(feature = "tokio")]
pub mod tokio_modes;
mod window;
pub mod workload;

pub use answer::{Answer, Dash, Line, Summary};
pub use cli::{Job, Mode, Peer, run};
pub use laps::{Laps, Measured};
pub use mimalloc::MiMalloc;
pub use pin::{CALLEE_CORE, CALLER_CORE, pin};
pub use stamps::Stamps;
pub use window::Window;
pub use workload::Workload;

/// Sets the allocator that every peer has, and Quark.
#[macro_export]
macro_rules! allocator {
    () => {
        #[global_allocator]
        static ALLOCATOR: $crate::MiMalloc = $crate::MiMalloc;
    };
}
