//! Wakes of shard tasks by other threads: from a shard's number to its wake inbox.
//!
//! Off every hot path: a shard wakes its own tasks without coming here.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

use crate::inbox::{Inbox, WakeInbox};
use crate::shard::Errand;
use crate::task::MAX_UID;

static NEXT_UID: AtomicU32 = AtomicU32::new(1);
static INBOXES: LazyLock<RwLock<BTreeMap<u32, Arc<Ways>>>> = LazyLock::new(RwLock::default);

/// How other threads reach a shard.
pub(crate) struct Ways {
    pub(crate) wakes: Arc<WakeInbox>,
    pub(crate) errands: Arc<Inbox<Errand>>,
}

/// A number no other shard of this process has or had.
///
/// # Panics
/// After 16 million shards in one process.
pub(crate) fn new_uid() -> u32 {
    let uid = NEXT_UID.fetch_add(1, Ordering::Relaxed);
    assert!(
        uid < MAX_UID,
        "a process can launch 16 million shards in its life"
    );
    uid
}

pub(crate) fn register(uid: u32, ways: Arc<Ways>) {
    INBOXES
        .write()
        .unwrap_or_else(PoisonError::into_inner)
        .insert(uid, ways);
}

pub(crate) fn unregister(uid: u32) {
    INBOXES
        .write()
        .unwrap_or_else(PoisonError::into_inner)
        .remove(&uid);
}

/// Wakes the task that `word` names on the shard `uid`; nobody, if that shard is gone.
pub(crate) fn wake(uid: u32, word: u64) {
    let inboxes = INBOXES.read().unwrap_or_else(PoisonError::into_inner);
    if let Some(inbox) = inboxes.get(&uid) {
        inbox.wakes.wake(word);
    }
}

/// Has `errand` run on the shard `uid`. If that shard is gone or its inbox is full, it is
/// dropped: for clearing up, where that costs a place and no promise.
pub fn errand(uid: u32, errand: Errand) {
    let inboxes = INBOXES.read().unwrap_or_else(PoisonError::into_inner);
    if let Some(ways) = inboxes.get(&uid) {
        let _ = ways.errands.push(errand);
    }
}
