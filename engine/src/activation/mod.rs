//! The activation cell: one actor in memory, who is inside it, and who waits.
//!
//! Cells never move and are never freed while their runtime stands, so turns and messages may
//! point at them. The *gate* says in one byte whether a turn may enter: every rule of borrowing
//! between turns is a test of it.
#![allow(unsafe_code)]

mod slab;

use std::cell::{Cell, UnsafeCell};
use std::ops::Deref;
use std::ptr::{self, NonNull};
use std::sync::Arc;

use quark_shards::planted::{Bug, harbours, planted};

use crate::actor::sealed::Borrow;
use crate::actor::{Receiver, TypeToken};
use crate::extra::Extra;
use crate::key::{ActorId, Key};
use crate::mailbox::Mailbox;
use crate::reference::Hint;
use crate::turn::TurnRef;

pub(crate) use slab::Slab;

/// One actor's cell. The head comes first: a cell and its head have one address.
#[repr(C)]
pub(crate) struct Activation<A> {
    head: Head,
    actor: UnsafeCell<Option<A>>,
}

/// What does not depend on the actor's type.
pub(crate) struct Head {
    /// A byte, since its bits are changed in place: a wider load right after a byte's store
    /// would wait for it.
    gate: Cell<u8>,
    phase: Cell<Phase>,
    wish: Cell<Wish>,
    /// It wishes to stay in memory.
    kept: Cell<bool>,
    /// A look at the mailbox is queued, or under way.
    resuming: Cell<bool>,
    /// Senders wait for room in its mailbox.
    wanted: Cell<bool>,
    index: u32,
    generation: Cell<u16>,
    /// `&self` turns inside.
    shared: Cell<u32>,
    /// Messages for it in the shard's own queue.
    queued: Cell<u32>,
    /// Messages that may wait for it: its type's bound.
    room: Cell<u32>,
    /// When it was last entered, in [ticks](used_tick).
    used: Cell<u32>,
    hash: Cell<u64>,
    key: UnsafeCell<Key>,
    /// Asynchronous turns inside: `&self` ones, or the one that is alone.
    turns: Cell<Option<TurnRef>>,
    /// What most actors have no need of.
    extra: Cell<Option<Box<Extra>>>,
    pub(crate) mailbox: Mailbox,
    token: &'static TypeToken,
}

/// Where an activation stands in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The cell is free.
    Free,
    /// `on_activate` runs; messages wait.
    Activating,
    Active,
    /// `on_deactivate` runs; messages wait.
    Deactivating,
    /// It has failed; messages, and the turns inside, wait for its supervisor's word.
    Failed,
    /// Messages wait for a fresh instance.
    Restarting,
    /// It is being stopped; the last turns leave.
    Ending,
    /// About to leave for another shard: nobody is inside, and nobody gets in.
    Moving,
    /// Out of the directory; the cell is freed when the last queued message has left it.
    Gone,
}

/// What an actor is to do once it has nothing to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    None,
    /// To go to sleep.
    Sleep,
    /// To leave for another shard.
    Depart,
}

/// Nobody may enter: not active.
const CLOSED: u8 = 1;
/// A turn is alone inside.
const HELD: u8 = 2;
/// Messages wait in the mailbox.
const MAIL: u8 = 4;
/// Messages wait in the shard's own queue.
const QUEUED: u8 = 8;
/// `&self` turns are inside; [`Head::shared`] counts them.
const SHARED: u8 = 16;
/// Its type has [limits](crate::limits): nobody enters by a short way.
const GUARDED: u8 = 32;
/// The actor has just moved here: what came before by other ways goes first.
const LANDING: u8 = 64;
/// Every message takes the long way in: a test looks on, or a double stands in for the actor.
const WATCHED: u8 = 128;

// A few more bytes for each actor, and memory is full of them.
const _: () = assert!(size_of::<Head>() <= 120);

