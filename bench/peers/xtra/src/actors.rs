//! What the workloads need of xtra. Its mailboxes are heaps by priority, which don't keep messages
//! of one priority in order.

use std::hint::black_box;

use peers_common::spawned::{Race, Runner, Spawned};
use peers_common::tokio_modes::{Cores, Stage};
use peers_common::{Mode, Window};
use xtra::{Actor, Address, Context, Error, Handler, Mailbox, Receiver, spawn_tokio};

/// The peer.
pub enum Xtra {}

/// What a mailbox holds. It is a heap, so that more would cost more for each message; with fewer,
/// senders on another core would find it full more often.
const ROOM: usize = 256;

#[derive(Default)]
pub struct Counter {
    count: u64,
}

#[derive(Default)]
pub struct Leaf {
    asked: u64,
}

#[derive(Default)]
pub struct Passer(Runner<Address<Passer>>);

struct Add(u64);
struct Note(u64);
struct Touch;
struct Join(Address<Passer>);
struct Start(Race);
struct Pass(u64);

impl Actor for Counter {
    type Stop = ();

    async fn stopped(self) {}
}

impl Actor for Leaf {
    type Stop = ();

    async fn stopped(self) {}
}

impl Actor for Passer {
    type Stop = ();

    async fn stopped(self) {}
}

impl Handler<Add> for Counter {
    type Return = u64;

    async fn handle(&mut self, Add(more): Add, _: &mut Context<Self>) -> u64 {
        self.count += black_box(more);
        self.count
    }
}

impl Handler<Note> for Counter {
    type Return = ();

    async fn handle(&mut self, Note(more): Note, _: &mut Context<Self>) {
        self.count += black_box(more);
    }
}

impl Handler<Touch> for Leaf {
    type Return = u64;

    async fn handle(&mut self, _: Touch, _: &mut Context<Self>) -> u64 {
        self.asked += 1;
        self.asked
    }
}

impl Handler<Join> for Passer {
    type Return = ();

    async fn handle(&mut self, Join(next): Join, _: &mut Context<Self>) {
        self.0.join(next);
    }
}

impl Handler<Start> for Passer {
    type Return = ();

    async fn handle(&mut self, Start(race): Start, _: &mut Context<Self>) {
        on(self.0.start(race)).await;
    }
}

impl Handler<Pass> for Passer {
    type Return = ();

    async fn handle(&mut self, Pass(left): Pass, _: &mut Context<Self>) {
        on(self.0.pass(left)).await;
    }
}

/// Passes the message on.
async fn on(to: Option<(&Address<Passer>, u64)>) {
    if let Some((next, left)) = to {
        let told = next.send(Pass(left)).detach().await;
        drop(told.expect("the next one lives"));
    }
}

impl Spawned for Xtra {
    type Home = tokio::runtime::Handle;
    type Counter = Address<Counter>;
    type Runner = Address<Passer>;
    type Leaf = Address<Leaf>;
    type Reply = Receiver<u64>;
    type Touched = Receiver<u64>;
    type Lost = Error;

    const BOUNDED: bool = true;

    fn stage(mode: &Mode, cores: Cores) -> Stage<Self::Home> {
        Stage::tokio(mode, cores)
    }

    async fn counter(_: Window) -> Self::Counter {
        spawn_tokio(Counter::default(), Mailbox::bounded(ROOM))
    }

    async fn ask(counter: &Self::Counter, more: u64) -> u64 {
        let asked = counter.send(Add(more)).await;
        asked.expect("the counter lives")
    }

    async fn begin(counter: &Self::Counter, more: u64) -> Self::Reply {
        let begun = counter.send(Add(more)).detach().await;
        begun.expect("the counter lives")
    }

    async fn tell(counter: &Self::Counter, more: u64) {
        let told = counter.send(Note(more)).detach().await;
        drop(told.expect("the counter lives"));
    }

    async fn runner() -> Self::Runner {
        spawn_tokio(Passer::default(), Mailbox::bounded(ROOM))
    }

    async fn join(runner: &Self::Runner, next: Self::Runner) {
        let joined = runner.send(Join(next)).await;
        joined.expect("the runner lives");
    }

    async fn start(runner: &Self::Runner, race: Race) {
        let started = runner.send(Start(race)).await;
        started.expect("the runner lives");
    }

    async fn leaf() -> Self::Leaf {
        spawn_tokio(Leaf::default(), Mailbox::bounded(ROOM))
    }

    async fn touch(leaf: &Self::Leaf) -> Self::Touched {
        let begun = leaf.send(Touch).detach().await;
        begun.expect("the leaf lives")
    }
}
