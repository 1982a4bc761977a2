//! The launch report: what was found, what was chosen, and why.

use std::collections::BTreeMap;
use std::fmt;

use quark_numa::ShardPlace;
use quark_shards::driver::DriverReport;
use quark_shards::idle::IdlePolicy;
use quark_storage::provider::StoreReport;

/// What [`Engine::report`](crate::Engine::report) tells.
#[derive(Clone, Debug, Default)]
pub struct LaunchReport {
    /// Where each shard runs.
    pub shards: Vec<ShardPlace>,
    /// The core left for everything that is no shard.
    pub housekeeping: Option<usize>,
    /// What shards do when idle.
    pub idle: IdlePolicy,
    /// Why that policy.
    pub idle_because: String,
    /// What the driver can do.
    pub driver: DriverReport,
    /// The stores by their names, over all shards.
    pub stores: BTreeMap<String, StoreReport>,
    /// What else is worth knowing.
    pub notes: Vec<String>,
}

impl fmt::Display for LaunchReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for place in &self.shards {
            write!(f, "shard {}: ", place.shard)?;
            match place.cpu {
                Some(cpu) => write!(f, "cpu {cpu}")?,
                None => write!(f, "not pinned")?,
            }
            writeln!(
                f,
                ", core {}, L3 {}, node {}, package {}",
                place.core, place.l3, place.node, place.package
            )?;
        }
        if let Some(cpu) = self.housekeeping {
            writeln!(f, "housekeeping: cpu {cpu}")?;
        }
        writeln!(f, "idle: {} ({})", self.idle, self.idle_because)?;
        writeln!(
            f,
            "driver: {}: {}",
            self.driver.name,
            self.driver.on.join(", ")
        )?;
        for missing in &self.driver.missing {
            writeln!(f, "missing: {missing}")?;
        }
        for (name, store) in &self.stores {
            writeln!(f, "store {name}: {store}")?;
        }
        for note in &self.notes {
            writeln!(f, "note: {note}")?;
        }
        Ok(())
    }
}