impl Head {
    fn new(index: u32, token: &'static TypeToken) -> Self {
        Head {
            gate: Cell::new(CLOSED),
            phase: Cell::new(Phase::Free),
            wish: Cell::new(Wish::None),
            kept: Cell::new(false),
            resuming: Cell::new(false),
            wanted: Cell::new(false),
            index,
            generation: Cell::new(1),
            shared: Cell::new(0),
            queued: Cell::new(0),
            room: Cell::new(0),
            used: Cell::new(0),
            hash: Cell::new(0),
            key: UnsafeCell::new(Key::Int(0)),
            turns: Cell::new(None),
            extra: Cell::new(None),
            mailbox: Mailbox::default(),
            token,
        }
    }

    /// Whether a caller on this shard may enter right now: nobody is inside that must not be,
    /// and nobody waits, anywhere.
    #[inline]
    pub(crate) fn is_clear(&self, exclusive: bool) -> bool {
        let gate = self.gate.get();
        if planted(Bug::Overtaking) {
            return gate & !QUEUED == 0;
        }
        if exclusive {
            gate == 0
        } else {
            gate & (CLOSED | HELD | MAIL | QUEUED | GUARDED | LANDING | WATCHED) == 0
        }
    }

    /// The same for a message that has waited in the shard's own queue, or comes from elsewhere.
    #[inline]
    pub(crate) fn admits_arrival(&self, exclusive: bool) -> bool {
        let gate = self.gate.get() & !QUEUED;
        if gate == HELD && planted(Bug::Overlap) {
            return true;
        }
        if exclusive {
            gate == 0
        } else {
            gate & (CLOSED | HELD | MAIL | GUARDED | LANDING | WATCHED) == 0
        }
    }

    /// The same for a message that takes the long way: its type's limits have let it through.
    pub(crate) fn admits_guarded(&self, exclusive: bool) -> bool {
        self.admits_but(GUARDED, exclusive)
    }

    /// The same for a message of those that go first in an actor that has just moved here.
    pub(crate) fn admits_expected(&self, exclusive: bool) -> bool {
        self.admits_but(LANDING | GUARDED, exclusive)
    }

    fn admits_but(&self, passed: u8, exclusive: bool) -> bool {
        let gate = self.gate.get() & !(QUEUED | WATCHED | passed);
        if exclusive {
            gate == 0
        } else {
            gate & (CLOSED | HELD | MAIL) == 0
        }
    }

    #[inline]
    pub(crate) fn is_guarded(&self) -> bool {
        self.gate.get() & GUARDED != 0
    }

    pub(crate) fn set_guarded(&self, guarded: bool) {
        let gate = self.gate.get() & !GUARDED;
        self.gate.set(if guarded { gate | GUARDED } else { gate });
    }

    /// The same for the message at the head of the mailbox.
    #[inline]
    pub(crate) fn admits_next(&self, exclusive: bool) -> bool {
        let gate = self.gate.get() & !(QUEUED | MAIL | GUARDED | LANDING | WATCHED);
        if exclusive {
            gate == 0
        } else {
            gate & (CLOSED | HELD) == 0
        }
    }

    /// Whether a `&self` turn may enter past those that wait: one of a chain already inside.
    #[inline]
    pub(crate) fn admits_chained(&self) -> bool {
        self.gate.get() & (CLOSED | HELD) == 0
    }

    #[inline]
    pub(crate) fn enter(&self, exclusive: bool, used: u32) {
        let gate = self.gate.get();
        debug_assert!(
            gate & HELD == 0 || harbours(Bug::Overlap),
            "a turn entered beside an exclusive one"
        );
        debug_assert!(
            !exclusive || gate & SHARED == 0,
            "an exclusive turn entered beside others"
        );
        if !exclusive {
            self.shared.set(self.shared.get() + 1);
        }
        self.gate.set(gate | if exclusive { HELD } else { SHARED });
        self.used.set(used);
    }

    #[inline]
    pub(crate) fn leave(&self, exclusive: bool) {
        let gate = self.gate.get();
        if exclusive {
            self.gate.set(gate & !HELD);
            return;
        }
        let left = self.shared.get() - 1;
        self.shared.set(left);
        if left == 0 {
            self.gate.set(gate & !SHARED);
        }
    }

