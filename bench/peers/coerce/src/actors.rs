//! What the workloads need of Coerce.

use std::hint::black_box;

use async_trait::async_trait;
use coerce::actor::context::ActorContext;
use coerce::actor::message::{Handler, Message};
use coerce::actor::scheduler::ActorType;
use coerce::actor::system::ActorSystem;
use coerce::actor::{Actor, LocalActorRef};
use peers_common::spawned::{Race, Runner, Spawned};
use peers_common::tokio_modes::{Cores, Stage};
use peers_common::{Mode, Window};
use tokio::sync::oneshot::error::RecvError;
use tokio::sync::oneshot::{Receiver, Sender, channel};

/// The peer.
pub enum Coerce {}

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
pub struct Passer(Runner<LocalActorRef<Passer>>);

struct Add(u64);
/// [`Add`] for a caller who awaits the answer later: Coerce's own asks begin when they are awaited.
struct AddLater(u64, Sender<u64>);
struct Note(u64);
struct Touch(Sender<u64>);
struct Join(LocalActorRef<Passer>);
struct Start(Race);
struct Pass(u64);

impl Actor for Counter {}

impl Actor for Leaf {}

impl Actor for Passer {}

impl Message for Add {
    type Result = u64;
}

impl Message for AddLater {
    type Result = ();
}

impl Message for Note {
    type Result = ();
}

impl Message for Touch {
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

#[async_trait]
impl Handler<Add> for Counter {
    async fn handle(&mut self, Add(more): Add, _: &mut ActorContext) -> u64 {
        self.count += black_box(more);
        self.count
    }
}

#[async_trait]
impl Handler<AddLater> for Counter {
    async fn handle(&mut self, AddLater(more, reply): AddLater, _: &mut ActorContext) {
        self.count += black_box(more);
        // Whoever asked may have given up.
        let _ = reply.send(self.count);
    }
}

#[async_trait]
impl Handler<Note> for Counter {
    async fn handle(&mut self, Note(more): Note, _: &mut ActorContext) {
        self.count += black_box(more);
        self.received += 1;
        self.window.took(self.received);
    }
}

#[async_trait]
impl Handler<Touch> for Leaf {
    async fn handle(&mut self, Touch(reply): Touch, _: &mut ActorContext) {
        self.asked += 1;
        // Whoever asked may have given up.
        let _ = reply.send(self.asked);
    }
}

#[async_trait]
impl Handler<Join> for Passer {
    async fn handle(&mut self, Join(next): Join, _: &mut ActorContext) {
        self.0.join(next);
    }
}

#[async_trait]
impl Handler<Start> for Passer {
    async fn handle(&mut self, Start(race): Start, _: &mut ActorContext) {
        on(self.0.start(race));
    }
}

#[async_trait]
impl Handler<Pass> for Passer {
    async fn handle(&mut self, Pass(left): Pass, _: &mut ActorContext) {
        on(self.0.pass(left));
    }
}

/// Passes the message on.
#[inline]
fn on(to: Option<(&LocalActorRef<Passer>, u64)>) {
    if let Some((next, left)) = to {
        next.notify(Pass(left)).expect("the next one lives");
    }
}

/// Makes an actor without waiting for its start.
async fn spawn<A: Actor>(actor: A) -> LocalActorRef<A> {
    let system = ActorSystem::global_system();
    // Anonymous actors may share a name: nobody looks them up.
    let anonymous = ActorType::Anonymous;
    system.new_actor_deferred("actor", actor, anonymous).await
}

impl Spawned for Coerce {
    type Home = tokio::runtime::Handle;
    type Counter = LocalActorRef<Counter>;
    type Runner = LocalActorRef<Passer>;
    type Leaf = LocalActorRef<Leaf>;
    type Reply = Receiver<u64>;
    type Touched = Receiver<u64>;
    type Lost = RecvError;

    const BOUNDED: bool = false;

    fn stage(mode: &Mode, cores: Cores) -> Stage<Self::Home> {
        Stage::tokio(mode, cores)
    }

    async fn counter(window: Window) -> Self::Counter {
        spawn(Counter {
            count: 0,
            received: 0,
            window,
        })
        .await
    }

    async fn ask(counter: &Self::Counter, more: u64) -> u64 {
        counter.send(Add(more)).await.expect("the counter answers")
    }

    async fn begin(counter: &Self::Counter, more: u64) -> Self::Reply {
        let (reply, answer) = channel();
        let begun = counter.notify(AddLater(more, reply));
        begun.expect("the counter lives");
        answer
    }

    async fn tell(counter: &Self::Counter, more: u64) {
        counter.notify(Note(more)).expect("the counter lives");
    }

    async fn runner() -> Self::Runner {
        spawn(Passer::default()).await
    }

    async fn join(runner: &Self::Runner, next: Self::Runner) {
        runner.notify(Join(next)).expect("the runner lives");
    }

    async fn start(runner: &Self::Runner, race: Race) {
        runner.notify(Start(race)).expect("the runner lives");
    }

    async fn leaf() -> Self::Leaf {
        spawn(Leaf::default()).await
    }

    async fn touch(leaf: &Self::Leaf) -> Self::Touched {
        let (reply, answer) = channel();
        leaf.notify(Touch(reply)).expect("the leaf lives");
        answer
    }

    fn end(leaf: Self::Leaf) {
        leaf.notify_stop().expect("the leaf lives");
    }
}
