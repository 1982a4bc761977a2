//! Calls in flight from one endpoint, a shard or a port: replies, credits, chains.
//!
//! An entry stays until its reply has come, even when the caller has given up: that is what
//! keeps the credit, and so the room in both rings, accounted for.
#![allow(unsafe_code)]

mod credit;

use std::any::TypeId;
use std::cell::{Cell, RefCell, UnsafeCell};
use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Duration;

use crate::block::{BlockClass, BlockPool};
use crate::chain::{ChainTable, Origin, TurnId};
pub use crate::deadline::Deadline;
use crate::deadline::TICK_BITS;
use crate::planted::{Bug, planted};
use crate::time::Time;
use credit::Lane;
pub(crate) use credit::RESERVE_DEPTHS;
pub use credit::{NO_SENDER, Sender};

/// Names one call of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CallId {
    /// The entry.
    pub index: u32,
    /// Which use of the entry; never zero.
    pub generation: u32,
}

/// What a caller that polls its call learns.
#[derive(Debug, PartialEq, Eq)]
pub enum Fate<R> {
    /// The reply, and where the callee lives (a hint for the next call).
    Replied(R, u64),
    /// The deadline passed first; the outcome is unknown.
    TimedOut,
    /// No such call: it was taken already, or it belongs to another endpoint.
    Unknown,
}

/// Who waits for a call, for the chain.
#[derive(Clone, Copy, Debug)]
pub struct Waiter {
    /// The turn that waits; zero if none does.
    pub turn: TurnId,
    /// The call which that turn serves.
    pub serves: Origin,
}

impl Waiter {
    /// Not a turn: a task, or a thread outside.
    pub const NO_TURN: Waiter = Waiter {
        turn: 0,
        serves: Origin::NOBODY,
    };
}

/// The calls of one endpoint. Single-threaded but for its [`ChainTable`].
pub struct Calls {
    entries: UnsafeCell<Vec<NonNull<Entry>>>,
    /// When each entry's caller gives up, in [ticks](tick); dense, since it is swept.
    deadlines: RefCell<Vec<u32>>,
    free: RefCell<Vec<u32>>,
    lanes: Box<[Lane]>,
    chain: Arc<ChainTable>,
    blocks: BlockPool,
    open: Cell<usize>,
}

/// Replies of up to this many bytes are kept in the entry itself.
const INLINE: usize = 64;

#[repr(C, align(64))]
struct Entry {
    index: u32,
    generation: Cell<u32>,
    state: Cell<State>,
    chained: Cell<bool>,
    lane: Cell<u16>,
    cost: Cell<u16>,
    hint: Cell<u64>,
    waker: Cell<Option<Waker>>,
    /// What its reply will be, checked at both ends: nobody can mistake one for another.
    reply: Cell<TypeId>,
    discard: Cell<unsafe fn(*mut u8, &BlockPool)>,
    value: UnsafeCell<[MaybeUninit<u64>; INLINE / 8]>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Free,
    /// The caller waits.
    Waiting,
    /// The reply is here and was not taken yet.
    Replied,
    /// The deadline passed; the caller has not heard yet.
    TimedOut,
    /// Nobody waits, but the reply is still to come.
    Abandoned,
    /// The deadline passed and then the reply came; the caller has not heard yet.
    TimedOutReplied,
}

/// What a caller learns that has no reply.
enum Unanswered {
    TimedOut,
    Unknown,
}

impl Calls {
    /// Calls towards `lanes` peers, each with `limit` slots of credit for calls from outside any
    /// turn and `reserve_per_depth` more for each level of nesting.
    pub(crate) fn new(lanes: usize, limit: u32, reserve_per_depth: u32) -> Self {
        Calls {
            entries: UnsafeCell::default(),
            deadlines: RefCell::default(),
            free: RefCell::default(),
            lanes: (0..lanes)
                .map(|_| Lane::new(limit, reserve_per_depth))
                .collect(),
            chain: Arc::default(),
            blocks: BlockPool::default(),
            open: Cell::new(0),
        }
    }

    /// The table others follow chains through.
    #[must_use]
    pub fn chain(&self) -> &Arc<ChainTable> {
        &self.chain
    }

    /// Calls whose reply has not come yet, or was not taken.
    #[must_use]
    pub fn open_count(&self) -> usize {
        self.open.get()
    }

