//! The simulator: many shards in one thread, with one seed, one virtual clock, one network and
//! a disk for each node.
//!
//! Nothing happens by itself. Whoever owns the [`SimWorld`] picks a shard that can run
//! ([`SimWorld::pick`]), lets it make a pass, and when none can, moves the clock to the
//! [next event](SimWorld::next_event). The clock stands still while a shard runs, except where
//! it [stalls](SimWorld::stall): a loop that spins until some time has come must not spin here.
//!
//! Every draw comes from the seed and every collection iterates in a fixed order, so a seed
//! replays: [`SimWorld::trace`] is a hash of all that happened.

mod config;
mod counts;
mod disk;
mod driver;
mod file;
mod flight;
mod harm;
mod names;
mod network;
mod nodes;
#[cfg(test)]
mod tests;
mod world;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

pub use self::config::SimConfig;
pub use self::counts::DiskCounts;
pub use self::driver::SimDriver;
use self::world::World;
use crate::time::Time;

/// A simulated world; clones are handles to the same one.
#[derive(Clone)]
pub struct SimWorld {
    inner: Rc<RefCell<World>>,
}

impl SimWorld {
    /// The world of `seed`.
    #[must_use]
    pub fn new(seed: u64, config: SimConfig) -> Self {
        SimWorld {
            inner: Rc::new(RefCell::new(World::new(seed, config))),
        }
    }

    /// A driver for `shard`, on node 0. Shards are numbered through the whole world. An older
    /// driver of the same shard is dead from now on.
    #[must_use]
    pub fn driver(&self, shard: u16) -> SimDriver {
        self.driver_on(0, shard)
    }

    /// A driver for `shard` on `node`; the shards of a node share its disk and its crashes.
    #[must_use]
    pub fn driver_on(&self, node: u16, shard: u16) -> SimDriver {
        SimDriver::new(self.inner.clone(), node, shard)
    }

    /// The virtual time.
    #[must_use]
    pub fn now(&self) -> Time {
        self.inner.borrow().now()
    }

    /// When something happens next: an operation ends, bytes arrive, a mesh delay is over, or
    /// a parked shard's time has come. `None` when nothing ever will.
    #[must_use]
    pub fn next_event(&self) -> Option<Time> {
        self.inner.borrow().next_event()
    }

    /// Lets everything up to `time` happen. A time in the past changes nothing.
    pub fn advance_to(&self, time: Time) {
        self.inner.borrow_mut().advance_to(time);
    }

    /// Moves the clock as if the shard now running had kept its core for `long`.
    pub fn stall(&self, long: Duration) {
        let time = self.now() + long;
        self.advance_to(time);
    }

    /// Has the clock stand still whatever moves it, and nothing between shards be held up, or no
    /// longer; says what was so before.
    pub fn set_frozen(&self, frozen: bool) -> bool {
        self.inner.borrow_mut().set_frozen(frozen)
    }

    /// Whether the clock stands still.
    #[must_use]
    pub fn is_frozen(&self) -> bool {
        self.inner.borrow().is_frozen()
    }

    /// Picks, by the seed, one of the shards that can run, and takes it out of its park and
    /// its bell's ring with it. `None` if all are parked with nothing to do.
    #[must_use]
    pub fn pick(&self) -> Option<u16> {
        self.inner.borrow_mut().pick()
    }

    /// Whether `shard` can run: it is not parked, or something ends its park.
    #[must_use]
    pub fn is_runnable(&self, shard: u16) -> bool {
        self.inner.borrow().is_runnable(shard)
    }

    /// Whether `shard` is parked, whether or not something ends that.
    #[must_use]
    pub fn is_parked(&self, shard: u16) -> bool {
        self.inner.borrow().is_parked(shard)
    }

    /// Whether `shard`'s bell was rung since it was last picked or taken.
    #[must_use]
    pub fn is_rung(&self, shard: u16) -> bool {
        self.inner.borrow().is_rung(shard)
    }

    /// Takes the ring of `shard`'s bell, if there is one.
    #[must_use]
    pub fn take_rung(&self, shard: u16) -> bool {
        self.inner.borrow_mut().take_rung(shard)
    }

    /// Takes the power from `node`: its drivers are dead, its connections reset, and of what
    /// was written since the last successful fdatasync each part is kept, torn or lost by the
    /// seed, and so is each name that was given or taken since its directory was synced. Make new
    /// drivers to start it again.
    pub fn crash(&self, node: u16) {
        self.inner.borrow_mut().crash(node);
    }

    /// Whether something is on its way: an operation, bytes, or messages that are held up.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.inner.borrow().is_busy()
    }

    /// How often messages between shards were held up.
    #[must_use]
    pub fn delays(&self) -> u64 {
        self.inner.borrow().delays
    }

    /// Delays no message between shards any more, and lets go those that are held up.
    pub fn calm(&self) {
        self.inner.borrow_mut().calm();
    }

    /// The next word of the world's own randomness, for schedulers and workloads.
    #[must_use]
    pub fn random(&self) -> u64 {
        self.inner.borrow_mut().random.next()
    }

    /// True with `probability`, by the world's own randomness.
    #[must_use]
    pub fn chance(&self, probability: f64) -> bool {
        self.inner.borrow_mut().random.chance(probability)
    }

    /// A hash of everything that has happened, in order.
    #[must_use]
    pub fn trace(&self) -> u64 {
        self.inner.borrow().trace
    }

    /// Folds an event of the caller's into the [trace](SimWorld::trace).
    pub fn note(&self, word: u64) {
        self.inner.borrow_mut().note(word);
    }
}
