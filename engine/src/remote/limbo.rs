//! Messages that can't be sent for the moment: nobody serves their slots yet, or nobody here knows
//! who does. They are looked at again when that changes, and now and then anyway.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use quark_shards::shard::Shard;
use quark_shards::slots::slot_of;

use super::Remote;
use crate::error::Refusal;
use crate::mailbox::{Mailbox, Waiting};
use crate::runtime::{Runtime, with_runtime};

/// Messages that may wait so on one shard.
const WAITING_MOST: usize = 16_384;

/// How long they wait until they are looked at again: so long at least, and the longer the more they
/// are, so that looking takes no more than a part of the shard's time.
const REST: Duration = Duration::from_millis(5);
const REST_FOR_EACH: Duration = Duration::from_micros(5);

#[derive(Default)]
pub(super) struct Limbo {
    waiting: Mailbox,
    /// Later messages to these wait behind those that do.
    slots: RefCell<BTreeSet<u16>>,
    is_watched: Cell<bool>,
}

impl Limbo {
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.len() == 0
    }

    /// Whether messages of this hash have to wait behind others.
    #[inline]
    pub(super) fn holds(&self, hash: u64) -> bool {
        !self.is_empty() && self.slots.borrow().contains(&slot_of(hash))
    }
}

impl Remote {
    /// Has a message wait until there is more to be known; refused if too many do.
    pub(super) fn hold<W: Waiting>(
        self: &Rc<Self>,
        shard: &Shard,
        runtime: &Runtime,
        hash: u64,
        message: W,
    ) {
        let limbo = &self.limbo;
        if limbo.waiting.len() >= WAITING_MOST {
            return message.refuse(shard, runtime, Refusal::Overloaded);
        }
        limbo.slots.borrow_mut().insert(slot_of(hash));
        limbo.waiting.push(shard, &runtime.outliers, message);
        if limbo.is_watched.replace(true) {
            return;
        }
        let remote = self.clone();
        shard.spawn(async move {
            while !remote.limbo.is_empty() {
                let waiting = u32::try_from(remote.limbo.waiting.len()).unwrap_or(u32::MAX);
                crate::sleep(REST.max(REST_FOR_EACH * waiting)).await;
                with_runtime(|shard, runtime| remote.release(shard, runtime));
            }
            remote.limbo.is_watched.set(false);
        });
    }

    /// Looks at all that waits again, in its order.
    pub(crate) fn release(&self, shard: &Shard, runtime: &Runtime) {
        let limbo = &self.limbo;
        limbo.slots.borrow_mut().clear();
        for _ in 0..limbo.waiting.len() {
            let Some(letter) = limbo.waiting.pop(&runtime.outliers) else {
                return;
            };
            letter.start(shard, runtime);
        }
    }

    /// Answers all that wait: the shard ends.
    pub(super) fn refuse_held(&self, shard: &Shard, runtime: &Runtime) {
        while let Some(letter) = self.limbo.waiting.pop(&runtime.outliers) {
            letter.refuse(shard, runtime, Refusal::Stopped);
        }
    }
}
