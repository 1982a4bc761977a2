//! Quark's load generator: the replay of an order feed through actors, one workload per path
//! that has a budget, and the floor each of them is held against, measured in the same process.
//!
//! The feed and the book that are replayed stand on their own.

#![forbid(unsafe_code)]

pub mod bbo;
pub mod book;
pub mod clock;
pub mod cpu_time;
pub mod feed;
pub mod floors;
pub mod latency;
pub mod machine;
pub mod memory;
pub mod rng;