    /// Opens a call without credit, in the name of a caller that will wait for it.
    pub fn open_for(
        &self,
        reply: fn() -> TypeId,
        lane: u16,
        deadline: Deadline,
        waiter: Waiter,
    ) -> CallId {
        self.open_typed(reply(), lane, 0, deadline, None, waiter)
    }

    /// Opens a call that holds `cost` slots of credit towards `lane`, and will be answered by
    /// an `R`.
    #[inline]
    pub fn open<R: 'static>(
        &self,
        lane: u16,
        cost: u16,
        deadline: Deadline,
        waker: Waker,
        waiter: Waiter,
    ) -> CallId {
        self.open_typed(TypeId::of::<R>(), lane, cost, deadline, Some(waker), waiter)
    }

    #[inline]
    fn open_typed(
        &self,
        reply: TypeId,
        lane: u16,
        cost: u16,
        deadline: Deadline,
        waker: Option<Waker>,
        waiter: Waiter,
    ) -> CallId {
        let free = self.free.borrow_mut().pop();
        let index = free.unwrap_or_else(|| self.grow());
        self.deadlines.borrow_mut()[index as usize] = deadline.0;
        let entry = self.entry(index);
        entry.state.set(State::Waiting);
        entry.lane.set(lane);
        entry.cost.set(cost);
        entry.reply.set(reply);
        entry.waker.set(waker);
        entry.chained.set(waiter.turn != 0);
        let generation = entry.generation.get();
        if waiter.turn != 0 {
            self.chain
                .publish(index, generation, waiter.turn, waiter.serves);
        }
        self.open.set(self.open.get() + 1);
        CallId { index, generation }
    }

    /// The reply has come: keeps it and wakes the caller.
    ///
    /// # Panics
    /// If the call was opened for another type.
    #[inline]
    pub fn complete<R: 'static>(&self, id: CallId, hint: u64, reply: R) {
        const {
            assert!(
                align_of::<R>() <= 64,
                "replies are aligned to 64 bytes at most"
            )
        };
        let Some(entry) = self.find(id) else { return };
        assert!(
            entry.reply.get() == TypeId::of::<R>(),
            "a reply of another call's type"
        );
        // Taken first: a waker may come back here, and the entry be another call's by then.
        let (lane, cost) = (entry.lane.get(), entry.cost.replace(0));
        match entry.state.get() {
            State::Waiting => {
                entry.hint.set(hint);
                // SAFETY: a waiting entry's place is empty.
                unsafe { entry.put(reply, &self.blocks) };
                entry.state.set(State::Replied);
                if let Some(waker) = entry.waker.take() {
                    waker.wake();
                }
            }
            State::Abandoned => {
                self.release(entry);
                drop_quietly(reply);
            }
            State::TimedOut => {
                entry.state.set(State::TimedOutReplied);
                drop_quietly(reply);
            }
            State::Free | State::Replied | State::TimedOutReplied => drop_quietly(reply),
        }
        if cost != 0 && !planted(Bug::CreditLeak) {
            self.give_credit(lane, cost);
        }
    }

    /// Ends every call whose deadline has come.
    pub fn sweep(&self, now: Time) -> usize {
        let mut ended = 0;
        let now = Deadline::tick(now);
        let entries = self.deadlines.borrow().len();
        for index in 0..entries {
            let due = self.deadlines.borrow()[index];
            if due != 0 && planted(Bug::LostTimeout) {
                self.deadlines.borrow_mut()[index] = 0;
            } else if due != 0 && now.wrapping_sub(due).cast_signed() >= 0 {
                self.deadlines.borrow_mut()[index] = 0;
                self.time_out(self.entry(u32::try_from(index).expect("counted in `grow`")));
                ended += 1;
            }
        }
        ended
    }

    /// When the next call times out.
    #[must_use]
    pub fn next_deadline(&self, now: Time) -> Option<Time> {
        if self.open.get() == 0 {
            return None;
        }
        let tick = Deadline::tick(now);
        let deadlines = self.deadlines.borrow();
        let ticks = deadlines.iter().filter(|due| **due != 0);
        let nearest = ticks
            .map(|due| due.wrapping_sub(tick).cast_signed().max(0))
            .min()?;
        let begin = now.as_nanos() >> TICK_BITS << TICK_BITS;
        Some(
            Time::from_nanos(begin)
                + Duration::from_nanos(u64::from(nearest.cast_unsigned()) << TICK_BITS),
        )
    }

    fn time_out(&self, entry: &Entry) {
        if entry.state.get() == State::Waiting {
            entry.state.set(State::TimedOut);
            self.unchain(entry);
            if let Some(waker) = entry.waker.take() {
                waker.wake();
            }
        }
    }

    /// Takes the reply if it has come.
    ///
    /// # Panics
    /// If the call was opened for another type.
    #[inline(always)]
    pub fn poll<R: 'static>(&self, id: CallId, waker: &Waker) -> Poll<Fate<R>> {
        let Some(entry) = self.find(id) else {
            return Poll::Ready(Fate::Unknown);
        };
        assert!(
            entry.reply.get() == TypeId::of::<R>(),
            "a call asked for another's reply"
        );
        if entry.state.get() == State::Replied {
            let hint = entry.hint.get();
            // SAFETY: the reply is there, of the type just compared; it is taken once, since the
            // entry is released just below.
            let reply = unsafe { entry.take::<R>(&self.blocks) };
            self.release(entry);
            return Poll::Ready(Fate::Replied(reply, hint));
        }
        match self.poll_unanswered(entry, waker) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Unanswered::TimedOut) => Poll::Ready(Fate::TimedOut),
            Poll::Ready(Unanswered::Unknown) => Poll::Ready(Fate::Unknown),
        }
    }

    fn poll_unanswered(&self, entry: &Entry, waker: &Waker) -> Poll<Unanswered> {
        match entry.state.get() {
            State::Waiting => {
                let kept = entry.waker.take().filter(|kept| kept.will_wake(waker));
                entry.waker.set(Some(kept.unwrap_or_else(|| waker.clone())));
                Poll::Pending
            }
            State::TimedOut => {
                if planted(Bug::StaleAnswer) {
                    self.release(entry);
                } else {
                    entry.state.set(State::Abandoned);
                }
                Poll::Ready(Unanswered::TimedOut)
            }
            State::TimedOutReplied => {
                self.release(entry);
                Poll::Ready(Unanswered::TimedOut)
            }
            State::Free | State::Abandoned | State::Replied => Poll::Ready(Unanswered::Unknown),
        }
    }

    /// The caller has gone.
    #[inline]
    pub fn abandon(&self, id: CallId) {
        let Some(entry) = self.find(id) else { return };
        self.deadlines.borrow_mut()[entry.index as usize] = 0;
        match entry.state.get() {
            State::Waiting | State::TimedOut => {
                entry.state.set(State::Abandoned);
                drop(entry.waker.take());
                self.unchain(entry);
            }
            State::Replied => {
                // Released even if the reply panics in its drop, and only then: it must not be
                // dropped again, nor its place be used meanwhile.
                struct Release<'a>(&'a Calls, &'a Entry);
                impl Drop for Release<'_> {
                    fn drop(&mut self) {
                        self.0.release(self.1);
                    }
                }
                let _release = Release(self, entry);
                entry.discard(&self.blocks);
            }
            State::TimedOutReplied => self.release(entry),
            State::Free | State::Abandoned => {}
        }
    }

    /// Ends a call that was opened [in its caller's name](Self::open_for): its callee has
    /// answered by another way, and nobody has heard of the call.
    pub fn withdraw(&self, id: CallId) {
        let Some(entry) = self.find(id) else { return };
        debug_assert!(entry.state.get() == State::Waiting && entry.cost.get() == 0);
        drop(entry.waker.take());
        self.release(entry);
    }

    #[inline]
    fn unchain(&self, entry: &Entry) {
        if entry.chained.replace(false) {
            self.chain.retract(entry.index);
        }
    }

    #[inline]
    fn release(&self, entry: &Entry) {
        self.unchain(entry);
        self.deadlines.borrow_mut()[entry.index as usize] = 0;
        entry.state.set(State::Free);
        entry
            .generation
            .set(entry.generation.get().wrapping_add(1).max(1));
        self.open.set(self.open.get() - 1);
        self.free.borrow_mut().push(entry.index);
    }

    #[inline]
    fn entry(&self, index: u32) -> &Entry {
        // SAFETY: single-threaded read of the vector; entries live as long as `self`.
        unsafe { (&*self.entries.get())[index as usize].as_ref() }
    }

    #[inline]
    fn find(&self, id: CallId) -> Option<&Entry> {
        // SAFETY: as in `entry`.
        let entry = unsafe { (&*self.entries.get()).get(id.index as usize)?.as_ref() };
        (entry.generation.get() == id.generation || planted(Bug::StaleAnswer)).then_some(entry)
    }

    #[cold]
    #[inline(never)]
    fn grow(&self) -> u32 {
        // SAFETY: single-threaded; no borrow of the vector outlives its expression.
        let entries = unsafe { &mut *self.entries.get() };
        let index = u32::try_from(entries.len()).expect("fewer than 2^32 calls in flight");
        let entry = Entry {
            index,
            generation: Cell::new(1),
            state: Cell::new(State::Free),
            chained: Cell::new(false),
            lane: Cell::new(0),
            cost: Cell::new(0),
            hint: Cell::new(0),
            waker: Cell::new(None),
            reply: Cell::new(TypeId::of::<()>()),
            discard: Cell::new(discard_nothing),
            value: UnsafeCell::new([const { MaybeUninit::uninit() }; INLINE / 8]),
        };
        let place = self
            .blocks
            .take(const { BlockClass::of(size_of::<Entry>()) })
            .cast::<Entry>();
        // SAFETY: a fresh block, large and aligned enough.
        unsafe { place.write(entry) };
        entries.push(place);
        self.deadlines.borrow_mut().push(0);
        index
    }
}

