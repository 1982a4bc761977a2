//! Credit towards each peer, and the queue of those who wait for it.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::task::Waker;

use super::Calls;

/// Tells those who wait for credit apart, who must not overtake themselves.
pub type Sender = usize;

/// Nobody in particular.
pub const NO_SENDER: Sender = 0;

/// How far nested calls may dip into the reserve; deeper ones share the last level.
pub(crate) const RESERVE_DEPTHS: u32 = 8;

const FIRST_TICKET: u64 = 1 << 63;

/// Messages that a sender may send after one it has queued for, while others queue.
pub(super) const BURST: u32 = 15;

impl Calls {
    /// Takes `cost` slots of credit towards `lane`, or says there are none.
    ///
    /// `depth` is how many callers wait above this call: nested calls draw on a reserve of their
    /// own and never queue, so that two shards full of waiting turns can't lock each other.
    #[inline]
    pub fn try_credit(&self, lane: u16, cost: u16, depth: u8) -> bool {
        let lane = &self.lanes[usize::from(lane)];
        let limit = lane.limit + lane.reserve_per_depth * u32::from(depth).min(RESERVE_DEPTHS);
        let taken = lane.taken.get() + u32::from(cost);
        if taken > limit {
            return false;
        }
        lane.taken.set(taken);
        true
    }

    /// Whether [`try_credit`](Self::try_credit) would take `cost` slots from outside any turn.
    #[must_use]
    pub fn has_credit(&self, lane: u16, cost: u16) -> bool {
        let lane = &self.lanes[usize::from(lane)];
        lane.taken.get() + u32::from(cost) <= lane.limit
    }

    /// Whether callers already queue for credit towards `lane`; later ones go behind them.
    #[must_use]
    #[inline]
    pub fn has_waiters(&self, lane: u16) -> bool {
        !self.lanes[usize::from(lane)].waiting.borrow().is_empty()
    }

    /// Whether `sender` itself is among them.
    #[must_use]
    pub fn is_waiting(&self, lane: u16, sender: Sender) -> bool {
        let waiting = self.lanes[usize::from(lane)].waiting.borrow();
        waiting.iter().any(|place| place.sender == sender)
    }

    /// Queues for credit; the ticket says who is first.
    pub fn wait_for_credit(&self, lane: u16, sender: Sender, waker: Waker) -> u64 {
        let lane = &self.lanes[usize::from(lane)];
        lane.end_burst(sender);
        let ticket = lane.next_ticket.get();
        lane.next_ticket.set(ticket + 1);
        lane.waiting.borrow_mut().push_back(Place {
            ticket,
            sender,
            waker,
        });
        ticket
    }

    /// Queues for credit ahead of all who queue already: for what they may themselves wait for,
    /// and never waits long.
    pub fn wait_ahead(&self, lane: u16, waker: Waker) -> u64 {
        let lane = &self.lanes[usize::from(lane)];
        let ticket = lane.next_ahead.get();
        lane.next_ahead.set(ticket - 1);
        lane.waiting.borrow_mut().push_front(Place {
            ticket,
            sender: NO_SENDER,
            waker,
        });
        ticket
    }

    /// Whether `ticket` is first in the queue; renews its waker where it is not.
    pub fn is_first(&self, lane: u16, ticket: u64, waker: &Waker) -> bool {
        let mut waiting = self.lanes[usize::from(lane)].waiting.borrow_mut();
        let place = place(&waiting, ticket);
        if let Some(place) = place {
            waiting[place].waker.clone_from(waker);
        }
        place == Some(0)
    }

    /// Whether `sender` need not queue behind others this time: it was served lately, nothing else
    /// of its own waits, and it has not sent its fill since.
    ///
    /// Queueing costs more than sending, so that senders who must queue for each message would
    /// get half as much through.
    #[must_use]
    pub fn goes_on(&self, lane: u16, sender: Sender) -> bool {
        let burst = &self.lanes[usize::from(lane)].burst;
        let (served, left) = burst.get();
        let goes_on = served == sender && left > 0;
        if goes_on {
            burst.set((served, left - 1));
        }
        goes_on
    }

