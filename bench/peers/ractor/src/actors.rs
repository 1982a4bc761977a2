//! What the workloads need of ractor.

use std::hint::black_box;

use peers_common::spawned::{Race, Runner, Spawned};
use peers_common::tokio_modes::{Cores, Stage};
use peers_common::{Mode, Window};
use ractor::concurrency::{OneshotReceiver, oneshot};
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};
use tokio::sync::oneshot::error::RecvError;

/// The peer.
pub enum Ractor {}

/// What an actor's functions give.
type Done<T> = Result<T, ActorProcessingErr>;

struct Counter;

struct Count {
    count: u64,
    received: u64,
    window: Window,
}

pub enum ToCounter {
    Add(u64, RpcReplyPort<u64>),
    Note(u64),
}

struct Leaf;

pub struct Touch(RpcReplyPort<u64>);

struct Passer;

pub enum ToPasser {
    Join(ActorRef<ToPasser>),
    Start(Race),
    Pass(u64),
}

impl Actor for Counter {
    type Msg = ToCounter;
    type State = Count;
    type Arguments = Window;

    async fn pre_start(&self, _: ActorRef<ToCounter>, window: Window) -> Done<Count> {
        Ok(Count {
            count: 0,
            received: 0,
            window,
        })
    }

    async fn handle(
        &self,
        _: ActorRef<ToCounter>,
        message: ToCounter,
        state: &mut Count,
    ) -> Done<()> {
        match message {
            ToCounter::Add(more, reply) => {
                state.count += black_box(more);
                reply.send(state.count)?;
            }
            ToCounter::Note(more) => {
                state.count += black_box(more);
                state.received += 1;
                state.window.took(state.received);
            }
        }
        Ok(())
    }
}

impl Actor for Leaf {
    type Msg = Touch;
    type State = u64;
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Touch>, _: ()) -> Done<u64> {
        Ok(0)
    }

    async fn handle(&self, _: ActorRef<Touch>, Touch(reply): Touch, asked: &mut u64) -> Done<()> {
        *asked += 1;
        Ok(reply.send(*asked)?)
    }
}

impl Actor for Passer {
    type Msg = ToPasser;
    type State = Runner<ActorRef<ToPasser>>;
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<ToPasser>, _: ()) -> Done<Self::State> {
        Ok(Runner::default())
    }

    async fn handle(
        &self,
        _: ActorRef<ToPasser>,
        message: ToPasser,
        runner: &mut Self::State,
    ) -> Done<()> {
        let to = match message {
            ToPasser::Join(next) => {
                runner.join(next);
                None
            }
            ToPasser::Start(race) => runner.start(race),
            ToPasser::Pass(left) => runner.pass(left),
        };
        if let Some((next, left)) = to {
            next.cast(ToPasser::Pass(left))?;
        }
        Ok(())
    }
}

/// Makes an actor that nobody has called yet.
async fn spawn<A: Actor>(actor: A, arguments: A::Arguments) -> ActorRef<A::Msg> {
    let spawned = A::spawn(None, actor, arguments).await;
    spawned.expect("nothing fails at its start").0
}

impl Spawned for Ractor {
    type Home = tokio::runtime::Handle;
    type Counter = ActorRef<ToCounter>;
    type Runner = ActorRef<ToPasser>;
    type Leaf = ActorRef<Touch>;
    type Reply = OneshotReceiver<u64>;
    type Touched = OneshotReceiver<u64>;
    type Lost = RecvError;

    const BOUNDED: bool = false;

    fn stage(mode: &Mode, cores: Cores) -> Stage<Self::Home> {
        Stage::tokio(mode, cores)
    }

    async fn counter(window: Window) -> Self::Counter {
        spawn(Counter, window).await
    }

    async fn ask(counter: &Self::Counter, more: u64) -> u64 {
        let asked = counter
            .call(|reply| ToCounter::Add(more, reply), None)
            .await;
        asked.expect("the counter lives").expect("it answers")
    }

    async fn begin(counter: &Self::Counter, more: u64) -> Self::Reply {
        let (reply, answer) = oneshot();
        let begun = counter.cast(ToCounter::Add(more, reply.into()));
        begun.expect("the counter lives");
        answer
    }

    async fn tell(counter: &Self::Counter, more: u64) {
        let told = counter.cast(ToCounter::Note(more));
        told.expect("the counter lives");
    }

    async fn runner() -> Self::Runner {
        spawn(Passer, ()).await
    }

    async fn join(runner: &Self::Runner, next: Self::Runner) {
        let joined = runner.cast(ToPasser::Join(next));
        joined.expect("the runner lives");
    }

    async fn start(runner: &Self::Runner, race: Race) {
        let started = runner.cast(ToPasser::Start(race));
        started.expect("the runner lives");
    }

    async fn leaf() -> Self::Leaf {
        spawn(Leaf, ()).await
    }

    async fn touch(leaf: &Self::Leaf) -> Self::Touched {
        let (reply, answer) = oneshot();
        let begun = leaf.cast(Touch(reply.into()));
        begun.expect("the leaf lives");
        answer
    }

    fn end(leaf: Self::Leaf) {
        leaf.stop(None);
    }
}
