//! How a simulation is set up.

use std::ops::RangeInclusive;
use std::time::Duration;

use quark_numa::Topology;
use quark_shards::driver::sim::SimConfig;

/// How large and how unfriendly a simulated world is. Probabilities are from 0.0 to 1.0.
#[derive(Clone, Debug, PartialEq)]
pub struct SimOptions {
    /// Shards; at least one.
    pub shards: u16,
    /// The machine it stands for, real or synthetic: its cores give the shards their places, as
    /// far as [`Near`](crate::Near) goes; it has at least as many as there are shards.
    pub topology: Option<Topology>,
    /// What the world does to messages between shards, to files and to sockets.
    pub world: SimConfig,
    /// That a poll of a turn panics before it begins.
    pub panic_probability: f64,
    /// That a poll of a turn holds its core up.
    pub stall_probability: f64,
    /// For how long it does, at most.
    pub stall_max: Duration,
    /// Whether the simulation keeps a log of all messages that actors get, for
    /// [`Sim::seen`](super::Sim::seen). Messages take longer ways then, so a seed has another
    /// trace with the log than without.
    pub log_messages: bool,
    /// How long one pass of a shard's loop takes. Not nothing, or else a shard that always has
    /// something to do would keep time from passing.
    pub pass: RangeInclusive<Duration>,
    /// How much virtual time may go by while a test waits for one thing. A world where nothing
    /// can ever happen again is told apart at once; this is for one that turns in circles.
    pub patience: Duration,
}

impl Default for SimOptions {
    /// Two shards, delays and reordering between them, no faults.
    fn default() -> Self {
        SimOptions {
            shards: 2,
            topology: None,
            world: SimConfig::default(),
            panic_probability: 0.0,
            stall_probability: 0.0,
            stall_max: Duration::from_millis(5),
            log_messages: false,
            pass: Duration::from_micros(1)..=Duration::from_micros(10),
            patience: Duration::from_secs(24 * 3600),
        }
    }
}
