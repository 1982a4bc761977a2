//! Looking at the messages that actors got in a simulation.

use std::any::Any;
use std::fmt;
use std::fmt::Write as _;
use std::marker::PhantomData;
use std::rc::Rc;

use super::double::copied;
use super::log::{Entry, Outcome, SeenMessage};
use super::method_of::MethodOf;
use super::sim::Sim;
use crate::actor::{Actor, Method};
use crate::key::{ActorId, Key};

impl Sim {
    /// The messages that actors of type `A` have got so far, in the order in which their turns
    /// began, with those that were refused at their door.
    ///
    /// ```
    /// use quark::prelude::*;
    /// use quark::testing::SimOptions;
    ///
    /// #[derive(Default)]
    /// pub struct Account;
    ///
    /// #[actor]
    /// impl Account {
    ///     pub fn deposit(&mut self, cents: i64) -> bool {
    ///         cents > 0
    ///     }
    ///
    ///     pub fn close(&mut self) {}
    /// }
    ///
    /// let options = SimOptions { log_messages: true, ..SimOptions::default() };
    /// let sim = Engine::builder().simulate(1, options).unwrap();
    /// let alice = sim.actor::<Account>("alice");
    /// sim.block_on(async {
    ///     alice.deposit(5).await.unwrap();
    ///     alice.deposit(-5).await.unwrap();
    ///     alice.close().tell().unwrap();
    /// });
    /// sim.run_until_idle();
    ///
    /// let seen = sim.seen::<Account>().to("alice");
    /// let deposits = seen.method(AccountRef::deposit).assert_count(2);
    /// assert_eq!(deposits.arguments(), [(5,), (-5,)]);
    /// deposits.with(|(cents,)| *cents < 0).assert_count(1);
    /// let closed = seen.method(AccountRef::close).told().assert_count(1);
    /// deposits.assert_before(&closed);
    /// seen.assert_all(|message| message.from.is_none());
    /// ```
    ///
    /// # Panics
    /// If the simulation keeps no log: set [`log_messages`](super::SimOptions::log_messages).
    #[must_use]
    pub fn seen<A: Actor>(&self) -> Seen<A> {
        let all = self.all_entries();
        let entries = all
            .iter()
            .filter(|entry| entry.entry.seen.to.actor == A::NAME);
        Seen {
            query: A::NAME.to_owned(),
            entries: entries.cloned().collect(),
            all: all.clone(),
            _of: PhantomData,
        }
    }

    /// All messages that actors have got so far.
    ///
    /// # Panics
    /// As [`seen`](Self::seen).
    #[must_use]
    pub fn seen_messages(&self) -> Vec<SeenMessage> {
        let all = self.all_entries();
        all.iter().map(|entry| entry.entry.seen.clone()).collect()
    }

    fn all_entries(&self) -> Rc<[Numbered]> {
        let Some(log) = self.log() else {
            panic!("no log of messages is kept: set SimOptions {{ log_messages: true, .. }}");
        };
        let entries = log.entries.borrow();
        let numbered = entries.iter().cloned().enumerate();
        numbered
            .map(|(number, entry)| Numbered { number, entry })
            .collect()
    }
}

/// Messages that actors got, as far as the log went when it was asked: first all of one type
/// ([`Sim::seen`]), then fewer by each condition.
///
/// What asserts something fails with the log in words, and gives the messages back.
pub struct Seen<A, M = ()> {
    /// What was asked for, in words.
    query: String,
    entries: Vec<Numbered>,
    all: Rc<[Numbered]>,
    _of: PhantomData<fn(A, M)>,
}

#[derive(Clone)]
struct Numbered {
    number: usize,
    entry: Entry,
}

impl<A: Actor, M> Seen<A, M> {
    /// Those of one method.
    #[must_use]
    pub fn method<N: Method<Actor = A>, Args>(
        &self,
        method: impl MethodOf<A, N, Args>,
    ) -> Seen<A, N> {
        let _ = method;
        let fewer = self.only(&format!("::{}", N::NAME), |seen| seen.method == N::NAME);
        Seen {
            query: fewer.query,
            entries: fewer.entries,
            all: fewer.all,
            _of: PhantomData,
        }
    }

    /// Those to one actor.
    #[must_use]
    pub fn to(&self, key: impl Into<Key>) -> Self {
        let key = key.into();
        self.only(&format!(" to {key}"), |seen| seen.to.key == key)
    }

    /// Those that one actor sent.
    #[must_use]
    pub fn from<B: Actor>(&self, key: impl Into<Key>) -> Self {
        let sender = ActorId {
            actor: B::NAME,
            key: key.into(),
        };
        self.only(&format!(" from {sender}"), |seen| {
            seen.from.as_ref() == Some(&sender)
        })
    }

    /// Those whose sender waits for an answer.
    #[must_use]
    pub fn asked(&self) -> Self {
        self.only(" asked", |seen| seen.asked)
    }

