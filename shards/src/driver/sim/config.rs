//! How friendly a simulated world is.

use std::ops::RangeInclusive;
use std::time::Duration;

/// What a [`SimWorld`](super::SimWorld) does to its shards. The default delays and reorders,
/// but breaks nothing; see [`SimConfig::faulty`]. Probabilities are from 0.0 to 1.0.
#[derive(Clone, Debug, PartialEq)]
pub struct SimConfig {
    /// How long an operation takes; each draws its own, so they end out of order.
    pub io_delay: RangeInclusive<Duration>,
    /// How long bytes are under way between the two ends of a connection.
    pub network_delay: RangeInclusive<Duration>,
    /// That a read, write, receive or send moves less than it could.
    pub short_probability: f64,
    /// That a read fails with `EIO`.
    pub read_error_probability: f64,
    /// That a write fails with `EIO`.
    pub write_error_probability: f64,
    /// That a write or an allocation which needs more room than its file has fails with
    /// `ENOSPC`.
    pub no_space_probability: f64,
    /// That an fdatasync fails with `EIO`. As on Linux, what it should have made durable is
    /// then clean in the cache, and may be lost whatever later ones say.
    pub sync_error_probability: f64,
    /// That an fdatasync, or the sync of a directory, says yes and does nothing. What it should
    /// have made durable waits for the next one that is honest.
    pub sync_lost_probability: f64,
    /// That the bytes of a write land at another place of the same file, some sectors away,
    /// where it says that all went well.
    pub misdirected_write_probability: f64,
    /// That a connect is refused though somebody listens.
    pub refuse_probability: f64,
    /// That a send finds its connection reset.
    pub reset_probability: f64,
    /// That a shard which looks at a peer's ring finds its messages held up.
    pub mesh_delay_probability: f64,
    /// For how long they are, at most.
    pub mesh_delay_max: Duration,
    /// The most messages a shard may take from a peer in a pass; each pass draws its own limit.
    pub mesh_budget_max: usize,
    /// Room on each disk, holes in files included.
    pub disk_bytes: usize,
    /// Bytes a connection holds each way before a send must wait.
    pub socket_bytes: usize,
}

impl SimConfig {
    /// A world where everything that can go wrong does, now and then; but disks don't lie: they
    /// sync what they say, and write where they are told.
    #[must_use]
    pub fn faulty() -> Self {
        SimConfig {
            short_probability: 0.1,
            read_error_probability: 0.01,
            write_error_probability: 0.01,
            no_space_probability: 0.005,
            sync_error_probability: 0.01,
            refuse_probability: 0.01,
            reset_probability: 0.002,
            ..SimConfig::default()
        }
    }
}

impl Default for SimConfig {
    fn default() -> Self {
        SimConfig {
            io_delay: Duration::from_micros(1)..=Duration::from_micros(500),
            network_delay: Duration::from_micros(5)..=Duration::from_micros(300),
            short_probability: 0.0,
            read_error_probability: 0.0,
            write_error_probability: 0.0,
            no_space_probability: 0.0,
            sync_error_probability: 0.0,
            sync_lost_probability: 0.0,
            misdirected_write_probability: 0.0,
            refuse_probability: 0.0,
            reset_probability: 0.0,
            mesh_delay_probability: 0.05,
            mesh_delay_max: Duration::from_micros(200),
            mesh_budget_max: 32,
            disk_bytes: 64 << 20,
            socket_bytes: 64 << 10,
        }
    }
}
