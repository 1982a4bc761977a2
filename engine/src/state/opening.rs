//! How stores are brought up at launch, and let go of at the end.

use std::any::Any;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use quark_shards::shard::Shard;
use quark_storage::provider::{Provider, RecordKey, StoreError, StoreReport};

use super::store::{DEFAULT_STORE, StoreCx};
use crate::runtime::RUNTIME;

/// How one kind of store is brought up.
pub(crate) trait Opening: Send + Sync {
    /// Runs once, on the first shard, before any shard opens the store.
    fn prepare(&self, _cx: StoreCx) -> Opened<'_, Prepared> {
        Box::pin(async { Ok(Prepared::default()) })
    }

    /// A shard's access to the store. Runs on that shard.
    fn open(&self, cx: StoreCx) -> Opened<'_, Rc<dyn Provider>>;

    /// Whether what it keeps stays with this engine: other nodes would not find it.
    fn is_local(&self) -> bool {
        false
    }

    /// The shard whose [`due`](Provider::due) gives a reminder; `None` where that is the one that
    /// keeps its record.
    fn attendant_of(&self, _reminder: &RecordKey, _shards: u16) -> Option<u16> {
        None
    }
}

/// What opening comes to, later. A task of the shard.
pub(crate) type Opened<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + 'a>>;

/// A store that shards may open.
#[derive(Default)]
pub(crate) struct Prepared {
    /// What was found, in words.
    pub(crate) notes: Vec<String>,
    /// What the first shard keeps until the stores are closed.
    pub(crate) kept: Option<Box<dyn Any>>,
}

/// The two stages in which all stores are brought up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StoreStage {
    /// On the first shard alone.
    Prepare,
    /// On every shard, when that is done.
    Open,
}

/// What a shard says of its stores, by their names.
pub(crate) type Reports = BTreeMap<String, StoreReport>;

/// A store that can't be brought up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NotOpened {
    /// What it is called.
    pub(crate) store: String,
    pub(crate) source: StoreError,
}

/// Brings all stores of the engine through one stage on `shard`. A task of that shard.
pub(crate) async fn bring_up(shard: Rc<Shard>, stage: StoreStage) -> Result<Reports, NotOpened> {
    let mut reports = Reports::new();
    let Some(runtime) = shard.attached(&RUNTIME) else {
        return Ok(reports);
    };
    let engine = runtime.engine();
    for (name, store) in engine.settings().stores.iter() {
        let failed = |source| NotOpened {
            store: name.to_owned(),
            source,
        };
        let cx = StoreCx::new(shard.clone(), engine.clone());
        match stage {
            StoreStage::Prepare => {
                let prepared = store.opening.prepare(cx).await.map_err(failed)?;
                let report = StoreReport {
                    notes: prepared.notes,
                    ..StoreReport::default()
                };
                reports.insert(name.to_owned(), report);
                runtime.stores.keep(prepared.kept);
            }
            StoreStage::Open => {
                let provider = store.opening.open(cx).await.map_err(failed)?;
                reports.insert(name.to_owned(), provider.report());
                if name == DEFAULT_STORE {
                    runtime.watch_reminders(&shard, provider.clone());
                }
                runtime.stores.add(name, provider);
            }
        }
    }
    Ok(reports)
}

/// Adds to `all` what one more shard says of its stores.
pub(crate) fn add_reports(all: &mut Reports, one: Reports) {
    for (name, report) in one {
        match all.get_mut(&name) {
            None => {
                all.insert(name, report);
            }
            Some(known) => {
                // Until a shard has opened it, there are but notes.
                if known.kind.is_empty() {
                    (known.kind, known.place) = (report.kind, report.place);
                    known.is_direct = report.is_direct;
                }
                known.records = known.records.saturating_add(report.records);
                for note in report.notes {
                    if !known.notes.contains(&note) {
                        known.notes.push(note);
                    }
                }
            }
        }
    }
}

/// Has the stores of a shard end what is under way; they take nothing more. A task of that shard.
pub(crate) async fn close_stores(providers: Vec<(String, Rc<dyn Provider>)>) {
    for (store, provider) in providers {
        if let Err(error) = provider.close().await {
            tracing::error!(store, %error, "a store was not closed well");
        }
    }
}
