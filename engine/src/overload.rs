//! What becomes of messages that find their actor's mailbox full, and of those that wait aside
//! from the shard's own queue.

use quark_shards::calls::Deadline;
use quark_shards::shard::Shard;

use crate::activation::Resident;
use crate::actor::{Actor, Method};
use crate::context::Context;
use crate::error::Refusal;
use crate::limits::{Limits, Permit};
use crate::message::{Incoming, ReplyTo, Toll};
use crate::options::{Priority, WhenFull};
use crate::runtime::Runtime;
use crate::types::TypeShard;

impl<A: Actor> TypeShard<A> {
    /// Whether messages of `M` from this very shard go past its queue, straight into the mailbox:
    /// those that may go before others, and those that may have to make room for later ones. In
    /// the queue neither can be done.
    #[inline]
    pub(crate) fn posts<M: Method>(&self) -> bool {
        !matches!(M::PRIORITY, Priority::Normal) || self.when_full == WhenFull::DropOldest
    }

    /// Messages that may wait for one actor, as things are.
    pub(crate) fn bound(&self) -> usize {
        let limits = self.limits.as_deref();
        limits.and_then(Limits::bound).unwrap_or(self.mailbox)
    }

    /// Whether a one-way message from this very shard is not its sender's to keep, for want of room.
    pub(crate) fn takes_told(&self, resident: Resident<A>) -> bool {
        resident.load() < self.bound()
            || matches!(self.when_full, WhenFull::DropOldest | WhenFull::DropNewest)
    }

    /// What a fresh cell's [`room`](crate::activation::Head::has_room) is: none where each
    /// message must be looked at more closely, see [`Runtime::tell_closely`].
    pub(crate) fn quick_room(&self) -> usize {
        if self.when_full == WhenFull::DropOldest || self.limits.is_some() {
            0
        } else {
            self.mailbox
        }
    }
}

impl Runtime {
    /// A one-way message from this very shard that can't simply be queued: there seems to be no
    /// room, or its type or method has rules of its own. The message is left where it is if its
    /// sender shall have it back.
    #[cold]
    #[inline(never)]
    pub(crate) fn tell_closely<M: Method>(
        &self,
        shard: &Shard,
        resident: Resident<M::Actor>,
        message: &mut Option<M>,
        context: impl FnOnce() -> Option<Context>,
    ) -> Result<(), Refusal> {
        let types = self.types.get::<M::Actor>(self)?;
        if !types.takes_told(resident) {
            return Err(Refusal::MailboxFull);
        }
        let is_full = resident.load() >= types.bound();
        let permit = match &types.limits {
            Some(limits) => limits.admit(shard.now(), <M::Actor as Actor>::NAME)?,
            None => Permit::Unasked,
        };
        let args = message.take().expect("a message is sent once");
        let incoming = Incoming {
            args,
            reply: ReplyTo::Nobody,
            deadline: Deadline::NEVER,
            depth: 0,
            context: context(),
            toll: Toll::default(),
            permit,
            is_relayed: false,
        };
        if is_full && types.when_full == WhenFull::DropNewest {
            self.refuse(shard, &resident, incoming, Refusal::Dropped);
        } else if types.posts::<M>() {
            self.enqueue(shard, resident, incoming);
        } else {
            self.queue(shard, resident, incoming);
        }
        Ok(())
    }

    /// A call from this very shard meets its actor, behind what the shard has queued for it.
    pub(crate) fn arrive_behind<M: Method>(
        &self,
        shard: &Shard,
        types: &TypeShard<M::Actor>,
        resident: Resident<M::Actor>,
        incoming: Incoming<M>,
        may_inline: bool,
    ) {
        if may_inline && resident.queued() == 0 {
            self.arrive_apart(shard, resident, incoming);
        } else if types.posts::<M>() {
            self.enqueue(shard, resident, incoming);
        } else {
            self.queue(shard, resident, incoming);
        }
    }

    /// Puts a message from this very shard into the mailbox, past the shard's own queue.
    pub(crate) fn enqueue<M: Method>(
        &self,
        shard: &Shard,
        resident: Resident<M::Actor>,
        incoming: Incoming<M>,
    ) {
        self.take_in(shard, resident, incoming, false);
        let next = resident.mailbox.next_is_exclusive(&self.outliers);
        if next.is_some_and(|exclusive| resident.admits_next(exclusive)) {
            self.resume_soon(shard, resident);
        }
    }

    /// The message again, if it may wait in the mailbox; else it was refused.
    pub(crate) fn find_room<M: Method>(
        &self,
        shard: &Shard,
        types: &TypeShard<M::Actor>,
        resident: Resident<M::Actor>,
        mut incoming: Incoming<M>,
    ) -> Option<Incoming<M>> {
        if resident.mailbox.len() < types.bound() {
            incoming.toll.pay(shard);
            return Some(incoming);
        }
        let refusal = match types.when_full {
            // Its credit stays taken until its turn: that is what slows its sender down.
            WhenFull::Wait => return Some(incoming),
            WhenFull::Refuse => Refusal::MailboxFull,
            WhenFull::DropNewest => Refusal::Dropped,
            WhenFull::DropOldest => {
                while resident.mailbox.len() >= types.bound() {
                    let Some(oldest) = resident.mailbox.shed(&self.outliers, M::PRIORITY) else {
                        // What waits is more important.
                        self.refuse(shard, &resident, incoming, Refusal::Dropped);
                        return None;
                    };
                    oldest.refuse(shard, self, Refusal::Dropped);
                }
                incoming.toll.pay(shard);
                return Some(incoming);
            }
        };
        self.refuse(shard, &resident, incoming, refusal);
        None
    }
}
