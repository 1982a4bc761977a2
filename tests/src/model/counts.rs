//! How often each kind of event has happened.

use std::fmt;
use std::ops::AddAssign;

macro_rules! kinds {
    ($($kind:ident $words:literal,)*) => {
        /// A kind of event that a load is made of.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Kind {
            $(#[doc = $words] $kind,)*
        }

        /// All kinds, each with what it is called.
        pub const KINDS: &[(Kind, &str)] = &[$((Kind::$kind, $words),)*];
    };
}

kinds! {
    Ask "asks",
    Tell "tells",
    Send "sends",
    Answer "answers",
    Timeout "timeouts",
    MethodPanic "panics of methods",
    InjectedPanic "panics injected",
    Restart "restarts",
    Restarted "turns dropped by a restart",
    Activation "activations",
    Deactivation "deactivations",
    AskedToLeave "deactivations asked for",
    LongFarewell "awaits in on_deactivate",
    RefusedActivation "activations that failed",
    MailboxFull "refusals of full mailboxes",
    Waiting "messages waiting beyond a mailbox",
    Interleaved "shared turns interleaved",
    Nested "nested asks",
    CallCycle "call cycles",
    OwnChain "shared turns entered by their own chain",
    Overloaded "refusals for want of credit",
    MethodError "errors of methods",
    Large "large messages",
    StringKey "messages to string keys",
    Gone "callers that gave up",
    Timer "timers",
    DeadLetter "dead letters",
    Delay "delays between shards",
    Overtaken "messages of two senders reordered",
    Stall "stalls",
    Outside "messages from outside",
    Cut "clients cut off by a shutdown",
    AtShutdown "asks under way at a shutdown",
}

/// One number for each [`Kind`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counts([u64; KINDS.len()]);

impl Default for Counts {
    fn default() -> Self {
        Counts([0; KINDS.len()])
    }
}

impl Counts {
    /// How often `kind` has happened.
    #[must_use]
    pub fn of(&self, kind: Kind) -> u64 {
        self.0[kind as usize]
    }

    /// Counts `times` more of `kind`.
    pub fn add(&mut self, kind: Kind, times: u64) {
        self.0[kind as usize] += times;
    }

    /// What has not happened at all.
    #[must_use]
    pub fn missing(&self) -> Vec<&'static str> {
        let missing = KINDS.iter().filter(|(kind, _)| self.of(*kind) == 0);
        missing.map(|(_, words)| *words).collect()
    }
}

impl AddAssign<&Counts> for Counts {
    fn add_assign(&mut self, other: &Counts) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine += theirs;
        }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (kind, words) in KINDS {
            writeln!(f, "{:>12}  {words}", self.of(*kind))?;
        }
        Ok(())
    }
}