    /// Whether no turn is inside.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.gate.get() & (HELD | SHARED) == 0
    }

    /// Turns inside.
    pub(crate) fn inside(&self) -> u32 {
        self.shared.get() + u32::from(self.gate.get() & HELD != 0)
    }

    /// Whether nobody is inside and nobody waits.
    pub(crate) fn is_idle(&self) -> bool {
        self.gate.get() & !(CLOSED | GUARDED | WATCHED) == 0
    }

    /// Whether a test looks on, or a double stands in for the actor.
    #[inline]
    pub(crate) fn is_watched(&self) -> bool {
        self.gate.get() & WATCHED != 0
    }

    /// Has its messages take the long way in for as long as the cell is this activation's.
    pub(crate) fn watch(&self) {
        self.gate.set(self.gate.get() | WATCHED);
    }

    pub(crate) fn phase(&self) -> Phase {
        self.phase.get()
    }

    pub(crate) fn set_phase(&self, phase: Phase) {
        self.phase.set(phase);
        let gate = self.gate.get();
        self.gate.set(if phase == Phase::Active {
            gate & !CLOSED
        } else {
            gate | CLOSED
        });
    }

    /// Whether it has just moved here; see [`crate::routing`].
    pub(crate) fn is_landing(&self) -> bool {
        self.gate.get() & LANDING != 0
    }

    pub(crate) fn set_landing(&self, landing: bool) {
        let gate = self.gate.get();
        self.gate.set(if landing {
            gate | LANDING
        } else {
            gate & !LANDING
        });
    }

    #[inline]
    pub(crate) fn has_mail(&self) -> bool {
        self.gate.get() & MAIL != 0
    }

    #[inline]
    pub(crate) fn set_mail(&self, some: bool) {
        let gate = self.gate.get();
        self.gate.set(if some { gate | MAIL } else { gate & !MAIL });
    }

    /// A message for it entered the shard's own queue.
    #[inline]
    pub(crate) fn count_queued(&self) {
        self.queued.set(self.queued.get() + 1);
        self.gate.set(self.gate.get() | QUEUED);
    }

    /// That message has left the queue.
    #[inline]
    pub(crate) fn uncount_queued(&self) {
        let left = self.queued.get() - 1;
        self.queued.set(left);
        if left == 0 {
            self.gate.set(self.gate.get() & !QUEUED);
        }
    }

    /// Messages that wait for it, anywhere on this shard.
    #[inline]
    pub(crate) fn load(&self) -> usize {
        self.mailbox.len() + self.queued.get() as usize
    }

    /// Whether it takes one more message from a sender that can be told no.
    #[inline]
    pub(crate) fn has_room(&self) -> bool {
        self.load() < self.room.get() as usize
    }

    pub(crate) fn set_room(&self, messages: usize) {
        self.room.set(u32::try_from(messages).unwrap_or(u32::MAX));
    }

    #[inline]
    pub(crate) fn queued(&self) -> u32 {
        self.queued.get()
    }

    /// Says which asynchronous turn is alone inside.
    #[inline]
    pub(crate) fn set_holder(&self, turn: Option<TurnRef>) {
        self.turns.set(turn);
    }

    /// Says whether a look at the mailbox is on its way; returns what was said before.
    #[inline]
    pub(crate) fn set_resuming(&self, resuming: bool) -> bool {
        self.resuming.replace(resuming)
    }

    /// Whether senders wait for room in its mailbox.
    #[inline]
    pub(crate) fn is_wanted(&self) -> bool {
        self.wanted.get()
    }

    pub(crate) fn set_wanted(&self, wanted: bool) {
        self.wanted.set(wanted);
    }

    pub(crate) fn used(&self) -> u32 {
        self.used.get()
    }

    pub(crate) fn collect_soon(&self) {
        if self.wish.get() == Wish::None {
            self.wish.set(Wish::Sleep);
        }
    }

    /// It is to leave; see [`crate::routing`].
    pub(crate) fn wish_to_depart(&self) {
        self.wish.set(Wish::Depart);
    }

    pub(crate) fn wishes_to_depart(&self) -> bool {
        self.wish.get() == Wish::Depart
    }

    /// A new life: what an earlier instance wished for does not count.
    pub(crate) fn stay(&self) {
        self.wish.set(Wish::None);
        self.kept.set(false);
    }

    pub(crate) fn keep(&self, kept: bool) {
        self.kept.set(kept);
    }

    /// Whether it stays however idle it is.
    pub(crate) fn is_kept(&self) -> bool {
        self.kept.get()
    }

    /// Whether it is to go to sleep, or away.
    pub(crate) fn has_wish(&self) -> bool {
        self.wish.get() != Wish::None
    }

    /// What is known of it beyond the cell, made if need be. Other looks at it must wait.
    pub(crate) fn with_extra<R>(&self, look: impl FnOnce(&mut Extra) -> R) -> R {
        let mut extra = self.extra.take().unwrap_or_default();
        let result = look(&mut extra);
        self.extra.set(Some(extra));
        result
    }

    /// The same if there is any.
    pub(crate) fn extra<R>(&self, look: impl FnOnce(&mut Extra) -> R) -> Option<R> {
        let mut extra = self.extra.take()?;
        let result = look(&mut extra);
        self.extra.set(Some(extra));
        Some(result)
    }

    pub(crate) fn take_extra(&self) -> Option<Box<Extra>> {
        self.extra.take()
    }

    pub(crate) fn set_extra(&self, extra: Box<Extra>) {
        self.extra.set(Some(extra));
    }

    pub(crate) fn token(&self) -> &'static TypeToken {
        self.token
    }

    #[inline]
    pub(crate) fn hint(&self) -> Hint {
        Hint::new(
            ptr::from_ref(self).expose_provenance(),
            self.generation.get(),
        )
    }

    #[inline]
    pub(crate) fn index(&self) -> u32 {
        self.index
    }

    #[inline]
    pub(crate) fn hash(&self) -> u64 {
        self.hash.get()
    }

    pub(crate) fn key(&self) -> Key {
        // SAFETY: written only in `occupy` and `vacate`, when nobody else looks at it.
        unsafe { &*self.key.get() }.clone()
    }

    #[inline]
    pub(crate) fn has_key(&self, key: &Key) -> bool {
        // SAFETY: as in `key`.
        match (unsafe { &*self.key.get() }, key) {
            (Key::Int(own), Key::Int(key)) => own == key,
            // Most often clones of one string.
            (Key::Str(own), Key::Str(key)) => Arc::ptr_eq(own, key) || own == key,
            _ => false,
        }
    }

    /// Makes hints to it void.
    pub(crate) fn forget_hints(&self) {
        self.generation.set(self.generation.get().wrapping_add(1));
    }

    pub(crate) fn id(&self) -> ActorId {
        ActorId {
            actor: self.token.name(),
            key: self.key(),
        }
    }

    /// Puts a `&self` turn on the list of those inside.
    #[inline]
    pub(crate) fn link(&self, turn: TurnRef) {
        let first = self.turns.replace(Some(turn));
        turn.next.set(first);
        turn.previous.set(None);
        if let Some(first) = first {
            first.previous.set(Some(turn));
        }
    }

    /// Takes it off again.
    #[inline]
    pub(crate) fn unlink(&self, turn: TurnRef) {
        let (previous, next) = (turn.previous.get(), turn.next.get());
        match previous {
            Some(previous) => previous.next.set(next),
            None => self.turns.set(next),
        }
        if let Some(next) = next {
            next.previous.set(previous);
        }
    }

    /// The asynchronous turns inside.
    pub(crate) fn turns(&self) -> impl Iterator<Item = TurnRef> {
        std::iter::successors(self.turns.get(), |turn| turn.next.get())
    }

    /// Makes the free cell a new activation's.
    fn occupy(&self, key: Key, hash: u64) {
        debug_assert_eq!(self.phase.get(), Phase::Free);
        // SAFETY: a free cell's key is looked at by nobody.
        unsafe { *self.key.get() = key };
        self.hash.set(hash);
        self.resuming.set(false);
    }

    /// Makes the cell free; hints to it are void from now on.
    fn vacate(&self) {
        self.forget_hints();
        self.extra.take();
        self.phase.set(Phase::Free);
        self.gate.set(CLOSED);
        // SAFETY: nobody refers to the cell any more. Long keys need not stay in memory.
        unsafe { *self.key.get() = Key::Int(0) };
    }
}

