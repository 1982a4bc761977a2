//! What `#[actor]` writes does what the user's methods and options say.
#![allow(missing_docs)]

use std::{
    collections::HashSet, convert::Infallible, fmt, marker::PhantomData, rc::Rc, time::Duration,
};

use quark::{
    __private::{Actor, ActorRef, Coalesce, Method},
    ActivateError, ActorOptions, Backoff, Breaker, Directive, Key, Near, Placement, Priority,
    RateLimit, Strategy, Supervision, WhenFull,
    prelude::*,
    testing::{Sim, SimOptions},
};

#[derive(Default)]
struct Account {
    cents: i64,
    log: Rc<Vec<String>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Overdrawn;

#[actor(
    name = "bank.account",
    mailbox = 8,
    when_full = "wait",
    idle_after_ms = 250,
    timeout_ms = 1_000,
    pinned = 1
)]
impl Account {
    pub async fn deposit(&mut self, cents: i64) -> i64 {
        quark::sleep(Duration::from_millis(1)).await;
        self.cents += cents;
        self.cents
    }

    pub fn balance(&self) -> i64 {
        self.cents
    }

    #[turn(priority = "high")]
    pub async fn withdraw(&mut self, cx: &Cx<Self>, mut cents: i64) -> Result<u16, Overdrawn> {
        cents += 1;
        if cents > self.cents {
            return Err(Overdrawn);
        }
        self.cents -= cents;
        Ok(cx.shard())
    }

    #[turn(priority = "low", coalesce)]
    pub async fn format(&self, width: usize, name: String) -> Result<String, Overdrawn> {
        Ok(format!("{name:width$}{}", self.cents))
    }

    #[turn(coalesce)]
    pub async fn cents(&self) -> Box<i64> {
        Box::new(self.cents)
    }

    #[quark::turn(priority = "normal")]
    pub fn alias(&self) -> fmt::Result {
        Err(fmt::Error)
    }

    pub fn r#type(&self, r#fn: Box<dyn Fn(&str) -> usize + Send>) -> usize {
        r#fn("account")
    }

    pub fn digits(&self, a: u64, cx: u64, actor: u64, mut last: u64) -> u64 {
        last += 1;
        ((a * 10 + cx) * 10 + actor) * 10 + last
    }

    pub(crate) fn log(&self) -> Rc<Vec<String>> {
        Rc::clone(&self.log)
    }
}

/// No `Default`, and hooks.
struct Counter {
    counts: Vec<u32>,
}

#[actor]
impl Counter {
    const WIDTH: usize = 2;

    pub async fn absorb(&mut self, others: Vec<Self>) -> [u32; Self::WIDTH] {
        self.counts
            .extend(others.into_iter().flat_map(|other| other.counts));
        [self.counts.len() as u32; Self::WIDTH]
    }

    async fn on_activate(&mut self, cx: &Cx<Self>) -> Result<(), fmt::Error> {
        if cx.key() != Key::from("good") {
            return Err(fmt::Error);
        }
        self.counts.push(1);
        Ok(())
    }

    #[cfg(not(test))]
    fn on_deactivate(&mut self) {
        unreachable!("compiled for no test");
    }

    #[cfg(not(test))]
    pub fn missing(&self) -> NoSuchType {}
}

#[derive(Default)]
struct Sleeper {
    awake: bool,
}

#[actor]
impl Sleeper {
    fn on_activate(&mut self) {
        self.awake = true;
    }

    #[cfg(test)]
    async fn on_deactivate(&mut self) {
        self.awake = false;
    }

    pub fn awake(&self) -> bool {
        self.awake
    }
}

/// Every other option.
struct Careful;

#[actor(
    affinity = Self::group,
    near = "core:3",
    when_full = "drop_newest",
    adaptive_ms = 20,
    rate_limit = 500,
    burst = 5,
    breaker(failures = 5, within_ms = 1000, open_ms = 5000),
    keep = true,
    supervise(
        strategy = "all_for_one",
        on_failure = "stop",
        restarts = 3,
        within_ms = 2000,
        backoff_ms = 5..=50,
        jitter_percent = 0
    )
)]
impl Careful {
    fn group(_: &Key) -> Key {
        Key::from("all")
    }
}

