//! A log on each shard's disk, all in one directory.

use std::any::Any;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::{Mutex, MutexGuard, PoisonError};

use quark_storage::embedded::{self, EmbeddedConfig, OpenError};
use quark_storage::provider::{Provider, RecordKey, StoreError};

use super::opening::{Opened, Opening, Prepared};
use super::store::StoreCx;

pub(super) struct Directory {
    config: EmbeddedConfig,
    /// What the first shard has prepared for all; taken from here at launch only.
    prepared: Mutex<Option<embedded::Opening>>,
}

impl Directory {
    pub(super) fn new(directory: PathBuf) -> Self {
        Directory {
            config: EmbeddedConfig::new(directory),
            prepared: Mutex::default(),
        }
    }

    /// Simulated disks are small.
    fn config_for(&self, cx: &StoreCx) -> EmbeddedConfig {
        let config = self.config.clone();
        if !cx.is_simulated() {
            return config;
        }
        EmbeddedConfig {
            segment_bytes: 256 << 10,
            zero_ahead: false,
            ..config
        }
    }

    fn prepared(&self) -> MutexGuard<'_, Option<embedded::Opening>> {
        self.prepared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failed(&self, error: &OpenError) -> StoreError {
        StoreError::Refused {
            place: self.config.directory.display().to_string(),
            why: error.to_string(),
        }
    }
}

impl Opening for Directory {
    fn is_local(&self) -> bool {
        true
    }

    fn prepare(&self, cx: StoreCx) -> Opened<'_, Prepared> {
        Box::pin(async move {
            let home = |record: &RecordKey| cx.keeper_of(record);
            let shard = cx.handle().clone();
            let config = self.config_for(&cx);
            let ready = embedded::prepare(shard, &config, cx.shards(), &home).await;
            let ready = ready.map_err(|error| self.failed(&error))?;
            *self.prepared() = Some(ready.opening());
            Ok(Prepared {
                notes: ready.notes().to_vec(),
                kept: Some(Box::new(ready) as Box<dyn Any>),
            })
        })
    }

    fn open(&self, cx: StoreCx) -> Opened<'_, Rc<dyn Provider>> {
        Box::pin(async move {
            let prepared = self.prepared().clone();
            let opening = prepared.expect("the first shard prepares it before any opens it");
            let opened = embedded::open(cx.handle().clone(), &opening, cx.shard()).await;
            let store = opened.map_err(|error| self.failed(&error))?;
            Ok(Rc::new(store) as Rc<dyn Provider>)
        })
    }
}
