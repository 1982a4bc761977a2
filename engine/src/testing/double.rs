//! Doubles: what stands in for the actors of a type in a test.

use std::any::Any;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::future::Future;
use std::marker::PhantomData;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use super::method_of::MethodOf;
use super::times::Times;
use crate::activation::Resident;
use crate::actor::{Actor, Method};
use crate::context::Cx;
use crate::key::Key;

/// Stands in for every actor of type `A` in an engine under test, simulated or real, which
/// [`EngineBuilder::double`](crate::EngineBuilder::double) gives it to. None of them is made: no
/// factory runs, and no hook.
///
/// What a message does, its stub says. All else is as with the real actors: who is alone inside,
/// which message goes first, what is refused when the mailbox is full, who is put to sleep. One
/// double stands for all keys of its type; [`Cx::key`] tells which one is meant. A stub may
/// suspend whatever the method is like.
///
/// ```
/// use quark::prelude::*;
/// use quark::testing::{Double, SimOptions};
///
/// pub struct Bank { /* connections, which a test has none of */ }
///
/// #[actor]
/// impl Bank {
///     pub async fn book(&mut self, from: u64, cents: i64) -> Result<u32, String> {
///         unreachable!("{from}, {cents}: a test has no bank")
///     }
/// }
///
/// #[derive(Default)]
/// pub struct Till;
///
/// #[actor]
/// impl Till {
///     pub async fn sell(&mut self, cx: &Cx<Self>, cents: i64) -> bool {
///         cx.actor::<Bank>("main").book(7, cents).await.is_ok()
///     }
/// }
///
/// let bank = Double::<Bank>::new()
///     .on_async(BankRef::book, async |cx, (from, cents)| {
///         quark::sleep(std::time::Duration::from_secs(3)).await;
///         assert_eq!((cx.key(), from), ("main".into(), 7));
///         if cents > 100 { Err("too much".to_owned()) } else { Ok(1) }
///     })
///     .expect(BankRef::book, 2);
///
/// let sim = Engine::builder().double(&bank).simulate(1, SimOptions::default()).unwrap();
/// let till = sim.actor::<Till>(1);
/// assert_eq!(sim.block_on(till.sell(100)), Ok(true));
/// assert_eq!(sim.block_on(till.sell(101)), Ok(false));
///
/// assert_eq!(bank.arguments(BankRef::book), [(7, 100), (7, 101)]);
/// sim.shutdown(); // which also looks whether what was expected has come
/// ```
///
/// A message without a stub is *unexpected*: its turn panics, a simulation fails at once, and
/// [`verify`](Self::verify) does, with the message's name. A stub that panics on its own fails its
/// actor as a real one would: the caller is told, its supervisor hears of it, and it restarts.
///
/// A double is a handle: clones are the same one, and its stubs can be replaced at any time.
pub struct Double<A: Actor> {
    shared: Arc<Shared>,
    _actor: PhantomData<fn(A)>,
}

struct Shared {
    actor: &'static str,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// By method: an `Arc<dyn Stub<M>>`.
    stubs: BTreeMap<&'static str, Box<dyn Any + Send + Sync>>,
    expected: BTreeMap<&'static str, (u64, u64)>,
    calls: Vec<Call>,
    unexpected: Option<String>,
}

/// One message that a double got.
struct Call {
    to: Key,
    method: &'static str,
    arguments: String,
    /// The message itself, if it can be copied.
    message: Option<Box<dyn Any + Send>>,
}

impl<A: Actor> Double<A> {
    /// A double without a stub: every message is unexpected.
    #[must_use]
    pub fn new() -> Self {
        Double {
            shared: Arc::new(Shared {
                actor: A::NAME,
                state: Mutex::default(),
            }),
            _actor: PhantomData,
        }
    }

    /// Has `stub` answer the messages of one method. It gets the turn's context and the arguments
    /// as a tuple, and returns what the method does.
    #[must_use]
    pub fn on<M: Method<Actor = A>, Args>(
        self,
        method: impl MethodOf<A, M, Args>,
        stub: impl Fn(&Cx<A>, M::Args) -> M::Output + Send + Sync + 'static,
    ) -> Self {
        let _ = method;
        self.put::<M>(Arc::new(Ready(stub)))
    }

    /// The same with a stub that may sleep and call others.
    #[must_use]
    pub fn on_async<M: Method<Actor = A>, Args>(
        self,
        method: impl MethodOf<A, M, Args>,
        stub: impl AsyncFn(&Cx<A>, M::Args) -> M::Output + Send + Sync + 'static,
    ) -> Self {
        let _ = method;
        self.put::<M>(Arc::new(Suspending(stub)))
    }

