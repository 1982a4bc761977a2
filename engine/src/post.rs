//! Posts: what one shard's engine has to tell another's. One way, never refused, in order.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::future::poll_fn;
use std::task::{Context, Poll, Waker};

use quark_shards::local_ring::LocalMessage;
use quark_shards::mesh::Outbound;
use quark_shards::ring::{Message, Producer};
use quark_shards::shard::Shard;

use crate::message::{Toll, fits};
use crate::runtime::{Runtime, with_runtime};

#[cfg(test)]
mod tests;

impl Runtime {
    /// Has `message` delivered on the shard `lane`; on this very one behind what it has queued.
    ///
    /// It arrives once, unless the engine ends before, and never on this stack. Posts from one
    /// shard to one other arrive in the order posted, and behind everything sent there before.
    /// What is sent there *later* by other ways goes past a post that waits for credit; see
    /// [`has_posts`](Self::has_posts).
    ///
    /// Posts have credit of their own, and wait ahead of everybody else's messages: those may be
    /// waiting, with all other credit, for the very thing that a post says. So a delivery must
    /// never wait for anything itself.
    pub(crate) fn post<M: Message<Shard>>(&self, shard: &Shard, lane: u16, message: M) {
        let Some(out) = shard.outbound(lane) else {
            debug_assert_eq!(lane, shard.id(), "a post to a shard that is not there");
            return defer(shard, message);
        };
        let mut post = Post(Some(message));
        if self.has_posts(lane) {
            return self.posts.push(lane, Box::new(post));
        }
        if !post.try_send(out) {
            self.posts.push(lane, Box::new(post));
            let ticket = shard.calls().wait_ahead(lane, Waker::noop().clone());
            shard.spawn(poll_fn(move |cx| {
                with_runtime(|shard, runtime| runtime.send_posts(shard, lane, ticket, cx))
            }));
        }
    }

    /// Whether posts to the shard `lane` wait for credit: others are not to overtake them.
    pub(crate) fn has_posts(&self, lane: u16) -> bool {
        self.posts.0.borrow().contains_key(&lane)
    }

    fn send_posts(&self, shard: &Shard, lane: u16, ticket: u64, cx: &mut Context<'_>) -> Poll<()> {
        // Nobody is ahead; this is to have the waker renewed, before credit is looked for.
        shard.calls().is_first(lane, ticket, cx.waker());
        if let Some(out) = shard.outbound(lane)
            && !self.posts.send(lane, out)
        {
            return Poll::Pending;
        }
        shard.calls().leave_queue(lane, ticket);
        Poll::Ready(())
    }
}

/// Posts that wait for credit, by the shard that they go to: an entry is there, and a task that
/// sends them, as long as some do.
#[derive(Default)]
pub(crate) struct Posts(RefCell<BTreeMap<u16, VecDeque<Box<dyn Queued>>>>);

impl Posts {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }

    fn push(&self, lane: u16, post: Box<dyn Queued>) {
        self.0.borrow_mut().entry(lane).or_default().push_back(post);
    }

    /// Sends what there is credit for; true if that was all.
    fn send(&self, lane: u16, out: &Outbound) -> bool {
        let mut lanes = self.0.borrow_mut();
        let Some(queue) = lanes.get_mut(&lane) else {
            return true;
        };
        while let Some(post) = queue.front_mut() {
            if !post.try_send(out) {
                return false;
            }
            queue.pop_front();
        }
        lanes.remove(&lane);
        true
    }
}

/// A post whose kind its queue need not know.
trait Queued {
    /// Sends it if there is credit.
    fn try_send(&mut self, out: &Outbound) -> bool;
}

struct Post<M>(Option<M>);

impl<M: Message<Shard>> Queued for Post<M> {
    fn try_send(&mut self, out: &Outbound) -> bool {
        let whole = const { fits::<Posted<M>>() };
        let slots = if whole {
            slots_of::<Posted<M>>()
        } else {
            slots_of::<Posted<Boxed<M>>>()
        };
        if !out.tells().try_take_control(slots) {
            return false;
        }
        let message = self.0.take().expect("a post is sent once");
        if whole {
            out.send(Posted(message));
        } else {
            out.send(Posted(Boxed(Box::new(message))));
        }
        true
    }
}

const fn slots_of<M>() -> u16 {
    Producer::<Shard>::slots_of::<M>() as u16
}

/// A post on its way.
struct Posted<M>(M);

impl<M: Message<Shard>> Message<Shard> for Posted<M> {
    fn deliver(self, shard: &Shard, from: u16) {
        let mut toll = Toll {
            peer: from,
            slots: slots_of::<Self>(),
        };
        toll.pay(shard);
        self.0.deliver(shard, from);
    }
}

/// A message too large for a ring.
struct Boxed<M>(Box<M>);

impl<M: Message<Shard>> Message<Shard> for Boxed<M> {
    fn deliver(self, shard: &Shard, from: u16) {
        (*self.0).deliver(shard, from);
    }
}

/// A post to its own shard.
struct Here<M>(M);

impl<M: Message<Shard>> LocalMessage<Shard> for Here<M> {
    fn deliver(self, shard: &Shard) {
        self.0.deliver(shard, shard.id());
    }
}

fn defer<M: Message<Shard>>(shard: &Shard, message: M) {
    if const { fits::<Here<M>>() } {
        shard.defer(Here(message));
    } else {
        shard.defer(Here(Boxed(Box::new(message))));
    }
}
