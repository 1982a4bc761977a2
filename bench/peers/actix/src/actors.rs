//! What the workloads need of actix.

use std::hint::black_box;

use actix::dev::Request;
use actix::{Actor, Addr, Context, Handler, MailboxError, Message};
use peers_common::spawned::{Race, Runner, Spawned};
use peers_common::tokio_modes::{Cores, Stage};
use peers_common::{Mode, Window};

use crate::stage::{self, On};

/// The peer.
pub enum Actix {}

/// What a counter's mailbox holds: asks beyond the default of 16 would wait for good, since nothing
/// wakes the task of one that found the mailbox full.
const ROOM: usize = 1_024;

#[derive(Default)]
pub struct Counter {
    count: u64,
    received: u64,
    window: Window,
}

#[derive(Default)]
pub struct Leaf {
    asked: u64,
}

#[derive(Default)]
pub struct Passer(Runner<Addr<Passer>>);

/// Adds to a count, or asks a leaf, and is answered by a number.
pub struct Add(u64);
struct Note(u64);
struct Join(Addr<Passer>);
struct Start(Race);
struct Pass(u64);

impl Message for Add {
    type Result = u64;
}

impl Message for Note {
    type Result = ();
}

impl Message for Join {
    type Result = ();
}

impl Message for Start {
    type Result = ();
}

impl Message for Pass {
    type Result = ();
}

impl Actor for Counter {
    type Context = Context<Self>;
}

impl Actor for Leaf {
    type Context = Context<Self>;
}

impl Actor for Passer {
    type Context = Context<Self>;
}

impl Handler<Add> for Counter {
    type Result = u64;

    fn handle(&mut self, Add(more): Add, _: &mut Context<Self>) -> u64 {
        self.count += black_box(more);
        self.count
    }
}

impl Handler<Note> for Counter {
    type Result = ();

    fn handle(&mut self, Note(more): Note, _: &mut Context<Self>) {
        self.count += black_box(more);
        self.received += 1;
        self.window.took(self.received);
    }
}

impl Handler<Add> for Leaf {
    type Result = u64;

    fn handle(&mut self, Add(more): Add, _: &mut Context<Self>) -> u64 {
        self.asked += more;
        self.asked
    }
}

impl Handler<Join> for Passer {
    type Result = ();

    fn handle(&mut self, Join(next): Join, _: &mut Context<Self>) {
        self.0.join(next);
    }
}

impl Handler<Start> for Passer {
    type Result = ();

    fn handle(&mut self, Start(race): Start, _: &mut Context<Self>) {
        on(self.0.start(race));
    }
}

impl Handler<Pass> for Passer {
    type Result = ();

    fn handle(&mut self, Pass(left): Pass, _: &mut Context<Self>) {
        on(self.0.pass(left));
    }
}

/// Passes the message on.
fn on(to: Option<(&Addr<Passer>, u64)>) {
    if let Some((next, left)) = to {
        next.do_send(Pass(left));
    }
}

impl Spawned for Actix {
    type Home = On;
    type Counter = Addr<Counter>;
    type Runner = Addr<Passer>;
    type Leaf = Addr<Leaf>;
    type Reply = Request<Counter, Add>;
    type Touched = Request<Leaf, Add>;
    type Lost = MailboxError;

    const BOUNDED: bool = false;

    fn stage(_: &Mode, cores: Cores) -> Stage<Self::Home> {
        stage::stage(cores)
    }

    async fn counter(window: Window) -> Self::Counter {
        let mut context = Context::new();
        context.set_mailbox_capacity(ROOM);
        context.run(Counter {
            window,
            ..Counter::default()
        })
    }

    async fn ask(counter: &Self::Counter, more: u64) -> u64 {
        let asked = counter.send(Add(more)).await;
        asked.expect("the counter lives")
    }

    async fn begin(counter: &Self::Counter, more: u64) -> Self::Reply {
        counter.send(Add(more))
    }

    async fn tell(counter: &Self::Counter, more: u64) {
        counter.do_send(Note(more));
    }

    async fn runner() -> Self::Runner {
        Passer::default().start()
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
        Leaf::default().start()
    }

    async fn touch(leaf: &Self::Leaf) -> Self::Touched {
        leaf.send(Add(1))
    }
}