fn simulated() -> Sim {
    Engine::builder()
        .register::<Counter>(|_| Counter { counts: vec![0] })
        .simulate(7, SimOptions::default())
        .unwrap()
}

fn message_of<M: Method>(_: &Call<'_, M>) -> PhantomData<(M::Ok, M::Err)> {
    PhantomData
}

fn describe<M: Method>(_: &Call<'_, M>) -> (&'static str, bool, Priority, bool) {
    (M::NAME, M::SYNC, M::PRIORITY, M::COALESCE.is_some())
}

#[test]
fn a_message_is_the_method_called() {
    let sim = simulated();
    let account = sim.actor::<Account>("alice");
    sim.block_on(async move {
        assert_eq!(account.deposit(5).await, Ok(5));
        assert_eq!(account.deposit(6).await, Ok(11));
        assert_eq!(account.balance().await, Ok(11));
        assert_eq!(account.digits(1, 2, 3, 4).await, Ok(1235));
        assert_eq!(account.r#type(Box::new(str::len)).await, Ok(7));
    });
    assert_eq!(Account::default().log().len(), 0);
}

#[test]
fn a_result_is_split_and_the_context_comes_from_the_engine() {
    let sim = simulated();
    let account = sim.actor::<Account>("alice");
    let answer: PhantomData<(u16, Overdrawn)> = message_of(&account.withdraw(1));
    let plain: PhantomData<(i64, Infallible)> = message_of(&account.balance());
    let alias: PhantomData<((), fmt::Error)> = message_of(&account.alias());
    assert_eq!((answer, plain, alias), Default::default());
    sim.block_on(async move {
        let refused = Err(CallError::Failed(Overdrawn));
        assert_eq!(account.withdraw(1).await, refused);
        assert_eq!(account.deposit(10).await, Ok(10));
        assert_eq!(account.withdraw(1).await, Ok(1));
        assert_eq!(account.balance().await, Ok(8));
        let failed = Err(CallError::Failed(fmt::Error));
        assert_eq!(account.alias().await, failed);
    });
}

#[test]
fn messages_say_what_the_method_says() {
    let sim = simulated();
    let account = sim.actor::<Account>("alice");
    let (low, normal, high) = (Priority::Low, Priority::Normal, Priority::High);
    assert_eq!(
        describe(&account.deposit(5)),
        ("deposit", false, normal, false)
    );
    assert_eq!(
        describe(&account.withdraw(5)),
        ("withdraw", false, high, false)
    );
    assert_eq!(
        describe(&account.format(1, String::new())),
        ("format", false, low, true)
    );
    assert_eq!(describe(&account.cents()), ("cents", false, normal, true));
    assert_eq!(describe(&account.alias()), ("alias", true, normal, false));
    let kind = account.r#type(Box::new(str::len));
    assert_eq!(describe(&kind), ("type", true, normal, false));
}

#[test]
fn coalesced_calls_are_compared_and_copied_argument_by_argument() {
    fn coalesce<M: Method>() -> Coalesce<M> {
        M::COALESCE.unwrap()
    }
    let format = |width: usize, name: &str| AccountFormatMessage {
        width,
        name: name.to_owned(),
        __signature: PhantomData,
    };
    let Coalesce {
        same,
        copy,
        copy_reply,
    } = coalesce::<AccountFormatMessage>();
    let message = format(5, "alice");
    assert!(same(&message, &format(5, "alice")));
    assert!(same(&message, &copy(&message)));
    assert!(!same(&message, &format(6, "alice")));
    assert!(!same(&message, &format(5, "bob")));
    assert_eq!(copy_reply(&Ok("yes".to_owned())), Ok("yes".to_owned()));
    assert_eq!(copy_reply(&Err(Overdrawn)), Err(Overdrawn));

    let cents = coalesce::<AccountCentsMessage>();
    let message = AccountCentsMessage {
        __signature: PhantomData,
    };
    assert!((cents.same)(&message, &(cents.copy)(&message)));
    assert_eq!((cents.copy_reply)(&Ok(Box::new(5))), Ok(Box::new(5)));
}

#[test]
fn options_and_names_reach_the_engine() {
    assert_eq!(Account::NAME, "bank.account");
    assert_eq!(Account::token().name(), "bank.account");
    assert!(std::ptr::eq(Account::token(), Account::token()));
    let expected = ActorOptions::new()
        .mailbox(8)
        .when_full(WhenFull::Wait)
        .idle_after(Duration::from_millis(250))
        .timeout(Duration::from_secs(1))
        .pinned(1);
    assert_eq!(written(Account::options()), written(expected));

    assert_eq!(Careful::NAME, "Careful");
    let expected = ActorOptions::new()
        .affinity(Careful::group)
        .placement(Placement::Near(Near::Core(3)))
        .when_full(WhenFull::DropNewest)
        .adaptive(Duration::from_millis(20))
        .rate_limit(RateLimit {
            per_second: 500,
            burst: 5,
        })
        .breaker(Breaker {
            failures: 5,
            within: Duration::from_secs(1),
            open: Duration::from_secs(5),
        })
        .keep(true)
        .supervision(Supervision {
            strategy: Strategy::AllForOne,
            on_failure: Directive::Stop,
            restarts: 3,
            within: Duration::from_secs(2),
            backoff: Backoff {
                first: Duration::from_millis(5),
                longest: Duration::from_millis(50),
                jitter_percent: 0,
            },
        });
    assert_eq!(written(Careful::options()), written(expected));
    assert_eq!(written(Sleeper::options()), written(ActorOptions::new()));
}

/// Options as they can be compared; functions are compared by address.
fn written(options: ActorOptions) -> String {
    format!("{options:?}")
}

#[test]
fn only_a_default_makes_a_fallback() {
    assert!(Account::fallback().is_some());
    assert!(Counter::fallback().is_none());
}

#[test]
fn hooks_run_and_are_announced() {
    const { assert!(Counter::HAS_ACTIVATE && !Counter::HAS_DEACTIVATE) };
    const { assert!(Sleeper::HAS_ACTIVATE && Sleeper::HAS_DEACTIVATE) };
    const { assert!(!Account::HAS_ACTIVATE && !Account::HAS_DEACTIVATE) };

    let sim = simulated();
    let sleeper = sim.actor::<Sleeper>(1);
    let (good, bad) = (sim.actor::<Counter>("good"), sim.actor::<Counter>("bad"));
    sim.block_on(async move {
        assert_eq!(sleeper.awake().await, Ok(true));
        let others = vec![Counter { counts: vec![2, 3] }];
        assert_eq!(good.absorb(others).await, Ok([4, 4]));
        let reason = ActivateError::new(fmt::Error.to_string());
        assert_eq!(
            bad.absorb(Vec::new()).await,
            Err(CallError::Activation(Box::new(reason)))
        );
    });
}

#[test]
fn references_are_cheap_handles_and_equal_by_whom_they_name() {
    fn is_handle<R: ActorRef<Actor = Account> + Clone + fmt::Debug + Send + Sync>(_: &R) {}
    let sim = simulated();
    let alice = sim.actor::<Account>("alice");
    let again = sim.actor::<Account>("alice");
    let bob = sim.actor::<Account>("bob");
    is_handle(&alice);
    assert_eq!(
        format!("{:?}", alice.clone()),
        "AccountRef(bank.account/alice on shard 1)"
    );
    assert_eq!(alice, again);
    assert_ne!(alice, bob);
    assert_ne!(alice, simulated().actor::<Account>("alice"));
    #[allow(clippy::mutable_key_type, reason = "what changes is not hashed")]
    let met: HashSet<AccountRef> = [alice, again, bob].into();
    assert_eq!(met.len(), 2);
}