impl Drop for Calls {
    fn drop(&mut self) {
        for index in 0..self.entries.get_mut().len() {
            let entry = self.entry(u32::try_from(index).expect("counted in `grow`"));
            drop(entry.waker.take());
            if entry.state.replace(State::Free) == State::Replied {
                entry.discard(&self.blocks);
            }
        }
    }
}

impl Entry {
    /// # Safety
    /// The place is empty, and whoever takes the reply asks for an `R`.
    #[inline]
    unsafe fn put<R>(&self, reply: R, blocks: &BlockPool) {
        let place = self.value.get().cast::<u8>();
        // SAFETY: the place is empty and ours; small replies fit it, large ones go to a block
        // whose address fits it. Alignment: `value` starts a multiple of 8 into a 64-aligned
        // entry, so what needs more goes to a block as well.
        unsafe {
            if const { is_inline::<R>() } {
                place.cast::<R>().write(reply);
            } else {
                let block = blocks.take(const { BlockClass::of(size_of::<R>()) });
                block.cast::<R>().write(reply);
                place.cast::<NonNull<u8>>().write(block);
            }
        }
        self.discard.set(discard::<R>);
    }

    /// # Safety
    /// [`put`](Self::put) has left an `R`, and it is taken once.
    #[inline]
    unsafe fn take<R>(&self, blocks: &BlockPool) -> R {
        let place = self.value.get().cast::<u8>();
        // SAFETY: `put` has left an `R` here.
        unsafe { take_from(place, blocks) }
    }

