//! What a type asks for beyond the engine's defaults.

use std::fmt;
use std::time::Duration;

use crate::key::Key;

/// What an actor type asks for beyond the engine's defaults. Set in its attribute, and over that
/// at its registration; what neither sets is the engine's.
#[derive(Clone, Copy, Debug, Default)]
pub struct ActorOptions {
    pub(crate) mailbox: Option<usize>,
    pub(crate) when_full: Option<WhenFull>,
    pub(crate) adaptive: Option<Duration>,
    pub(crate) rate_limit: Option<RateLimit>,
    pub(crate) breaker: Option<Breaker>,
    pub(crate) idle_after: Option<Duration>,
    pub(crate) keep: Option<bool>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) placement: Option<Placement>,
    pub(crate) affinity: Option<fn(&Key) -> Key>,
    pub(crate) supervision: Option<Supervision>,
}

macro_rules! setters {
    ($($(#[$doc:meta])* $name:ident($type:ty);)*) => {
        $($(#[$doc])*
        #[must_use]
        pub const fn $name(mut self, $name: $type) -> Self {
            self.$name = Some($name);
            self
        })*
    };
}

impl ActorOptions {
    /// The engine's defaults.
    #[must_use]
    pub const fn new() -> Self {
        ActorOptions {
            mailbox: None,
            when_full: None,
            adaptive: None,
            rate_limit: None,
            breaker: None,
            idle_after: None,
            keep: None,
            timeout: None,
            placement: None,
            affinity: None,
            supervision: None,
        }
    }

    setters! {
        /// Messages that may wait for one actor of the type.
        mailbox(usize);
        /// What happens to a message that finds the mailbox full.
        when_full(WhenFull);
        /// Makes the mailbox's bound follow the pace of the type's actors, on each shard: as many
        /// messages as one works off in this time, and no more than [`mailbox`](Self::mailbox)
        /// says. Four may wait however slow they are, and sixteen before the first was measured.
        adaptive(Duration);
        /// How often actors of the type may be called, on each shard: all of them together.
        rate_limit(RateLimit);
        /// Refuses calls of the type for a while when too many have failed, on each shard.
        breaker(Breaker);
        /// How long an actor stays in memory without a message.
        idle_after(Duration);
        /// Whether actors of the type stay in memory whatever happens.
        keep(bool);
        /// How long asks of this type wait unless the call says otherwise.
        timeout(Duration);
        /// Where actors of the type live.
        placement(Placement);
        /// Places an actor by the group that this makes of its key, not by the key itself: the
        /// actors of one group live together, whatever their types.
        affinity(fn(&Key) -> Key);
        /// What becomes of actors of the type that fail, and of the children of those that have
        /// some.
        supervision(Supervision);
    }

    /// All actors of the type live on this shard.
    #[must_use]
    pub const fn pinned(self, shard: u16) -> Self {
        self.placement(Placement::Pinned(shard))
    }

    /// These options, with what `over` sets on top.
    #[must_use]
    pub(crate) fn overridden(self, over: ActorOptions) -> Self {
        ActorOptions {
            mailbox: over.mailbox.or(self.mailbox),
            when_full: over.when_full.or(self.when_full),
            adaptive: over.adaptive.or(self.adaptive),
            rate_limit: over.rate_limit.or(self.rate_limit),
            breaker: over.breaker.or(self.breaker),
            idle_after: over.idle_after.or(self.idle_after),
            keep: over.keep.or(self.keep),
            timeout: over.timeout.or(self.timeout),
            placement: over.placement.or(self.placement),
            affinity: over.affinity.or(self.affinity),
            supervision: over.supervision.or(self.supervision),
        }
    }
}

/// What happens to a message that finds its actor's mailbox full.
///
/// A one-way message that is dropped becomes a [dead letter](crate::Engine::dead_letters); who
/// waits for an answer hears [`CallError::Dropped`](crate::CallError::Dropped).
///
/// ```
/// use quark::prelude::*;
/// use quark::testing::SimOptions;
/// use std::time::Duration;
///
/// /// Only the latest prices are worth anything.
/// #[derive(Default)]
/// pub struct Ticker {
///     prices: Vec<u64>,
/// }
///
/// #[actor(mailbox = 2, when_full = "drop_oldest")]
/// impl Ticker {
///     pub async fn rest(&mut self) {
///         quark::sleep(Duration::from_millis(1)).await;
///     }
///
///     pub fn price(&mut self, cents: u64) {
///         self.prices.push(cents);
///     }
///
///     pub fn prices(&self) -> Vec<u64> {
///         self.prices.clone()
///     }
/// }
///
/// let sim = Engine::builder().simulate(1, SimOptions::default()).unwrap();
/// let ticker = sim.actor::<Ticker>("XYZ");
/// ticker.rest().tell().unwrap();
/// sim.run_for(Duration::from_micros(100));
/// for cents in [100, 101, 102, 103] {
///     ticker.price(cents).tell().unwrap();
/// }
/// sim.run_until_idle();
/// assert_eq!(sim.block_on(ticker.prices()), Ok(vec![102, 103]));
/// assert_eq!(sim.dead_letters().count(quark::DeadReason::Dropped), 2);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenFull {
    /// Its sender is told at once.
    #[default]
    Refuse,
    /// It waits; its sender's credit stays taken, so that senders slow down.
    Wait,
    /// The oldest message that waits is dropped, and this one takes its place. Of several
    /// [priorities](Priority), the oldest of the lowest; this one itself if all others are above
    /// it.
    DropOldest,
    /// This one is dropped.
    DropNewest,
}

/// Which of the messages that wait for an actor goes first. Among equals, the oldest.
///
/// The lower ones get a share of the turns however many higher ones come: when eight have gone
/// past a priority, it is its turn.
///
/// Only what waits in a mailbox is sorted. A message whose actor is free, and for whom nobody
/// waits, begins at once.
///
/// ```
/// use quark::prelude::*;
/// use quark::testing::SimOptions;
/// use std::time::Duration;
///
/// #[derive(Default)]
/// pub struct Book {
///     done: Vec<&'static str>,
/// }
///
/// #[actor]
/// impl Book {
///     pub async fn auction(&mut self) {
///         quark::sleep(Duration::from_millis(1)).await;
///     }
///
///     pub fn order(&mut self) {
///         self.done.push("order");
///     }
///
///     #[turn(priority = "high")]
///     pub fn cancel(&mut self) {
///         self.done.push("cancel");
///     }
///
///     pub fn done(&self) -> Vec<&'static str> {
///         self.done.clone()
///     }
/// }
///
/// let sim = Engine::builder().simulate(1, SimOptions::default()).unwrap();
/// let book = sim.actor::<Book>("XYZ");
/// book.auction().tell().unwrap();
/// book.order().tell().unwrap();
/// book.cancel().tell().unwrap();
/// sim.run_until_idle();
/// assert_eq!(sim.block_on(book.done()), Ok(vec!["cancel", "order"]));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// When nothing else waits, and now and then.
    Low,
    /// What is said of no other.
    #[default]
    Normal,
    /// First.
    High,
}

/// How often something may happen: a bucket of `burst` tokens that `per_second` flow into.
///
/// Calls beyond it are refused with [`CallError::RateLimited`](crate::CallError::RateLimited),
/// which says when the next one may come. One-way messages go back to a sender on the same shard,
/// and become dead letters where that is far.
///
/// ```
/// use quark::prelude::*;
/// use quark::testing::SimOptions;
///
/// #[derive(Default)]
/// pub struct Mailer;
///
/// #[actor(rate_limit = 5, burst = 2)]
/// impl Mailer {
///     pub fn send(&mut self) {}
/// }
///
/// let sim = Engine::builder().simulate(1, SimOptions::default()).unwrap();
/// let mailer = sim.actor::<Mailer>(1);
/// assert!(sim.block_on(mailer.send()).is_ok());
/// assert!(sim.block_on(mailer.send()).is_ok());
/// let refused = sim.block_on(mailer.send()).unwrap_err();
/// sim.run_for(refused.retry_after().unwrap());
/// assert!(sim.block_on(mailer.send()).is_ok());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// In the long run; 0 counts as 1.
    pub per_second: u32,
    /// At once, after a pause; 0 counts as 1.
    pub burst: u32,
}

