//! `durable` and `durable-memory`: savers on logs on disk, and in memory, which keeps nothing.

use quark::Store;

use super::saves::{self, Keeper};
use super::{Setup, Workload};
use crate::error::Error;
use crate::floors::{Floor, disk};
use crate::pace::Pace;
use crate::report::Report;
use crate::scratch::Scratch;

/// On a log.
pub const WORKLOAD: Workload = Workload {
    name: "durable",
    about: "64 actors save 100 bytes each to a log on disk, as fast as it is durable.",
    unit: "saves",
    floor: Some(disk::NAME),
    run: |setup| {
        let log = Log {
            scratch: Scratch::new(setup.options.dir.as_deref())?,
            core: saves::plan(&WORKLOAD, setup)?
                .cores()
                .map(|cores| cores.first),
        };
        saves::measure(&WORKLOAD, setup, &log)
    },
};

/// In memory.
pub const MEMORY: Workload = Workload {
    name: "durable-memory",
    about: "The same in memory, which loses all: what saves and loads cost besides.",
    unit: "saves",
    floor: None,
    run: |setup: &Setup| saves::measure(&MEMORY, setup, &Memory),
};

struct Log {
    scratch: Scratch,
    core: Option<usize>,
}

impl Keeper for Log {
    fn store(&self, part: usize) -> Store {
        self.scratch.store(&part.to_string())
    }

    fn floor(&self, part: usize, _: Pace) -> Result<Option<Floor>, Error> {
        let batches = self.scratch.batches(&part.to_string())?;
        let floor = disk::saves_per_s(self.core, self.scratch.path(), &batches)?;
        Ok(Some(floor))
    }

    fn told(&self, part: usize, report: Report) -> Result<Report, Error> {
        let batches = self.scratch.batches(&part.to_string())?;
        let records: u64 = batches.iter().map(|batch| u64::from(batch.records)).sum();
        let batches = batches.len().max(1) as f64;
        Ok(report.figure("saves_per_batch", records as f64 / batches))
    }
}

struct Memory;

impl Keeper for Memory {
    fn store(&self, _: usize) -> Store {
        Store::memory()
    }
}
