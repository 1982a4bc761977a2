//! Plain calls on the connection that the ring has let go of (see [`busy_poll`](super::busy_poll)).

use std::io;

use super::busy_poll::Step;
use super::pending::Submission;
use super::provided::Direct;
use super::{UringDriver, entry, socket};
use crate::driver::{CHUNK_BYTES, Completion, Op, Outcome, Received};

impl UringDriver {
    /// Takes what the connection that is asked directly has brought; whether it has brought anything.
    #[inline]
    pub(super) fn take_directly(&mut self) -> bool {
        match self.busy_poll.direct() {
            Some(slot) => self.take_from(slot),
            None => false,
        }
    }

    fn take_from(&mut self, slot: u64) -> bool {
        let Some((token, socket)) = self.pending.receiving(slot) else {
            unreachable!("whatever ends a receive hands it back to the kernel first");
        };
        let step = match self.kit.provided.receive(socket) {
            Direct::Chunk(chunk) => {
                let step = self.busy_poll.heard(slot, chunk.len() < CHUNK_BYTES);
                let result = Ok(Outcome::Received(Received::lent(chunk)));
                self.ready.push_back(Completion {
                    token,
                    result,
                    more: true,
                });
                self.took_directly = true;
                self.take_step(step);
                return true;
            }
            Direct::Lent => self.busy_poll.held_up(),
            Direct::Nothing => self.busy_poll.looked_in_vain(),
            Direct::Closed => self.busy_poll.give_up(),
            Direct::Failed(error) => {
                // The kernel tells of it once: the ring will find the connection closed, no more.
                self.ready.push_back(Completion {
                    token,
                    result: Err(error),
                    more: true,
                });
                self.busy_poll.give_up()
            }
        };
        self.take_step(step);
        false
    }

    /// Hands the receive that is asked directly back to the kernel.
    pub(super) fn leave_to_ring(&mut self) {
        let step = self.busy_poll.give_up();
        self.take_step(step);
    }

    pub(super) fn take_step(&mut self, step: Step) {
        match step {
            Step::Stay => {}
            Step::Leave(slot) => self.cancel_slot(slot),
            Step::Return(slot) => {
                if let Some((_, socket)) = self.pending.receiving(slot) {
                    let entry = entry::receive_many(socket).user_data(slot);
                    self.push(Submission::One(entry));
                }
            }
        }
    }

    /// Sends `op` at once, if it is for the connection that is asked directly, and that has room.
    pub(super) fn send_directly(&self, op: &Op) -> Option<io::Result<Outcome>> {
        let Op::Send { socket, buffer } = op else {
            return None;
        };
        let (_, busy) = self.pending.receiving(self.busy_poll.direct()?)?;
        if socket.0 != busy {
            return None;
        }
        socket::send_some(busy, buffer)
            .transpose()
            .map(|sent| sent.map(Outcome::Wrote))
    }
}