/// When calls of a type are refused because too many have failed.
///
/// Closed: calls pass, and failures are counted. Open: all are refused, with
/// [`CallError::CircuitOpen`](crate::CallError::CircuitOpen). Half open: one is let through, and
/// what becomes of it decides; if it takes longer than `open`, another may try.
/// [`Engine::breakers`](crate::Engine::breakers) tells how they stand.
///
/// ```
/// use quark::prelude::*;
/// use quark::testing::SimOptions;
/// use quark::BreakerState;
/// use std::time::Duration;
///
/// #[derive(Default)]
/// pub struct Bank;
///
/// #[actor(breaker(failures = 2, within_ms = 1_000, open_ms = 500))]
/// impl Bank {
///     pub fn pay(&self, cents: i64) -> Result<(), &'static str> {
///         if cents > 0 { Ok(()) } else { Err("nothing to pay") }
///     }
/// }
///
/// let sim = Engine::builder().simulate(1, SimOptions::default()).unwrap();
/// let bank = sim.actor::<Bank>(1);
/// for _ in 0..2 {
///     assert!(matches!(sim.block_on(bank.pay(0)), Err(CallError::Failed(_))));
/// }
/// assert!(matches!(sim.block_on(bank.pay(1)), Err(CallError::CircuitOpen(_))));
/// assert!(sim.breakers().iter().any(|breaker| breaker.state == BreakerState::Open));
/// sim.run_for(Duration::from_millis(500));
/// assert_eq!(sim.block_on(bank.pay(1)), Ok(()));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Breaker {
    /// So many failures open it (panics, and errors of methods that return a `Result`) …
    pub failures: u16,
    /// … within this time.
    pub within: Duration,
    /// How long it stays open before a call is let through to try.
    pub open: Duration,
}

