//! What `#[actor]` writes does what the user's method does: one turn each, run on the spot.

use std::{convert::Infallible, fmt, rc::Rc, time::Duration};

use quark::{
    __private::{Actor, ActorOptions, ActorRef, Method, RefCore, WhenFull},
    prelude::*,
    ready,
};

#[derive(Default)]
struct Account {
    cents: i64,
    log: Rc<Vec<String>>,
}

#[derive(Debug, PartialEq, Eq)]
struct Overdrawn;

#[actor(
    name = "bank.account",
    mailbox = 8,
    when_full = "wait",
    idle_after_ms = 250,
    timeout_ms = 1_000,
    pinned = 3
)]
impl Account {
    pub async fn deposit(&mut self, cents: i64) -> i64 {
        suspend().await;
        self.cents += cents;
        self.cents
    }

    pub fn balance(&self) -> i64 {
        self.cents
    }

    pub async fn withdraw(&mut self, cx: &Cx<Self>, mut cents: i64) -> Result<u16, Overdrawn> {
        cents += 1;
        if cents > self.cents {
            return Err(Overdrawn);
        }
        self.cents -= cents;
        Ok(cx.shard())
    }

    pub fn format(&self) -> fmt::Result {
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
        if cx.shard() != 7 || self.counts.is_empty() {
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
        suspend().await;
        self.awake = false;
    }
}

/// Suspends once.
async fn suspend() {
    let mut suspended = false;
    std::future::poll_fn(|_| {
        if std::mem::replace(&mut suspended, true) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
}

fn message_of<M: Method>(_: &Call<'_, M>) -> std::marker::PhantomData<(M::Ok, M::Err)> {
    std::marker::PhantomData
}

#[test]
fn a_message_is_the_method_called() {
    let (bank, mut account) = (AccountRef::from(RefCore), Account::default());
    assert_eq!(bank.deposit(5).run(&mut account), Ok(5));
    assert_eq!(bank.deposit(6).run(&mut account), Ok(11));
    assert_eq!(bank.balance().run(&mut account), Ok(11));
    assert_eq!(bank.digits(1, 2, 3, 4).run(&mut account), Ok(1235));
    assert_eq!(account.log().len(), 0);
}

#[test]
fn a_result_is_split_and_the_context_comes_from_the_engine() {
    let (bank, mut account) = (AccountRef::from(RefCore), Account::default());
    assert_eq!(bank.withdraw(1).run(&mut account), Err(Overdrawn));
    account.cents = 10;
    assert_eq!(bank.withdraw(1).run(&mut account), Ok(7));
    assert_eq!(account.cents, 8);

    let answer: std::marker::PhantomData<(u16, Overdrawn)> = message_of(&bank.withdraw(1));
    let plain: std::marker::PhantomData<(i64, Infallible)> = message_of(&bank.balance());
    let alias: std::marker::PhantomData<((), fmt::Error)> = message_of(&bank.format());
    assert_eq!((answer, plain, alias), Default::default());
    assert_eq!(bank.format().run(&mut account), Err(fmt::Error));
}

#[test]
fn messages_know_their_names_and_whether_they_suspend() {
    let bank = AccountRef::from(RefCore);
    assert_eq!(bank.deposit(5).describe(), ("deposit", false));
    assert_eq!(bank.balance().describe(), ("balance", true));
    let kind = bank.r#type(Box::new(str::len));
    assert_eq!(kind.describe(), ("type", true));
    assert_eq!(kind.run(&mut Account::default()), Ok(7));
}

#[test]
fn options_and_names_reach_the_engine() {
    assert_eq!(Account::NAME, "bank.account");
    assert_eq!(Account::token().name(), "bank.account");
    assert!(std::ptr::eq(Account::token(), Account::token()));
    let expected = ActorOptions {
        mailbox: Some(8),
        when_full: Some(WhenFull::Wait),
        idle_after: Some(Duration::from_millis(250)),
        timeout: Some(Duration::from_secs(1)),
        pinned: Some(3),
    };
    assert_eq!(Account::options(), expected);
    assert_eq!(Counter::NAME, "Counter");
    assert_eq!(Counter::options(), ActorOptions::new());
}

#[test]
fn only_a_default_makes_a_fallback() {
    assert!(Account::fallback().is_some());
    assert!(Counter::fallback().is_none());
}

#[test]
fn self_in_a_signature_is_the_actor() {
    let counters = CounterRef::from(RefCore);
    let mut counter = Counter { counts: vec![1] };
    let others = vec![Counter { counts: vec![2, 3] }];
    assert_eq!(counters.absorb(others).run(&mut counter), Ok([3, 3]));
}

#[test]
fn hooks_run_and_are_announced() {
    let mut counter = Counter { counts: Vec::new() };
    let failed = ready(counter.activate(&Cx::default()));
    assert_eq!(failed, Err(ActivateError::new(fmt::Error.to_string())));
    counter.counts.push(0);
    assert_eq!(ready(counter.activate(&Cx::default())), Ok(()));
    assert_eq!(counter.counts, [0, 1]);
    ready(counter.deactivate(&Cx::default()));
    const { assert!(Counter::HAS_ACTIVATE && !Counter::HAS_DEACTIVATE) };

    let mut sleeper = Sleeper::default();
    assert_eq!(ready(sleeper.activate(&Cx::default())), Ok(()));
    assert!(sleeper.awake);
    ready(sleeper.deactivate(&Cx::default()));
    assert!(!sleeper.awake);
    const { assert!(Sleeper::HAS_ACTIVATE && Sleeper::HAS_DEACTIVATE) };
    const { assert!(!Account::HAS_ACTIVATE && !Account::HAS_DEACTIVATE) };
}

#[test]
fn references_are_cheap_handles() {
    fn is_handle<R: ActorRef<Actor = Account> + Clone + fmt::Debug + Send + Sync>(_: &R) {}
    let bank = AccountRef::from(RefCore);
    is_handle(&bank);
    assert_eq!(format!("{:?}", bank.clone()), "AccountRef(RefCore)");
    let _: &RefCore = bank.core();
}