/// The unit that idle times are counted in: 2^20 ns, about a millisecond.
#[inline]
pub(crate) fn used_tick(now: quark_shards::time::Time) -> u32 {
    (now.as_nanos() >> 20) as u32
}

/// A cell that is in use, or was.
pub(crate) struct Resident<A>(NonNull<Activation<A>>);

impl<A> Clone for Resident<A> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<A> Copy for Resident<A> {}

impl<A> Deref for Resident<A> {
    type Target = Head;

    #[inline]
    fn deref(&self) -> &Head {
        // SAFETY: cells live as long as their runtime, which drops all turns and messages, the
        // only places where residents are kept, before its cells.
        unsafe { &(*self.0.as_ptr()).head }
    }
}

impl<A> Resident<A> {
    /// The activation of `key` that `hint` was given out for, if it is still there.
    ///
    /// # Safety
    /// The hint is [`Hint::NONE`], or was given out on this shard, by its present runtime, for
    /// an actor of type `A`.
    #[inline(always)]
    pub(crate) unsafe fn find(hint: Hint, key: &Key) -> Option<Self> {
        let cell = ptr::with_exposed_provenance_mut::<Activation<A>>(hint.address());
        let resident = Resident(NonNull::new(cell)?);
        // The phase too: generations come round, and a free cell's key is some key's.
        (resident.generation.get() == hint.generation()
            && resident.phase() != Phase::Free
            && resident.has_key(key))
        .then_some(resident)
    }

