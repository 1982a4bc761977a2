//! The workloads, by quark-bench's definitions.

use clap::ValueEnum;
use serde::Serialize;

/// What is measured. Each names the figures that its [`Answer`](crate::Answer) must carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Workload {
    /// One actor asks another on its own core, one at a time, and awaits each answer: the callee
    /// adds a number to its state and gives back the sum. `ask_ns` (median of batches, no stamps),
    /// and latencies of stamped asks.
    AskLocal,
    /// The same with the callee on the other core. `ask_ns` is the median of stamped asks;
    /// `asks_per_s_256` with 256 asks outstanding.
    AskCross,
    /// One-way messages to an actor on the sender's core; each carries a number that the receiver
    /// adds up, and all must have arrived at the end. `messages_per_s`.
    TellLocal,
    /// The same to an actor on the other core. `messages_per_s`.
    TellCross,
    /// 100 senders tell one actor: `messages_per_s` where it is on another core (or anywhere, if
    /// the peer's pool decides), `local_messages_per_s` where it is on theirs.
    FanIn,
    /// One caller asks 1,000 actors in turn: `asks_per_s` with 64 outstanding on one core,
    /// `cross_asks_per_s` with 256 to the other.
    FanOut,
    /// Savina's thread ring: a token passes 100 actors on one core. `hop_ns`.
    Ring,
    /// Two actors tell each other in turn: `message_ns` across cores, `local_message_ns` on one.
    PingPong,
    /// 1 M actors of eight bytes that were never called before, each asked once: by key where the
    /// peer has virtual actors, else by spawning. `activations_per_s`, and
    /// `bytes_per_idle_actor` beyond the eight.
    Activate,
    /// The processor time that an idle system of 1,000 actors uses in 2 s, after one ask of each:
    /// `cpu_percent` of one core.
    Idle,
}

/// Senders of [`Workload::FanIn`].
pub const SENDERS: usize = 100;
/// Callees of [`Workload::FanOut`].
pub const CALLEES: usize = 1_000;
/// Asks outstanding in [`Workload::FanOut`] on one core.
pub const OUTSTANDING: usize = 64;
/// Asks outstanding across cores.
pub const OUTSTANDING_ACROSS: usize = 256;
/// Actors of [`Workload::Ring`].
pub const RING: usize = 100;
/// Actors of [`Workload::Activate`], when nobody says.
pub const KEYS: u64 = 1_000_000;
/// Messages that may be on their way at once where a peer's mailboxes have no bound, so that a
/// sender doesn't run ahead for good: Quark's own bound.
pub const WINDOW: u64 = 1_024;
