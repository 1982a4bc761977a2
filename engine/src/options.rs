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
        /// Makes the mailbox's bound follow the actor's pace: as many messages as it works off
        /// in this time, and no more than [`mailbox`](Self::mailbox) says.
        adaptive(Duration);
        /// How often actors of the type may be called, on each shard.
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenFull {
    /// Its sender is told at once.
    #[default]
    Refuse,
    /// It waits; its sender's credit stays taken, so that senders slow down.
    Wait,
    /// The oldest message that waits becomes a dead letter, and this one takes its place.
    DropOldest,
    /// This one becomes a dead letter.
    DropNewest,
}

/// Which of the messages that wait for an actor goes first. Among equals, the oldest; and the
/// lower ones get a share of the turns however many higher ones come.
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// In the long run.
    pub per_second: u32,
    /// At once, after a pause.
    pub burst: u32,
}

/// When calls of a type are refused because too many have failed.
///
/// Closed: calls pass, and failures are counted. Open: all are refused. Half open: one is let
/// through, and what becomes of it decides.
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Supervision {
    /// Whom the failure of one child concerns.
    pub strategy: Strategy,
    /// What is done with an actor that fails.
    pub on_failure: Directive,
    /// So many restarts …
    pub restarts: u16,
    /// … within this time are borne; one more is a failure of the supervisor itself.
    pub within: Duration,
    /// How long a restart waits.
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

impl Default for Backoff {
    fn default() -> Self {
        Backoff {
            first: Duration::from_millis(1),
            longest: Duration::from_secs(10),
            jitter_percent: 20,
        }
    }
}

impl Supervision {
    /// One for one, restarted, ten times a minute.
    pub const DEFAULT: Supervision = Supervision {
        strategy: Strategy::OneForOne,
        on_failure: Directive::Restart,
        restarts: 10,
        within: Duration::from_secs(60),
        backoff: Backoff {
            first: Duration::from_millis(1),
            longest: Duration::from_secs(10),
            jitter_percent: 20,
        },
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
