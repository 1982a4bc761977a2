//! The workloads for peers whose actors are tasks on tokio, found by a reference and made one by
//! one. A peer says how its actors are made and reached; what they do is the same for all.
//!
//! Callers are tasks beside the actors, on the same runtime: this costs no peer more than if an
//! actor of its own called.

mod activate;
mod asks;
mod fans;
mod gate;
mod relay;
mod tells;

use std::fmt::Debug;
use std::future::Future;

pub use gate::Gate;
pub use relay::{Race, Runner};

use crate::answer::{Answer, Dash};
use crate::cli::{Job, Mode};
use crate::tokio_modes::{Cores, Home, Stage};
use crate::window::Window;
use crate::workload::Workload;

/// A peer whose actors are spawned. Actors that are made live on the home that runs the future.
pub trait Spawned: 'static {
    /// Where its actors live.
    type Home: Home;
    /// Refers to an actor that counts.
    type Counter: Clone + Send + Sync + 'static;
    /// Refers to an actor that passes a message on, as [`Runner`] says.
    type Runner: Clone + Send + Sync + 'static;
    /// Refers to an actor of eight bytes.
    type Leaf: Send + 'static;
    /// The answer to an ask that was sent.
    type Reply: Future<Output = Result<u64, Self::Lost>> + Send;
    /// The same of a leaf.
    type Touched: Future<Output = Result<u64, Self::Lost>> + Send;
    /// Why there is no answer.
    type Lost: Debug;

    /// Whether a full mailbox makes senders wait; else they wait at a [`Gate`].
    const BOUNDED: bool;

    /// Homes on the caller's core and, if that is asked for, on the callee's.
    fn stage(mode: &Mode, cores: Cores) -> Stage<Self::Home>;

    /// Makes an actor that counts. Where mailboxes have no bound, it tells `window` of each message
    /// sent by [`tell`](Self::tell).
    fn counter(window: Window) -> impl Future<Output = Self::Counter> + Send;
    /// Counts, and says how far it has come.
    fn ask(counter: &Self::Counter, more: u64) -> impl Future<Output = u64> + Send;
    /// Sends the same; to be awaited later.
    fn begin(counter: &Self::Counter, more: u64) -> impl Future<Output = Self::Reply> + Send;
    /// Counts, and says nothing.
    fn tell(counter: &Self::Counter, more: u64) -> impl Future<Output = ()> + Send;

    /// Makes an actor that passes a message on.
    fn runner() -> impl Future<Output = Self::Runner> + Send;
    /// Tells it who comes next.
    fn join(runner: &Self::Runner, next: Self::Runner) -> impl Future<Output = ()> + Send;
    /// Tells it to begin a race.
    fn start(runner: &Self::Runner, race: Race) -> impl Future<Output = ()> + Send;

    /// Makes an actor of eight bytes that counts how often it was asked.
    fn leaf() -> impl Future<Output = Self::Leaf> + Send;
    /// Asks it; to be awaited later.
    fn touch(leaf: &Self::Leaf) -> impl Future<Output = Self::Touched> + Send;
    /// Ends it.
    fn end(leaf: Self::Leaf) {
        drop(leaf);
    }
}

/// Does what `job` says.
///
/// # Errors
/// None: peers of this kind can do all workloads.
pub fn work<S: Spawned>(job: &Job) -> Result<Answer, Dash> {
    Ok(match job.workload {
        Workload::AskLocal => asks::local::<S>(job),
        Workload::AskCross => asks::across::<S>(job),
        Workload::TellLocal => tells::tell::<S>(job, Cores::One),
        Workload::TellCross => tells::tell::<S>(job, Cores::Two),
        Workload::FanIn => fans::fan_in::<S>(job),
        Workload::FanOut => fans::fan_out::<S>(job),
        Workload::Ring => relay::ring::<S>(job),
        Workload::PingPong => relay::ping_pong::<S>(job),
        Workload::Activate => activate::activate::<S>(job),
        Workload::Idle => activate::idle::<S>(job),
    })
}

/// Lets everything else that is ready run once.
async fn others() {
    let mut waited = false;
    std::future::poll_fn(|cx| {
        if std::mem::replace(&mut waited, true) {
            return std::task::Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        std::task::Poll::Pending
    })
    .await;
}
