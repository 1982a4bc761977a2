//! What the workloads need of kameo.

use std::hint::black_box;

use kameo::Actor;
use kameo::actor::{ActorRef, Spawn};
use kameo::error::SendError;
use kameo::mailbox::bounded;
use kameo::message::{Context, Message};
use kameo::request::PendingReply;
use peers_common::spawned::{Race, Runner, Spawned};
use peers_common::tokio_modes::{Cores, Stage};
use peers_common::{Mode, Window};

/// The peer.
pub enum Kameo {}

/// What a counter's mailbox holds: on one core as quick as the default of 64, but senders on another
/// core find it full less often.
const ROOM: usize = 1_024;

#[derive(Actor, Default)]
pub struct Counter {
    count: u64,
}

#[derive(Actor, Default)]
pub struct Leaf {
    asked: u64,
}

#[derive(Actor, Default)]
pub struct Passer(Runner<ActorRef<Passer>>);

/// Adds to a count, or asks a leaf, and is answered by a number.
pub struct Add(u64);
struct Note(u64);
struct Join(ActorRef<Passer>);
struct Start(Race);
struct Pass(u64);

impl Message<Add> for Counter {
    type Reply = u64;

    async fn handle(&mut self, Add(more): Add, _: &mut Context<Self, u64>) -> u64 {
        self.count += black_box(more);
        self.count
    }
}

impl Message<Note> for Counter {
    type Reply = ();

    async fn handle(&mut self, Note(more): Note, _: &mut Context<Self, ()>) {
        self.count += black_box(more);
    }
}

impl Message<Add> for Leaf {
    type Reply = u64;

    async fn handle(&mut self, Add(more): Add, _: &mut Context<Self, u64>) -> u64 {
        self.asked += more;
        self.asked
    }
}

impl Message<Join> for Passer {
    type Reply = ();

    async fn handle(&mut self, Join(next): Join, _: &mut Context<Self, ()>) {
        self.0.join(next);
    }
}

impl Message<Start> for Passer {
    type Reply = ();

    async fn handle(&mut self, Start(race): Start, _: &mut Context<Self, ()>) {
        on(self.0.start(race));
    }
}

impl Message<Pass> for Passer {
    type Reply = ();

    async fn handle(&mut self, Pass(left): Pass, _: &mut Context<Self, ()>) {
        on(self.0.pass(left));
    }
}

/// Passes the message on: there is one in all mailboxes together.
fn on(to: Option<(&ActorRef<Passer>, u64)>) {
    if let Some((next, left)) = to {
        let told = next.tell(Pass(left)).try_send();
        told.expect("the next one lives");
    }
}

impl Spawned for Kameo {
    type Home = tokio::runtime::Handle;
    type Counter = ActorRef<Counter>;
    type Runner = ActorRef<Passer>;
    type Leaf = ActorRef<Leaf>;
    type Reply = PendingReply<Add, u64>;
    type Touched = PendingReply<Add, u64>;
    type Lost = SendError<Add>;

    const BOUNDED: bool = true;

    fn stage(mode: &Mode, cores: Cores) -> Stage<Self::Home> {
        Stage::tokio(mode, cores)
    }

    async fn counter(_: Window) -> Self::Counter {
        Counter::spawn_with_mailbox(Counter::default(), bounded(ROOM))
    }

    async fn ask(counter: &Self::Counter, more: u64) -> u64 {
        let asked = counter.ask(Add(more)).send().await;
        asked.expect("the counter lives")
    }

    async fn begin(counter: &Self::Counter, more: u64) -> Self::Reply {
        let begun = counter.ask(Add(more)).enqueue().await;
        begun.expect("the counter lives")
    }

    async fn tell(counter: &Self::Counter, more: u64) {
        let told = counter.tell(Note(more)).send().await;
        told.expect("the counter lives");
    }

    async fn runner() -> Self::Runner {
        Passer::spawn(Passer::default())
    }

    async fn join(runner: &Self::Runner, next: Self::Runner) {
        let joined = runner.ask(Join(next)).send().await;
        joined.expect("the runner lives");
    }

    async fn start(runner: &Self::Runner, race: Race) {
        let started = runner.ask(Start(race)).send().await;
        started.expect("the runner lives");
    }

    async fn leaf() -> Self::Leaf {
        Leaf::spawn(Leaf::default())
    }

    async fn touch(leaf: &Self::Leaf) -> Self::Touched {
        let begun = leaf.ask(Add(1)).enqueue().await;
        begun.expect("the leaf lives")
    }
}