    fn discard(&self, blocks: &BlockPool) {
        // SAFETY: set by `put` for what now lies in the place; the caller releases the entry.
        unsafe { (self.discard.get())(self.value.get().cast(), blocks) };
    }
}

const fn is_inline<R>() -> bool {
    size_of::<R>() <= INLINE && align_of::<R>() <= 8
}

/// # Safety
/// [`Entry::put`] has left an `R` in `place`, and it is taken once.
#[inline]
unsafe fn take_from<R>(place: *mut u8, blocks: &BlockPool) -> R {
    // SAFETY: the caller says an `R` was put here.
    unsafe {
        if const { is_inline::<R>() } {
            place.cast::<R>().read()
        } else {
            let block = place.cast::<NonNull<u8>>().read();
            let reply = block.cast::<R>().read();
            blocks.give(block, const { BlockClass::of(size_of::<R>()) });
            reply
        }
    }
}

/// # Safety
/// As for [`take_from`].
unsafe fn discard<R>(place: *mut u8, blocks: &BlockPool) {
    // SAFETY: passed on.
    drop_quietly(unsafe { take_from::<R>(place, blocks) });
}

/// Drops a reply that nobody takes: no turn would be ended by its panic, but the shard.
fn drop_quietly<R>(reply: R) {
    if std::mem::needs_drop::<R>() && catch_unwind(AssertUnwindSafe(|| drop(reply))).is_err() {
        tracing::error!("a reply that nobody took panicked while it was dropped");
    }
}

/// # Safety
/// None: it touches nothing.
unsafe fn discard_nothing(_: *mut u8, _: &BlockPool) {}

#[cfg(test)]
mod tests;
