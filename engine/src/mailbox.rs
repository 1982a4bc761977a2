//! Mailboxes: messages that wait for one actor, in recycled blocks. They leave by priority, and
//! among equals first in first out.
#![allow(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::mem::{self, ManuallyDrop};
use std::ptr::NonNull;

use quark_shards::block::{BLOCK_ALIGN, BlockClass, BlockPool};
use quark_shards::planted::{Bug, planted};
use quark_shards::shard::Shard;

use crate::error::Refusal;
use crate::options::Priority;
use crate::priority::{Levels, Shares};
use crate::runtime::Runtime;

/// A message that can wait.
pub(crate) trait Waiting: 'static {
    /// Whether its turn must be alone.
    const EXCLUSIVE: bool;
    /// Which of those that wait goes first.
    const PRIORITY: Priority = Priority::Normal;
    /// Starts its turn.
    fn start(self, shard: &Shard, runtime: &Runtime);
    /// Answers its sender that there will be none.
    fn refuse(self, shard: &Shard, runtime: &Runtime, refusal: Refusal);
    /// Hands it on to the shard `lane`, where its actor is now.
    fn forward(self, shard: &Shard, runtime: &Runtime, lane: u16);
}

/// The messages that wait for one actor. Three words, for every actor: those of other than the
/// normal priority lie elsewhere, so that most need not pay for them.
#[derive(Default)]
pub(crate) struct Mailbox {
    normal: List,
    len: Cell<u32>,
    /// Where in the shard's [`Outliers`] those of other priorities wait, counted from one; zero
    /// if there were none since the mailbox was last empty.
    outliers: Cell<u32>,
}

/// Messages in the order of their coming.
#[derive(Default)]
struct List {
    first: Cell<Option<NonNull<Envelope>>>,
    last: Cell<Option<NonNull<Envelope>>>,
}

/// One shard's messages of other than the normal priority, by mailbox.
#[derive(Default)]
pub(crate) struct Outliers {
    places: RefCell<Vec<Outlying>>,
    free: RefCell<Vec<u32>>,
}

#[derive(Default)]
struct Outlying {
    low: List,
    high: List,
    shares: Shares,
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

impl List {
    fn is_empty(&self) -> bool {
        self.first.get().is_none()
    }

    /// Appends a live envelope, which is the list's from now on.
    fn append(&self, envelope: NonNull<Envelope>) {
        match self.last.get() {
            // SAFETY: envelopes in the list are live, and nobody else's.
            Some(mut last) => unsafe { last.as_mut() }.next = Some(envelope),
            None => self.first.set(Some(envelope)),
        }
        self.last.set(Some(envelope));
    }

    #[inline]
    fn take_first(&self) -> Option<NonNull<Envelope>> {
        let first = self.first.get()?;
        // SAFETY: envelopes in the list are live.
        let next = unsafe { first.as_ref() }.next;
        self.first.set(next);
        if next.is_none() {
            self.last.set(None);
        }
        Some(first)
    }

    #[inline]
    fn first_is_exclusive(&self) -> Option<bool> {
        // SAFETY: envelopes in the list are live.
        self.first
            .get()
            .map(|first| unsafe { first.as_ref() }.vtable.exclusive)
    }
}

impl Mailbox {
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len.get() as usize
    }

    /// Appends `message` to those of its priority.
    pub(crate) fn push<W: Waiting>(&self, shard: &Shard, outliers: &Outliers, message: W) {
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
        // SAFETY: a fresh block of sufficient size and alignment.
        unsafe {
            full.write(Full {
                envelope,
                message: ManuallyDrop::new(message),
            });
        }
        if matches!(W::PRIORITY, Priority::Normal) {
            self.normal.append(full.cast());
        } else {
            self.outliers_in(outliers, |place| {
                place.list(W::PRIORITY).append(full.cast());
            });
        }
        self.len.set(self.len.get() + 1);
    }

    /// Whether the turn of the message that goes next must be alone; `None` if no message waits.
    #[inline]
    pub(crate) fn next_is_exclusive(&self, outliers: &Outliers) -> Option<bool> {
        if self.outliers.get() == 0 {
            return self.normal.first_is_exclusive();
        }
        let level = self.levels(outliers).next()?;
        self.at(outliers, level, List::first_is_exclusive)
    }

    /// Takes the message that goes next.
    #[inline]
    pub(crate) fn pop(&self, outliers: &Outliers) -> Option<Letter> {
        if self.outliers.get() != 0 {
            return self.pop_levelled(outliers);
        }
        let first = self.normal.take_first()?;
        self.len.set(self.len.get() - 1);
        if !self.normal.is_empty() && planted(Bug::LostTail) {
            self.normal.first.set(None);
            self.normal.last.set(None);
            self.len.set(0);
        }
        Some(Letter(first))
    }

    #[cold]
    fn pop_levelled(&self, outliers: &Outliers) -> Option<Letter> {
        let levels = self.levels(outliers);
        let level = levels.next()?;
        self.outliers_in(outliers, |place| place.shares.went(level, levels));
        self.take(outliers, level)
    }

    /// Takes the oldest message of the lowest priority that waits, to make room for one of
    /// `priority`; none if all that wait are above that.
    #[cold]
    pub(crate) fn shed(&self, outliers: &Outliers, priority: Priority) -> Option<Letter> {
        let level = self.levels(outliers).lowest()?;
        if level > priority {
            return None;
        }
        self.take(outliers, level)
    }

    fn take(&self, outliers: &Outliers, level: Priority) -> Option<Letter> {
        let first = self.at(outliers, level, List::take_first)?;
        let left = self.len.get() - 1;
        self.len.set(left);
        if left == 0 && self.outliers.get() != 0 {
            self.outliers_in(outliers, |place| place.shares = Shares::default());
            outliers.free.borrow_mut().push(self.outliers.replace(0));
        }
        Some(Letter(first))
    }

    /// Which priorities wait.
    fn levels(&self, outliers: &Outliers) -> Levels {
        let normal = !self.normal.is_empty();
        if self.outliers.get() == 0 {
            return Levels::only(normal);
        }
        self.outliers_in(outliers, |place| {
            Levels::new(
                !place.low.is_empty(),
                normal,
                !place.high.is_empty(),
                place.shares,
            )
        })
    }

    fn at<R>(&self, outliers: &Outliers, level: Priority, f: impl FnOnce(&List) -> R) -> R {
        match level {
            Priority::Normal => f(&self.normal),
            _ => self.outliers_in(outliers, |place| f(place.list(level))),
        }
    }

    /// Looks at what waits outside the normal list; `f` calls nobody.
    fn outliers_in<R>(&self, outliers: &Outliers, f: impl FnOnce(&mut Outlying) -> R) -> R {
        if self.outliers.get() == 0 {
            let free = outliers.free.borrow_mut().pop();
            self.outliers.set(free.unwrap_or_else(|| outliers.grow()));
        }
        let place = self.outliers.get() as usize - 1;
        f(&mut outliers.places.borrow_mut()[place])
    }
}

impl Outliers {
    fn grow(&self) -> u32 {
        let mut places = self.places.borrow_mut();
        places.push(Outlying::default());
        u32::try_from(places.len()).expect("fewer mailboxes than that")
    }
}

impl Outlying {
    fn list(&self, level: Priority) -> &List {
        match level {
            Priority::Low => &self.low,
            Priority::High => &self.high,
            Priority::Normal => unreachable!("the normal ones lie in the mailbox itself"),
        }
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