/// Where the actors of a type live.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Placement {
    /// Spread over all shards by their keys' hashes.
    #[default]
    Hash,
    /// Where chance puts them at their activation.
    Random,
    /// On the shard that calls them first.
    Local,
    /// All on this shard.
    Pinned(u16),
    /// Spread over the shards near a place of the machine.
    Near(Near),
    /// On every shard that calls them: as many instances of one key as its calls keep busy, up
    /// to `most` on each shard. For actors without state of their own.
    Workers {
        /// Instances of one key on one shard.
        most: u16,
    },
}

/// A place of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Near {
    /// A NUMA node, by its number.
    Node(u16),
    /// A core, by the number of one of its CPUs: the shards that share its caches.
    Core(u16),
}

/// What becomes of actors that fail, by panic or by [`Cx::fail`](crate::Cx::fail).
///
/// Each actor has one supervisor. For one that has a parent ([`Cx::child`](crate::Cx::child)) it
/// is that, and what the *parent's* type says here counts, with the failures of all its children
/// taken together. For all others it is the engine, and what their own type says counts. The
/// supervisor's word may have to come from another shard; until then nobody enters the actor, and
/// turns that are suspended inside may go on.
///
/// What a supervisor does not bear is its own failure: a parent that has seen too many fails
/// itself, which restarts its children with it if its own supervisor so decides. What comes up
/// to the engine that way, or is too much for it, is given up: the actor ends and its children
/// with it, those who wait are answered [`ActorStopped`](crate::CallError::ActorStopped), and
/// [`EngineBuilder::on_escalation`](crate::EngineBuilder::on_escalation) hears of it. The next
/// call to its key begins a new life.
///
/// An actor that can't be activated has not failed in this sense: its callers hear of it, and the
/// next call tries again, as always.
///
/// ```
/// use std::time::Duration;
///
/// use quark::prelude::*;
/// use quark::testing::SimOptions;
/// use quark::{ActorOptions, Strategy, Supervision};
///
/// #[derive(Default)]
/// pub struct Reader;
///
/// #[actor]
/// impl Reader {
///     pub fn read(&mut self, text: String) -> usize {
///         text.parse().expect("a number was promised")
///     }
/// }
///
/// #[derive(Default)]
/// pub struct Desk;
///
/// #[actor]
/// impl Desk {
///     pub async fn read(&mut self, cx: &Cx<Self>, text: String) -> Result<usize, CallError> {
///         cx.child::<Reader>("of this desk").read(text).await
///     }
/// }
///
/// // The readers of a desk fail together, and three times a second at most.
/// let rules = Supervision {
///     strategy: Strategy::AllForOne,
///     restarts: 3,
///     within: Duration::from_secs(1),
///     ..Supervision::DEFAULT
/// };
/// let sim = Engine::builder()
///     .configure::<Desk>(ActorOptions::new().supervision(rules))
///     .simulate(1, SimOptions::default())
///     .unwrap();
/// let desk = sim.actor::<Desk>(1);
/// sim.block_on(async {
///     let panicked = Err(CallError::Failed(CallError::Panicked));
///     assert_eq!(desk.read("x".to_owned()).await, panicked);
///     assert_eq!(desk.read("7".to_owned()).await, Ok(7), "a fresh reader");
/// });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Supervision {
    /// Whom the failure of one child concerns, where that child is restarted or stopped for it.
    pub strategy: Strategy,
    /// What is done with an actor that fails.
    pub on_failure: Directive,
    /// So many failures that lead to restarts …
    pub restarts: u16,
    /// … within this time are borne; one more is a failure of the supervisor itself.
    pub within: Duration,
    /// How long a restart waits: the longer, the more there were within that time.
    pub backoff: Backoff,
}

