//! The connection that a spinning shard asks directly.
//!
//! While one connection alone brings all that comes by receives that go on, little at a time, and the
//! shard does not park, its receive is taken from the ring: the shard asks it by a plain `recv`, and
//! sends on it by a plain `send`, until it falls silent. What comes in bulk is better off with the
//! ring, which brings many chunks a pass. The ring lets many connections share a system call; a peer
//! that waits for one answer pays for that. A round trip of small messages between two threads that spin takes 9.0 µs by the
//! ring, 7.8 µs by plain calls while the ring waits for the connection too, and 7.4 µs without it.
//!
//! The kernel has no part of the receive by then, so bytes keep their order.

/// Chunks that a connection brings one after the other before it is asked directly.
const CHUNKS_IN_A_ROW: u32 = 8;
/// Looks in vain after which it is left to the ring again: some 25 µs for a shard that does nothing else.
const LOOKS_IN_VAIN: u32 = 256;
/// As many looks in vain as it counts for that the last chunk is still being read.
const HELD_UP: u32 = LOOKS_IN_VAIN / 8;

/// Which connection that is, by the slot of its receive.
#[derive(Default)]
pub(super) struct BusyPoll {
    phase: Phase,
    receive: u64,
    /// Short chunks that came by it since it was given up, or anything came by another.
    chunks: u32,
    /// Looks since the last, while it is asked.
    in_vain: u32,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Phase {
    /// The kernel has all receives.
    #[default]
    Ring,
    /// It was asked to let go of this one.
    Leaving,
    /// It has.
    Direct,
}

/// What is to be done with a receive.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Step {
    Stay,
    /// The kernel is to let go of it.
    Leave(u64),
    /// It is to be handed to the kernel again.
    Return(u64),
}

impl BusyPoll {
    /// The receive that the kernel does not have.
    #[inline]
    pub(super) fn direct(&self) -> Option<u64> {
        (self.phase == Phase::Direct).then_some(self.receive)
    }

    /// A chunk has come by this receive, and it goes on; `fits` says whether it could have come by a plain
    /// call as well.
    #[inline]
    pub(super) fn heard(&mut self, receive: u64, fits: bool) -> Step {
        let is_other = self.receive != receive;
        if !fits || is_other && self.phase != Phase::Ring {
            return self.give_up();
        }
        if is_other {
            (self.receive, self.chunks) = (receive, 0);
        }
        self.in_vain = 0;
        self.chunks = self.chunks.saturating_add(1);
        if self.phase == Phase::Ring && self.chunks >= CHUNKS_IN_A_ROW {
            self.phase = Phase::Leaving;
            return Step::Leave(receive);
        }
        Step::Stay
    }

    /// Nothing was there.
    #[inline]
    pub(super) fn looked_in_vain(&mut self) -> Step {
        self.in_vain += 1;
        if self.in_vain < LOOKS_IN_VAIN {
            return Step::Stay;
        }
        self.give_up()
    }

    /// What came last is still being read, and there is one buffer.
    pub(super) fn held_up(&mut self) -> Step {
        self.in_vain += HELD_UP - 1;
        self.looked_in_vain()
    }

    /// It is not worth it any more.
    pub(super) fn give_up(&mut self) -> Step {
        (self.chunks, self.in_vain) = (0, 0);
        match self.phase {
            Phase::Direct => {
                self.phase = Phase::Ring;
                Step::Return(self.receive)
            }
            // One that is leaving returns once it has left.
            Phase::Ring | Phase::Leaving => Step::Stay,
        }
    }

    /// Whether the kernel was asked to let go of this one.
    #[inline]
    pub(super) fn is_leaving(&self, receive: u64) -> bool {
        self.phase == Phase::Leaving && self.receive == receive
    }

    /// The kernel has let go of it.
    pub(super) fn has_left(&mut self) -> Step {
        self.phase = Phase::Direct;
        if self.chunks == 0 {
            return self.give_up();
        }
        Step::Stay
    }

    /// This operation is over.
    #[inline]
    pub(super) fn ended(&mut self, slot: u64) {
        if self.receive == slot {
            (self.phase, self.chunks) = (Phase::Ring, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaving(poll: &mut BusyPoll, receive: u64) {
        for _ in 1..CHUNKS_IN_A_ROW {
            assert_eq!(poll.heard(receive, true), Step::Stay);
        }
        assert_eq!(poll.heard(receive, true), Step::Leave(receive));
        assert!(poll.is_leaving(receive) && poll.direct().is_none());
    }

    #[test]
    fn one_that_is_alone_leaves_the_ring_until_others_come() {
        let mut poll = BusyPoll::default();
        for round in 0..100 {
            assert_eq!(poll.heard(round % 2, true), Step::Stay);
        }
        leaving(&mut poll, 7);
        assert_eq!(poll.has_left(), Step::Stay);
        assert_eq!(poll.direct(), Some(7));
        assert_eq!(poll.heard(7, true), Step::Stay);
        assert_eq!(poll.heard(1, true), Step::Return(7));
        assert_eq!(poll.direct(), None);
    }

    #[test]
    fn one_that_brings_much_returns_and_does_not_leave() {
        let mut poll = BusyPoll::default();
        for _ in 0..100 {
            assert_eq!(poll.heard(7, false), Step::Stay);
        }
        leaving(&mut poll, 7);
        assert_eq!(poll.has_left(), Step::Stay);
        assert_eq!(poll.heard(7, false), Step::Return(7));
    }

    #[test]
    fn one_whose_last_is_still_being_read_returns_soon() {
        let mut poll = BusyPoll::default();
        leaving(&mut poll, 7);
        assert_eq!(poll.has_left(), Step::Stay);
        for _ in 1..8 {
            assert_eq!(poll.held_up(), Step::Stay);
        }
        assert_eq!(poll.held_up(), Step::Return(7));
    }

    #[test]
    fn one_that_falls_silent_returns() {
        let mut poll = BusyPoll::default();
        leaving(&mut poll, 7);
        assert_eq!(poll.has_left(), Step::Stay);
        for _ in 1..LOOKS_IN_VAIN {
            assert_eq!(poll.looked_in_vain(), Step::Stay);
        }
        assert_eq!(poll.looked_in_vain(), Step::Return(7));
        leaving(&mut poll, 7);
    }

    #[test]
    fn one_that_is_given_up_while_it_leaves_returns_at_once() {
        let mut poll = BusyPoll::default();
        leaving(&mut poll, 7);
        assert_eq!(poll.heard(1, true), Step::Stay);
        assert_eq!(poll.has_left(), Step::Return(7));
        leaving(&mut poll, 7);
        // Its slot may soon be another's.
        poll.ended(7);
        assert!(!poll.is_leaving(7));
        leaving(&mut poll, 7);
    }
}
