//! The mesh: two rings each way between every two shards, one for requests and one for replies.
//!
//! Credits ([`Calls`], [`TellMeter`]) are counted in ring slots and their
//! limits sum up to no more than a ring holds, so a ring never fills: a sender without credit
//! waits or is refused before it pushes, and a reply always finds the room that its request
//! reserved.

use std::cell::{Cell, OnceCell};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use crossbeam::utils::CachePadded;

use crate::calls::{Calls, RESERVE_DEPTHS};
use crate::chain::ChainTable;
use crate::driver::Bell;
use crate::inbox::Inbox;
use crate::park::Sleeper;
use crate::planted::{Bug, planted};
use crate::ring::{Consumer, Message, Producer, ring};
use crate::shard::{Errand, Shard};

/// How much may be under way between two endpoints, in ring slots of 64 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credits {
    /// For asks from outside any turn; each holds its slots until its reply has come.
    pub ask_slots: u32,
    /// More of them for each level of nesting, up to eight.
    pub reserve_slots: u32,
    /// For one-way messages not yet admitted at the other end.
    pub tell_slots: u32,
}

impl Default for Credits {
    fn default() -> Self {
        Credits {
            ask_slots: 512,
            reserve_slots: 32,
            tell_slots: 512,
        }
    }
}

impl Credits {
    /// Slots that one direction's rings need so that they never fill.
    #[must_use]
    pub const fn ring_slots(self) -> usize {
        (self.ask_slots + self.reserve_slots * RESERVE_DEPTHS + self.tell_slots + CONTROL_SLOTS)
            as usize
    }
}

/// Slots of credit for [control messages](TellMeter::try_take_control) alone.
const CONTROL_SLOTS: u32 = 128;

/// What everyone may know of a shard, once it is up.
pub struct ShardHandle {
    /// Its number among all shards of this process.
    pub uid: u32,
    /// Rings it awake.
    pub bell: Arc<dyn Bell>,
    /// Errands from any thread.
    pub inbox: Arc<Inbox<Errand>>,
    /// Its calls in flight, for chains.
    pub chain: Arc<ChainTable>,
}

/// What the shards of one engine share: where each can be reached.
pub struct MeshShared {
    sleepers: Box<[Arc<Sleeper>]>,
    handles: Box<[OnceLock<ShardHandle>]>,
    may_sleep: bool,
    credits: Credits,
}

impl MeshShared {
    /// The shard's handle, once it is up.
    #[must_use]
    #[inline]
    pub fn handle(&self, shard: u16) -> Option<&ShardHandle> {
        self.handles.get(usize::from(shard))?.get()
    }

    /// How many shards there are.
    #[must_use]
    pub fn shards(&self) -> u16 {
        u16::try_from(self.handles.len()).expect("made from a u16")
    }

    /// The limits between two endpoints.
    #[must_use]
    pub fn credits(&self) -> Credits {
        self.credits
    }

    pub(crate) fn sleeper(&self, shard: u16) -> &Arc<Sleeper> {
        &self.sleepers[usize::from(shard)]
    }

    pub(crate) fn publish_handle(&self, shard: u16, handle: ShardHandle) {
        let fresh = self.handles[usize::from(shard)].set(handle).is_ok();
        assert!(fresh, "shard {shard} was launched twice");
    }
}

/// One shard's ends of the mesh, to be carried to its thread.
pub struct MeshEnd {
    pub(crate) shard: u16,
    pub(crate) shared: Arc<MeshShared>,
    pub(crate) out: Box<[Option<Outbound>]>,
    pub(crate) inward: Box<[Option<Inbound>]>,
}

impl MeshEnd {
    /// What all shards of the mesh share.
    #[must_use]
    pub fn shared(&self) -> &Arc<MeshShared> {
        &self.shared
    }
}

/// The ends of a mesh of `shards` shards; `may_sleep` says whether any of them ever parks.
#[must_use]
pub fn mesh(shards: u16, credits: Credits, may_sleep: bool) -> Vec<MeshEnd> {
    let shared = Arc::new(MeshShared {
        sleepers: (0..shards).map(|_| Arc::default()).collect(),
        handles: (0..shards).map(|_| OnceLock::new()).collect(),
        may_sleep,
        credits,
    });
    let none = |_| -> (Vec<Option<Outbound>>, Vec<Option<Inbound>>) {
        (
            (0..shards).map(|_| None).collect(),
            (0..shards).map(|_| None).collect(),
        )
    };
    let mut ends: Vec<_> = (0..shards).map(none).collect();
    for from in 0..shards {
        for to in (0..shards).filter(|to| *to != from) {
            let (out, inward) = lane(
                from,
                to,
                credits,
                Doorbell::of(&shared, from),
                Doorbell::of(&shared, to),
            );
            ends[usize::from(from)].0[usize::from(to)] = Some(out);
            ends[usize::from(to)].1[usize::from(from)] = Some(inward);
        }
    }
    ends.into_iter()
        .zip(0..)
        .map(|((out, inward), shard)| MeshEnd {
            shard,
            shared: shared.clone(),
            out: out.into_boxed_slice(),
            inward: inward.into_boxed_slice(),
        })
        .collect()
}