/// Whom the failure of one child concerns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strategy {
    /// That child.
    #[default]
    OneForOne,
    /// All children.
    AllForOne,
    /// That child, and those that became children after it.
    RestForOne,
}

/// What is done with an actor that has failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Directive {
    /// It gets a fresh instance; its mailbox and all references stay.
    #[default]
    Restart,
    /// It goes on as it is.
    Resume,
    /// It ends: whoever waits for it is refused. The next call to its key begins a new life.
    Stop,
    /// Its supervisor fails in its stead.
    Escalate,
}

/// Waits between restarts: each twice as long as the one before, up to the longest, and each
/// shortened by chance so that those who fail together don't return together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The first.
    pub first: Duration,
    /// The longest.
    pub longest: Duration,
    /// What part of a wait chance may take away, in percent.
    pub jitter_percent: u8,
}

impl Backoff {
    /// A millisecond, two, four and so on up to ten seconds, each less up to a fifth.
    pub const DEFAULT: Backoff = Backoff {
        first: Duration::from_millis(1),
        longest: Duration::from_secs(10),
        jitter_percent: 20,
    };
}

impl Default for Backoff {
    fn default() -> Self {
        Backoff::DEFAULT
    }
}

impl Supervision {
    /// One for one, restarted, ten times a minute.
    pub const DEFAULT: Supervision = Supervision {
        strategy: Strategy::OneForOne,
        on_failure: Directive::Restart,
        restarts: 10,
        within: Duration::from_secs(60),
        backoff: Backoff::DEFAULT,
    };
}

impl Default for Supervision {
    fn default() -> Self {
        Supervision::DEFAULT
    }
}

impl fmt::Display for Near {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Near::Node(node) => write!(f, "node {node}"),
            Near::Core(cpu) => write!(f, "cpu {cpu}"),
        }
    }
}