    /// The same with one answer for all.
    #[must_use]
    pub fn returns<M: Method<Actor = A>, Args>(
        self,
        method: impl MethodOf<A, M, Args>,
        output: M::Output,
    ) -> Self
    where
        M::Output: Clone + Send + Sync + 'static,
    {
        self.on(method, move |_, _| output.clone())
    }

    /// Expects `times` messages of one method: a number, or a range like `1..` or `0..=3`. Looked
    /// at by [`verify`](Self::verify), and when a simulation ends.
    #[must_use]
    pub fn expect<M: Method<Actor = A>, Args>(
        self,
        method: impl MethodOf<A, M, Args>,
        times: impl Times,
    ) -> Self {
        let _ = method;
        self.shared.lock().expected.insert(M::NAME, times.bounds());
        self
    }

    /// How many messages of one method have begun.
    #[must_use]
    pub fn count<M: Method<Actor = A>, Args>(&self, method: impl MethodOf<A, M, Args>) -> u64 {
        let _ = method;
        self.shared.lock().count(M::NAME)
    }

    /// The arguments of all messages of one method so far, in order.
    ///
    /// # Panics
    /// If an argument of the method is not `Clone`.
    #[must_use]
    pub fn arguments<M: Method<Actor = A>, Args>(
        &self,
        method: impl MethodOf<A, M, Args>,
    ) -> Vec<M::Args> {
        let _ = method;
        let state = self.shared.lock();
        let calls = state.calls.iter().filter(|call| call.method == M::NAME);
        calls
            .map(|call| copied::<M>(call.message.as_deref().map(|message| message as &dyn Any)))
            .collect()
    }

    /// Looks whether all that was expected has come, and nothing unexpected.
    ///
    /// # Panics
    /// If not; the message lists what came.
    pub fn verify(&self) {
        if let Some(complaint) = self.shared.complaint() {
            panic!("{complaint}");
        }
    }

    fn put<M: Method<Actor = A>>(self, stub: Arc<dyn Stub<M>>) -> Self {
        self.shared.lock().stubs.insert(M::NAME, Box::new(stub));
        self
    }

    /// Notes a message that has reached an actor it stands for; gives what to answer it by.
    pub(super) fn take<M: Method<Actor = A>>(&self, to: Key, message: &M) -> StubCall<M> {
        let mut state = self.shared.lock();
        let call = Call {
            to,
            method: M::NAME,
            arguments: message.show(),
            message: message.copy().map(|message| Box::new(message) as Box<_>),
        };
        let known = state.stubs.get(M::NAME);
        let stub = known.and_then(|stub| stub.downcast_ref::<Arc<dyn Stub<M>>>());
        let stub = stub.cloned();
        if stub.is_none() && M::BARE.is_none() {
            let said = format!(
                "{}/{}: {}({}) has come to the double, which has no stub for it: give it one by \
                 .on(…Ref::{}, …)",
                A::NAME,
                call.to,
                M::NAME,
                call.arguments,
                M::NAME
            );
            state.unexpected.get_or_insert(said);
        }
        state.calls.push(call);
        Box::new(move |cx, message| match (stub, M::BARE) {
            (Some(stub), _) => stub.call(cx, message.into_args()),
            (None, Some(bare)) => Box::pin(async move { bare(message, cx) }),
            // Without the panic hook: the test is told, with the message's name.
            (None, None) => Box::pin(async { resume_unwind(Box::new("an unexpected message")) }),
        })
    }
}

/// What a message of `M` that was kept had for arguments.
pub(super) fn copied<M: Method>(message: Option<&dyn Any>) -> M::Args {
    let kept = message.and_then(|message| message.downcast_ref::<M>());
    match kept.and_then(Method::copy) {
        Some(message) => message.into_args(),
        None => panic!(
            "the arguments of {}::{} are not kept: one of them is not Clone",
            M::Actor::NAME,
            M::NAME
        ),
    }
}

impl<A: Actor> Default for Double<A> {
    fn default() -> Self {
        Self::new()
    }
}

impl<A: Actor> Clone for Double<A> {
    fn clone(&self) -> Self {
        Double {
            shared: self.shared.clone(),
            _actor: PhantomData,
        }
    }
}