/// The rings of one direction: requests there, replies back.
pub(crate) fn lane(
    from: u16,
    to: u16,
    credits: Credits,
    from_bell: Doorbell,
    to_bell: Doorbell,
) -> (Outbound, Inbound) {
    let (request_in, request_out) = ring(credits.ring_slots(), from);
    let (reply_in, reply_out) = ring(credits.ring_slots(), to);
    let admitted = Arc::new(CachePadded::new(AtomicU64::new(0)));
    let tells = TellMeter {
        limit: u64::from(credits.tell_slots),
        sent: Cell::new(0),
        seen: Cell::new(0),
        admitted: admitted.clone(),
    };
    (
        Outbound {
            requests: request_in,
            unannounced: Unannounced::default(),
            replies: reply_out,
            tells,
            bell: to_bell,
        },
        Inbound {
            requests: request_out,
            replies: reply_in,
            unannounced: Unannounced::default(),
            admitted: Cell::new(0),
            told: Cell::new(0),
            admitted_shared: admitted,
            bell: from_bell,
        },
    )
}

/// Messages that become visible together, at most.
const SEND_BATCH: u32 = 16;

/// Messages pushed since the receiver was last looked after, at the end of a pass.
///
/// The first of a pass is shown at once: a receiver that waits for it reads its line over and
/// over, takes it from us between the message and a header that comes later, and it has to cross
/// twice.
#[derive(Default)]
struct Unannounced(Cell<u32>);

impl Unannounced {
    /// Counts a message; whether what has been pushed is now to be shown.
    #[inline]
    fn one_more(&self) -> bool {
        let before = self.0.get();
        self.0.set(before + 1);
        before.is_multiple_of(SEND_BATCH)
    }

    /// Whether there were any.
    #[inline]
    fn clear(&self) -> bool {
        self.0.replace(0) != 0
    }
}

/// The sending side towards one shard.
pub struct Outbound {
    requests: Producer<Shard>,
    unannounced: Unannounced,
    replies: Consumer<Calls>,
    tells: TellMeter,
    bell: Doorbell,
}

impl Outbound {
    /// Sends a request. The first of a pass is visible at once (see `Unannounced`), the others
    /// at its end or with the 16th of a long batch, so that the receiver works while the sender
    /// still sends. The caller holds credit for it.
    ///
    /// # Panics
    /// If the ring is full, which credits rule out.
    #[inline]
    pub fn send<M: Message<Shard>>(&self, message: M) {
        self.send_with(|| message);
    }

    /// The same for a message that is made straight in its slots: see
    /// [`push_with`](Producer::push_with).
    ///
    /// # Panics
    /// As for [`send`](Self::send).
    #[inline(always)]
    pub fn send_with<M: Message<Shard>>(&self, make: impl FnOnce() -> M) {
        let show = self.unannounced.one_more();
        assert!(
            self.requests.push_and_show_if(show, make),
            "credits keep rings from filling"
        );
    }

    /// Whether the shard is gone.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.requests.is_closed()
    }

    /// Credit for one-way messages.
    #[must_use]
    #[inline]
    pub fn tells(&self) -> &TellMeter {
        &self.tells
    }

    #[inline]
    pub(crate) fn has_replies(&self) -> bool {
        !self.replies.is_empty()
    }

    #[inline]
    pub(crate) fn take_replies(&self, budget: usize, calls: &Calls) -> usize {
        self.replies.deliver_up_to(budget, calls)
    }

    #[inline]
    pub(crate) fn publish(&self) -> bool {
        self.requests.publish();
        self.unannounced.clear()
    }

    #[inline]
    pub(crate) fn bell(&self) -> &Doorbell {
        &self.bell
    }
}

/// The receiving side from one shard or port.
pub struct Inbound {
    requests: Consumer<Shard>,
    replies: Producer<Calls>,
    unannounced: Unannounced,
    /// Slots of one-way messages admitted, and what the sender was told of it.
    admitted: Cell<u64>,
    told: Cell<u64>,
    admitted_shared: Arc<CachePadded<AtomicU64>>,
    bell: Doorbell,
}

impl Inbound {
    /// Sends a reply; visible as requests are.
    ///
    /// # Panics
    /// If the ring is full, which credits rule out.
    #[inline]
    pub fn reply<M: Message<Calls>>(&self, message: M) {
        self.reply_with(|| message);
    }

