//! Mailboxes: messages that wait for one actor, in recycled blocks, first in first out.
#![allow(unsafe_code)]

use std::cell::Cell;
use std::mem::{self, ManuallyDrop};
use std::ptr::NonNull;

use quark_shards::block::{BLOCK_ALIGN, BlockClass, BlockPool};
use quark_shards::planted::{Bug, planted};
use quark_shards::shard::Shard;

use crate::error::Refusal;
use crate::runtime::Runtime;

/// A message that can wait.
pub(crate) trait Waiting: 'static {
    /// Whether its turn must be alone.
    const EXCLUSIVE: bool;
    /// Starts its turn.
    fn start(self, shard: &Shard, runtime: &Runtime);
    /// Answers its sender that there will be none.
    fn refuse(self, shard: &Shard, runtime: &Runtime, refusal: Refusal);
    /// Hands it on to the shard `lane`, where its actor is now.
    fn forward(self, shard: &Shard, runtime: &Runtime, lane: u16);
}

/// The messages that wait for one actor. Two and a half words.
#[derive(Default)]
pub(crate) struct Mailbox {
    first: Cell<Option<NonNull<Envelope>>>,
    last: Cell<Option<NonNull<Envelope>>>,
    len: Cell<u32>,
}

/// What lies before a waiting message.
struct Envelope {
    next: Option<NonNull<Envelope>>,
    vtable: &'static Vtable,
}

struct Vtable {
    exclusive: bool,
    class: BlockClass,
    start: unsafe fn(NonNull<Envelope>, &Shard, &Runtime),
    refuse: unsafe fn(NonNull<Envelope>, &Shard, &Runtime, Refusal),
    forward: unsafe fn(NonNull<Envelope>, &Shard, &Runtime, u16),
}

#[repr(C)]
struct Full<W> {
    envelope: Envelope,
    message: ManuallyDrop<W>,
}

impl Mailbox {
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len.get() as usize
    }

    /// Appends `message`.
    pub(crate) fn push<W: Waiting>(&self, shard: &Shard, message: W) {
        const { assert!(align_of::<Full<W>>() <= BLOCK_ALIGN) };
        let full = shard.tasks().blocks().take(class::<W>()).cast::<Full<W>>();
        let vtable = const {
            &Vtable {
                exclusive: W::EXCLUSIVE,
                class: class::<W>(),
                start: start::<W>,
                refuse: refuse::<W>,
                forward: forward::<W>,
            }
        };
        let envelope = Envelope { next: None, vtable };
        // SAFETY: a fresh block of sufficient size and alignment; `last` is ours.
        unsafe {
            full.write(Full {
                envelope,
                message: ManuallyDrop::new(message),
            });
            match self.last.get() {
                Some(mut last) => last.as_mut().next = Some(full.cast()),
                None => self.first.set(Some(full.cast())),
            }
        }
        self.last.set(Some(full.cast()));
        self.len.set(self.len.get() + 1);
    }

    /// Whether the oldest message's turn must be alone; `None` if no message waits.
    #[inline]
    pub(crate) fn next_is_exclusive(&self) -> Option<bool> {
        // SAFETY: envelopes in the list are live.
        self.first
            .get()
            .map(|first| unsafe { first.as_ref() }.vtable.exclusive)
    }

    /// Takes the oldest message out.
    #[inline]
    pub(crate) fn pop(&self) -> Option<Letter> {
        let first = self.first.get()?;
        // SAFETY: envelopes in the list are live.
        let next = unsafe { first.as_ref() }.next;
        self.first.set(next);
        if next.is_none() {
            self.last.set(None);
        }
        self.len.set(self.len.get() - 1);
        if next.is_some() && planted(Bug::LostTail) {
            self.first.set(None);
            self.last.set(None);
            self.len.set(0);
        }
        Some(Letter(first))
    }
}

/// A message taken out of its mailbox; must be started, refused or handed on.
#[must_use]
pub(crate) struct Letter(NonNull<Envelope>);

impl Letter {
    pub(crate) fn start(self, shard: &Shard, runtime: &Runtime) {
        let envelope = self.0;
        mem::forget(self);
        // SAFETY: the letter owned the live envelope; its vtable fits it.
        unsafe { (envelope.as_ref().vtable.start)(envelope, shard, runtime) };
    }

    pub(crate) fn refuse(self, shard: &Shard, runtime: &Runtime, refusal: Refusal) {
        let envelope = self.0;
        mem::forget(self);
        // SAFETY: as in `start`.
        unsafe { (envelope.as_ref().vtable.refuse)(envelope, shard, runtime, refusal) };
    }

    pub(crate) fn forward(self, shard: &Shard, runtime: &Runtime, lane: u16) {
        let envelope = self.0;
        mem::forget(self);
        // SAFETY: as in `start`.
        unsafe { (envelope.as_ref().vtable.forward)(envelope, shard, runtime, lane) };
    }
}

impl Drop for Letter {
    fn drop(&mut self) {
        unreachable!("a letter is started, refused or handed on");
    }
}

const fn class<W>() -> BlockClass {
    BlockClass::of(size_of::<Full<W>>())
}

/// # Safety
/// The caller owns the live envelope, and a `W` lies behind it.
unsafe fn start<W: Waiting>(envelope: NonNull<Envelope>, shard: &Shard, runtime: &Runtime) {
    // SAFETY: passed on.
    unsafe { open::<W>(envelope, shard.tasks().blocks()) }.start(shard, runtime);
}

/// # Safety
/// As for [`start`].
unsafe fn refuse<W: Waiting>(
    envelope: NonNull<Envelope>,
    shard: &Shard,
    runtime: &Runtime,
    refusal: Refusal,
) {
    // SAFETY: passed on.
    unsafe { open::<W>(envelope, shard.tasks().blocks()) }.refuse(shard, runtime, refusal);
}

/// # Safety
/// As for [`start`].
unsafe fn forward<W: Waiting>(
    envelope: NonNull<Envelope>,
    shard: &Shard,
    runtime: &Runtime,
    lane: u16,
) {
    // SAFETY: passed on.
    unsafe { open::<W>(envelope, shard.tasks().blocks()) }.forward(shard, runtime, lane);
}

/// Moves the message out and gives its block back.
///
/// # Safety
/// As for [`start`]; the envelope's block is of this pool.
unsafe fn open<W>(envelope: NonNull<Envelope>, blocks: &BlockPool) -> W {
    let full = envelope.cast::<Full<W>>();
    // SAFETY: the caller owns a live `Full<W>` from this pool.
    unsafe {
        debug_assert!(full.as_ref().envelope.vtable.class == class::<W>());
        let message = ManuallyDrop::take(&mut (*full.as_ptr()).message);
        blocks.give(full.cast(), class::<W>());
        message
    }
}