    /// Those that are one-way.
    #[must_use]
    pub fn told(&self) -> Self {
        self.only(" told", |seen| !seen.asked)
    }

    /// Those of which this became.
    #[must_use]
    pub fn ended(&self, outcome: &Outcome) -> Self {
        self.only(&format!(" that ended {outcome:?}"), |seen| {
            seen.outcome == *outcome
        })
    }

    /// Those of which `condition` holds.
    #[must_use]
    pub fn only_if(&self, condition: impl Fn(&SeenMessage) -> bool) -> Self {
        self.only(" under a condition", condition)
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.entries.len()
    }

    /// The messages.
    pub fn messages(&self) -> impl Iterator<Item = &SeenMessage> {
        self.entries.iter().map(|entry| &entry.entry.seen)
    }

    /// Says that there are `count` of them.
    ///
    /// # Panics
    /// If not.
    #[track_caller]
    pub fn assert_count(self, count: usize) -> Self {
        if self.count() != count {
            self.fail(&format!("{count} were to be seen, not {}", self.count()));
        }
        self
    }

    /// Says that there is one at least.
    ///
    /// # Panics
    /// If there is none.
    #[track_caller]
    pub fn assert_some(self) -> Self {
        if self.entries.is_empty() {
            self.fail("one at least was to be seen");
        }
        self
    }

    /// Says that there is none.
    ///
    /// # Panics
    /// If there is one.
    #[track_caller]
    pub fn assert_none(self) -> Self {
        self.assert_count(0)
    }

    /// Says that `condition` holds of each.
    ///
    /// # Panics
    /// If not of all.
    #[track_caller]
    pub fn assert_all(self, condition: impl Fn(&SeenMessage) -> bool) -> Self {
        if let Some(other) = self.messages().find(|seen| !condition(seen)) {
            self.fail(&format!("all were to be otherwise than this one:\n{other}"));
        }
        self
    }

    /// Says that the last of these began before the first of `others`. Both must have some.
    ///
    /// # Panics
    /// If not.
    #[track_caller]
    pub fn assert_before<B: Actor, N>(&self, others: &Seen<B, N>) {
        let (last, first) = (self.entries.last(), others.entries.first());
        let (Some(last), Some(first)) = (last, first) else {
            self.fail(&format!("some were to come before {}", others.query));
        };
        if last.number >= first.number {
            self.fail(&format!("all were to come before {}", others.query));
        }
    }

    fn only(&self, what: &str, condition: impl Fn(&SeenMessage) -> bool) -> Self {
        let entries = self.entries.iter();
        let fewer = entries.filter(|entry| condition(&entry.entry.seen));
        Seen {
            query: format!("{}{what}", self.query),
            entries: fewer.cloned().collect(),
            all: self.all.clone(),
            _of: PhantomData,
        }
    }

    #[track_caller]
    fn fail(&self, why: &str) -> ! {
        panic!("messages {}: {why}\n{self:?}", self.query);
    }
}

impl<A: Actor, M: Method<Actor = A>> Seen<A, M> {
    /// Their arguments, in order.
    ///
    /// # Panics
    /// If one of them is not `Clone`.
    #[must_use]
    pub fn arguments(&self) -> Vec<M::Args> {
        self.entries.iter().map(Numbered::arguments::<M>).collect()
    }

    /// Those of whose arguments `condition` holds.
    ///
    /// # Panics
    /// If an argument is not `Clone`.
    #[must_use]
    pub fn with(&self, condition: impl Fn(&M::Args) -> bool) -> Self {
        let mut fewer = self.only(" with certain arguments", |_| true);
        fewer
            .entries
            .retain(|entry| condition(&entry.arguments::<M>()));
        fewer
    }
}

// Whatever the actor is.
impl<A, M> Clone for Seen<A, M> {
    fn clone(&self) -> Self {
        Seen {
            query: self.query.clone(),
            entries: self.entries.clone(),
            all: self.all.clone(),
            _of: PhantomData,
        }
    }
}

impl Numbered {
    fn arguments<M: Method>(&self) -> M::Args {
        copied::<M>(
            self.entry
                .message
                .as_deref()
                .map(|message| message as &dyn Any),
        )
    }
}

/// How much of the log is shown beyond what was found.
const SHOWN: usize = 100;

impl<A, M> fmt::Debug for Seen<A, M> {
    /// The log in words; what was asked for is marked.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let skipped = self.all.len().saturating_sub(SHOWN);
        if skipped > 0 {
            writeln!(f, "  … {skipped} messages before")?;
        }
        for numbered in &self.all[skipped..] {
            let found = self
                .entries
                .binary_search_by_key(&numbered.number, |entry| entry.number);
            f.write_char(if found.is_ok() { '>' } else { ' ' })?;
            writeln!(f, "{}", numbered.entry.seen)?;
        }
        if self.all.is_empty() {
            f.write_str("  no message was seen at all")?;
        }
        Ok(())
    }
}