impl<A: Actor> std::fmt::Debug for Double<A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Double").field(&A::NAME).finish()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is wrong at a test's end.
    fn complaint(&self) -> Option<String> {
        let state = self.lock();
        let mut said = state.unexpected.clone().unwrap_or_default();
        for (method, (least, most)) in &state.expected {
            let count = state.count(method);
            if (*least..=*most).contains(&count) {
                continue;
            }
            let times = match (*least, *most) {
                (least, most) if least == most => format!("{least} times"),
                (least, u64::MAX) => format!("{least} times at least"),
                (least, most) => format!("{least} to {most} times"),
            };
            let actor = self.actor;
            let _ = writeln!(
                said,
                "{actor}::{method} was expected {times} and came {count} times"
            );
        }
        if said.is_empty() {
            return None;
        }
        let _ = write!(said, "\nwhat has come to the double of {}:", self.actor);
        for call in &state.calls {
            let _ = write!(said, "\n  {}: {}({})", call.to, call.method, call.arguments);
        }
        if state.calls.is_empty() {
            said.push_str(" nothing");
        }
        Some(said)
    }
}

impl State {
    fn count(&self, method: &str) -> u64 {
        let of_it = self.calls.iter().filter(|call| call.method == method);
        of_it.count() as u64
    }
}

/// A stub's turn.
pub(crate) type StubTurn<M> = Pin<Box<dyn Future<Output = <M as Method>::Output>>>;
/// A stub on its way to one turn.
pub(crate) type StubCall<M> = Box<dyn FnOnce(&'static Cx<<M as Method>::Actor>, M) -> StubTurn<M>>;

/// What answers the messages of `M`.
trait Stub<M: Method>: Send + Sync {
    fn call(self: Arc<Self>, cx: &'static Cx<M::Actor>, args: M::Args) -> StubTurn<M>;
}

struct Ready<F>(F);
struct Suspending<F>(F);

impl<M: Method, F> Stub<M> for Ready<F>
where
    F: Fn(&Cx<M::Actor>, M::Args) -> M::Output + Send + Sync + 'static,
{
    fn call(self: Arc<Self>, cx: &'static Cx<M::Actor>, args: M::Args) -> StubTurn<M> {
        Box::pin(async move { (self.0)(cx, args) })
    }
}

impl<M: Method, F> Stub<M> for Suspending<F>
where
    F: AsyncFn(&Cx<M::Actor>, M::Args) -> M::Output + Send + Sync + 'static,
{
    fn call(self: Arc<Self>, cx: &'static Cx<M::Actor>, args: M::Args) -> StubTurn<M> {
        Box::pin(async move { (self.0)(cx, args).await })
    }
}

/// A double on one shard.
pub(crate) struct StandIn<A: Actor> {
    pub(super) double: Double<A>,
    /// The cells of those that wait for their restart.
    down: RefCell<BTreeSet<u32>>,
}

impl<A: Actor> StandIn<A> {
    pub(crate) fn new(double: Double<A>) -> Self {
        StandIn {
            double,
            down: RefCell::default(),
        }
    }

    /// Where a real actor's instance is dropped; false if it has been.
    pub(crate) fn goes_down(&self, resident: Resident<A>) -> bool {
        self.down.borrow_mut().insert(resident.index())
    }

    /// Where a real actor gets another.
    pub(crate) fn comes_up(&self, resident: Resident<A>) {
        self.down.borrow_mut().remove(&resident.index());
    }
}

/// The doubles of one engine, by the hash of their types' names.
#[derive(Default)]
pub(crate) struct Doubles(RwLock<BTreeMap<u64, Set>>);

#[derive(Clone)]
struct Set {
    /// A `Double<A>`.
    double: Arc<dyn Any + Send + Sync>,
    shared: Arc<Shared>,
}

impl Doubles {
    pub(crate) fn set<A: Actor>(&self, double: &Double<A>) {
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let set = Set {
            double: Arc::new(double.clone()),
            shared: double.shared.clone(),
        };
        all.insert(A::token().hash(), set);
    }

    pub(crate) fn get<A: Actor>(&self) -> Option<Double<A>> {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        all.get(&A::token().hash())?.double.downcast_ref().cloned()
    }

    /// An unexpected message that has come, if one has.
    pub(super) fn unexpected(&self) -> Option<String> {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut said = all.values().map(|set| set.shared.lock().unexpected.clone());
        said.find_map(|said| said)
    }

    /// What is wrong at a test's end.
    pub(super) fn complaint(&self) -> Option<String> {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        all.values().find_map(|set| set.shared.complaint())
    }
}