    /// The same for a reply that is made straight in its slots.
    ///
    /// # Panics
    /// As for [`reply`](Self::reply).
    #[inline(always)]
    pub fn reply_with<M: Message<Calls>>(&self, make: impl FnOnce() -> M) {
        let show = self.unannounced.one_more();
        assert!(
            self.replies.push_and_show_if(show, make),
            "credits keep rings from filling"
        );
    }

    /// Gives the sender back credit for a one-way message of `slots` slots.
    #[inline]
    pub fn admit_tell(&self, slots: u16) {
        self.admitted.set(self.admitted.get() + u64::from(slots));
    }

    #[inline]
    pub(crate) fn has_requests(&self) -> bool {
        !self.requests.is_empty()
    }

    #[inline]
    pub(crate) fn take_requests(&self, budget: usize, shard: &Shard) -> usize {
        self.requests.deliver_up_to(budget, shard)
    }

    #[inline]
    pub(crate) fn publish(&self) -> bool {
        let admitted = self.admitted.get();
        self.replies.publish();
        let mut news = self.unannounced.clear();
        if admitted != self.told.get() {
            self.told.set(admitted);
            self.admitted_shared.store(admitted, Ordering::Release);
            news = true;
        }
        news
    }

    #[inline]
    pub(crate) fn bell(&self) -> &Doorbell {
        &self.bell
    }
}

/// The sender's side of the credit for one-way messages.
pub struct TellMeter {
    limit: u64,
    sent: Cell<u64>,
    seen: Cell<u64>,
    admitted: Arc<CachePadded<AtomicU64>>,
}

impl TellMeter {
    /// Takes credit for `slots`, or says there is none now.
    #[inline]
    pub fn try_take(&self, slots: u16) -> bool {
        self.try_take_within(self.limit, slots)
    }

    /// The same for a control message, which its receiver admits as it arrives: there is credit
    /// left for it when messages that wait for their turns have taken all other.
    pub fn try_take_control(&self, slots: u16) -> bool {
        self.try_take_within(self.limit + u64::from(CONTROL_SLOTS), slots)
    }

    #[inline]
    fn try_take_within(&self, limit: u64, slots: u16) -> bool {
        let sent = self.sent.get() + u64::from(slots);
        if sent - self.seen.get() > limit {
            self.seen.set(self.admitted.load(Ordering::Acquire));
            if sent - self.seen.get() > limit {
                return false;
            }
        }
        self.sent.set(sent);
        true
    }

    /// Slots sent and not admitted yet.
    #[must_use]
    pub fn outstanding(&self) -> u64 {
        self.sent.get() - self.admitted.load(Ordering::Acquire)
    }

    /// Whether credit has come since [`try_take`](Self::try_take) last looked.
    #[inline]
    pub(crate) fn has_news(&self) -> bool {
        self.admitted.load(Ordering::Relaxed) != self.seen.get()
    }
}

/// How to wake one endpoint.
pub(crate) struct Doorbell {
    may_sleep: bool,
    sleeper: Arc<Sleeper>,
    bell: BellPlace,
}

enum BellPlace {
    /// A shard's, known once it is up.
    Shard(Arc<MeshShared>, u16, OnceCell<Arc<dyn Bell>>),
    Port(Arc<dyn Bell>),
}

impl Doorbell {
    pub(crate) fn of(shared: &Arc<MeshShared>, shard: u16) -> Self {
        Doorbell {
            may_sleep: shared.may_sleep,
            sleeper: shared.sleeper(shard).clone(),
            bell: BellPlace::Shard(shared.clone(), shard, OnceCell::new()),
        }
    }

    pub(crate) fn of_port(sleeper: Arc<Sleeper>, bell: Arc<dyn Bell>, may_sleep: bool) -> Self {
        Doorbell {
            may_sleep,
            sleeper,
            bell: BellPlace::Port(bell),
        }
    }

    /// Whether the endpoint ever sleeps: if not, nobody need fence for it.
    #[inline]
    pub(crate) fn may_sleep(&self) -> bool {
        self.may_sleep
    }

    /// Rings if the endpoint sleeps. Comes after the sender's fence.
    #[inline]
    pub(crate) fn ring_if_asleep(&self) {
        if self.sleeper.must_ring() && !planted(Bug::LostWake) {
            self.ring();
        }
    }

    #[cold]
    fn ring(&self) {
        match &self.bell {
            BellPlace::Port(bell) => bell.ring(),
            BellPlace::Shard(shared, shard, known) => {
                // A shard sleeps only once it is up.
                if let Some(handle) = shared.handle(*shard) {
                    known.get_or_init(|| handle.bell.clone()).ring();
                }
            }
        }
    }
}

impl MeshShared {
    pub(crate) fn may_sleep(&self) -> bool {
        self.may_sleep
    }
}