    /// Leaves the queue, having sent; the sender may [go on](Self::goes_on). Wakes the next.
    pub fn served(&self, lane: u16, ticket: u64) {
        let waits = self.lanes[usize::from(lane)].waiting.borrow();
        let sender = place(&waits, ticket).map_or(NO_SENDER, |place| waits[place].sender);
        let others = |place: &Place| place.sender == sender && place.ticket != ticket;
        // What of its own waits must not be overtaken.
        let goes_on = sender != NO_SENDER && !waits.iter().any(others);
        drop(waits);
        if goes_on {
            self.lanes[usize::from(lane)].burst.set((sender, BURST));
        }
        self.leave_queue(lane, ticket);
    }

    /// Leaves the queue, and wakes the next.
    pub fn leave_queue(&self, lane: u16, ticket: u64) {
        let lane = &self.lanes[usize::from(lane)];
        let mut waiting = lane.waiting.borrow_mut();
        if let Some(place) = place(&waiting, ticket) {
            waiting.remove(place);
        }
        drop(waiting);
        lane.wake_first();
    }

    /// Slots of credit that are taken, towards all peers.
    #[must_use]
    pub fn credit_taken(&self) -> u32 {
        self.lanes.iter().map(|lane| lane.taken.get()).sum()
    }

    /// Gives credit back and wakes whoever waits first.
    #[inline]
    pub fn give_credit(&self, lane: u16, cost: u16) {
        let lane = &self.lanes[usize::from(lane)];
        lane.taken.set(lane.taken.get() - u32::from(cost));
        lane.wake_first();
    }

    /// Wakes whoever is first in the queue towards `lane`: room of another kind has come.
    #[inline]
    pub fn wake_waiters(&self, lane: u16) {
        self.lanes[usize::from(lane)].wake_first();
    }
}

/// Credit towards one peer.
pub(super) struct Lane {
    /// Slots taken by calls in flight.
    taken: Cell<u32>,
    limit: u32,
    reserve_per_depth: u32,
    waiting: RefCell<VecDeque<Place>>,
    next_ticket: Cell<u64>,
    /// The same for those that go ahead of all: tickets ascend from the queue's front.
    next_ahead: Cell<u64>,
    /// Who was served last, and how much more he may send before he must queue again.
    burst: Cell<(Sender, u32)>,
}

/// A place in the queue for credit.
struct Place {
    ticket: u64,
    sender: Sender,
    waker: Waker,
}

impl Lane {
    pub(super) fn new(limit: u32, reserve_per_depth: u32) -> Self {
        Lane {
            taken: Cell::new(0),
            limit,
            reserve_per_depth,
            waiting: RefCell::default(),
            next_ticket: Cell::new(FIRST_TICKET),
            next_ahead: Cell::new(FIRST_TICKET - 1),
            burst: Cell::new((NO_SENDER, 0)),
        }
    }

    /// What `sender` sends from now on comes behind what it queues for.
    fn end_burst(&self, sender: Sender) {
        if self.burst.get().0 == sender {
            self.burst.set((NO_SENDER, 0));
        }
    }

    #[inline]
    fn wake_first(&self) {
        if self.waiting.borrow().is_empty() {
            return;
        }
        // Outside the borrow: it may be any waker, and come back here.
        let first = self
            .waiting
            .borrow()
            .front()
            .map(|place| place.waker.clone());
        if let Some(waker) = first {
            waker.wake();
        }
    }
}

/// Where `ticket` stands in a queue. Those who are served stand first, and tickets ascend.
#[inline]
fn place(waiting: &VecDeque<Place>, ticket: u64) -> Option<usize> {
    match waiting.front() {
        Some(first) if first.ticket == ticket => Some(0),
        _ => waiting
            .binary_search_by_key(&ticket, |place| place.ticket)
            .ok(),
    }
}