    /// The cell without its type.
    #[inline]
    pub(crate) fn head_ref(self) -> HeadRef {
        // SAFETY: as in `deref`; a field's address is never null.
        HeadRef(unsafe { NonNull::new_unchecked(&raw mut (*self.0.as_ptr()).head) })
    }

    /// Borrows the actor for a turn of the kind `R`.
    ///
    /// # Safety
    /// The gate has let this turn in as `R` says, the actor is there, and the borrow ends before
    /// the turn leaves.
    #[inline]
    pub(crate) unsafe fn borrow<'a, R: Receiver>(self) -> R::Of<'a, A> {
        // SAFETY: the gate keeps exclusive turns alone; see above.
        let actor = unsafe { (*self.0.as_ptr()).actor.get() };
        R::narrow(if R::EXCLUSIVE {
            // SAFETY: nobody else is inside.
            Borrow::Exclusive(unsafe { (*actor).as_mut() }.expect("an active cell has its actor"))
        } else {
            // SAFETY: only shared borrows are inside.
            Borrow::Shared(unsafe { (*actor).as_ref() }.expect("an active cell has its actor"))
        })
    }

    /// Puts an instance in.
    pub(crate) fn install(self, actor: A) {
        assert!(self.is_empty(), "an instance was replaced under a turn");
        // SAFETY: no turn is inside.
        unsafe { *(*self.0.as_ptr()).actor.get() = Some(actor) };
    }

    /// Whether an instance is there; a double's cell has none.
    pub(crate) fn has_instance(self) -> bool {
        // SAFETY: a turn inside changes the instance, not whether there is one.
        unsafe { (*(*self.0.as_ptr()).actor.get()).is_some() }
    }

    /// Takes the instance out.
    pub(crate) fn remove(self) -> Option<A> {
        assert!(self.is_empty(), "an instance was taken away under a turn");
        // SAFETY: no turn is inside.
        unsafe { (*(*self.0.as_ptr()).actor.get()).take() }
    }
}

/// A cell without its type.
#[derive(Clone, Copy)]
pub(crate) struct HeadRef(NonNull<Head>);

impl Deref for HeadRef {
    type Target = Head;

    #[inline]
    fn deref(&self) -> &Head {
        // SAFETY: as for `Resident`.
        unsafe { self.0.as_ref() }
    }
}
