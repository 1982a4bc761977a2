//! One shard's log: what all its parts share, and what it does beside its work.

use std::cell::RefCell;
use std::io;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use quark_shards::io::names;
use quark_shards::shard::Shard;

use super::EmbeddedConfig;
use super::batch::Fate;
use super::format::LogId;
use super::segments::WriteFault;
use super::state::State;
use super::{compact, snapshot};

/// A log that is open.
pub(super) struct Log {
    pub(super) shard: Rc<Shard>,
    pub(super) id: LogId,
    /// What its checksums begin with.
    pub(super) salt: u32,
    pub(super) folder: PathBuf,
    pub(super) config: EmbeddedConfig,
    /// Whether a sync of the directory has failed, on any shard: what others have made there since
    /// their last one may be lost with it, and nobody would tell them.
    pub(super) names_lost: Arc<AtomicBool>,
    pub(super) state: RefCell<State>,
}

impl Log {
    pub(super) fn new(
        shard: Rc<Shard>,
        id: LogId,
        shards: u16,
        config: &EmbeddedConfig,
        names_lost: Arc<AtomicBool>,
    ) -> Rc<Self> {
        Rc::new(Log {
            shard,
            id,
            salt: id.salt(),
            folder: config.directory.clone(),
            config: config.clone(),
            names_lost,
            state: RefCell::new(State {
                step: u64::from(shards.max(1)),
                ..State::default()
            }),
        })
    }

    /// Makes the names in the directory durable, unless some have been lost.
    pub(super) async fn sync_names(&self) -> io::Result<()> {
        let synced = names::sync_dir(&*self.shard, &self.folder).await;
        if synced.is_err() {
            self.names_lost.store(true, Ordering::Release);
        } else if self.names_lost.load(Ordering::Acquire) {
            return Err(io::Error::other(
                "another shard could not sync the directory",
            ));
        }
        synced
    }

    /// Begins what is due beside the writing.
    pub(super) fn look_after(self: &Rc<Self>) {
        let mut state = self.state.borrow_mut();
        if state.writable().is_err() {
            return;
        }
        let half_full = state
            .tail
            .as_ref()
            .is_some_and(|tail| tail.end * 2 > tail.size);
        if self.config.zero_ahead && half_full && state.spare.is_none() && state.preparing.is_none()
        {
            let fate = Rc::new(Fate::default());
            state.preparing = Some(fate.clone());
            let number = state.next_segment;
            state.next_segment += 1;
            self.shard.spawn(prepare_spare(self.clone(), number, fate));
        }
        if snapshot::is_due(self, &state) {
            let fate = Rc::new(Fate::default());
            state.snapshots.taking = Some(fate.clone());
            self.shard.spawn(snapshot::run(self.clone(), fate));
        }
        if state.grown && !state.compacting {
            state.grown = false;
            if !compact::is_due(&state) {
                return;
            }
            state.compacting = true;
            self.shard.spawn(compact::run(self.clone()));
        }
    }
}

/// Makes the next segment while there is room in this one.
async fn prepare_spare(log: Rc<Log>, number: u32, fate: Rc<Fate>) {
    let made = log.create(number, log.next_size()).await;
    let mut state = log.state.borrow_mut();
    state.preparing = None;
    match made {
        Ok(spare) => state.spare = Some(spare),
        // Whoever needs the segment tries again, and tells.
        Err(WriteFault::Full | WriteFault::Broken(_)) => {}
    }
    drop(state);
    fate.settle(Ok(()));
}
