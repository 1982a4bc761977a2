//! Fault points: places in user code, by name, where a simulation may do harm.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::panic::resume_unwind;
use std::time::Duration;

use super::lost::LostTurn;
use super::sim::Sim;
use crate::runtime::try_with_runtime;

/// A place where a simulation may do harm: nothing in a real engine (one look whether there is
/// anything to do), and in a [`Sim`] whatever [`Sim::inject`] has said of `name`.
///
/// ```
/// use quark::prelude::*;
/// use quark::testing::{Fault, SimOptions};
///
/// #[derive(Default)]
/// pub struct Account {
///     cents: i64,
/// }
///
/// #[actor]
/// impl Account {
///     pub fn add(&mut self, cents: i64) {
///         self.cents += cents;
///     }
///
///     pub async fn transfer(&mut self, cx: &Cx<Self>, to: u64, cents: i64) {
///         self.cents -= cents;
///         quark::fault_point("after debit").await;
///         let _ = cx.actor::<Account>(to).add(cents).await;
///     }
///
///     pub fn cents(&self) -> i64 {
///         self.cents
///     }
/// }
///
/// let sim = Engine::builder().simulate(1, SimOptions::default()).unwrap();
/// sim.inject("after debit", Fault::panic().at(2));
/// let (one, two) = (sim.actor::<Account>(1), sim.actor::<Account>(2));
/// assert_eq!(sim.block_on(one.transfer(2, 10)), Ok(()));
/// assert_eq!(sim.block_on(one.transfer(2, 10)), Err(CallError::Panicked));
/// assert_eq!(sim.block_on(two.cents()), Ok(10));
/// assert_eq!(sim.passages("after debit"), 2);
/// sim.shutdown();
/// ```
///
/// # Panics
/// When a simulation says so.
pub async fn fault_point(name: &str) {
    match meets(name) {
        None => {}
        Some(What::Panic) => panics(name),
        Some(What::Lose) => loses(),
        Some(What::Delay(long)) => crate::sleep(long).await,
    }
}

/// [`fault_point`] for methods that never suspend. A delay holds the core up, and a turn that is
/// lost answers [`Timeout`](crate::CallError::Timeout) at once.
///
/// # Panics
/// When a simulation says so.
pub fn fault_point_now(name: &str) {
    match meets(name) {
        None => {}
        Some(What::Panic) => panics(name),
        Some(What::Lose) => loses(),
        Some(What::Delay(long)) => try_with_runtime(|here| {
            if let Some(observer) = here.and_then(|(_, runtime)| runtime.hooks.observer()) {
                observer.hold_up(long);
            }
        }),
    }
}

#[inline]
fn meets(name: &str) -> Option<What> {
    try_with_runtime(|here| {
        let observer = here?.1.hooks.observer()?;
        Some(observer.passes(name)?.what)
    })
}

#[cold]
fn panics(name: &str) -> ! {
    // Without the panic hook: there would be a backtrace for each.
    resume_unwind(Box::new(format!("a panic injected at {name:?}")));
}

#[cold]
fn loses() -> ! {
    resume_unwind(Box::new(LostTurn));
}

/// What happens at a fault point, and when: at every passage, unless told otherwise.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    what: What,
    when: When,
    may_be_missed: bool,
}

#[derive(Clone, Debug, PartialEq)]
enum What {
    Panic,
    Delay(Duration),
    Lose,
}

#[derive(Clone, Debug, PartialEq)]
enum When {
    Passages(RangeInclusive<u64>),
    Chance(f64),
}

impl Fault {
    fn new(what: What) -> Self {
        Fault {
            what,
            when: When::Passages(1..=u64::MAX),
            may_be_missed: false,
        }
    }

    /// The turn panics.
    #[must_use]
    pub fn panic() -> Self {
        Self::new(What::Panic)
    }

    /// The turn sleeps for `long`; others of its shard go on.
    #[must_use]
    pub fn delay(long: Duration) -> Self {
        Self::new(What::Delay(long))
    }

    /// The turn ends there and answers nobody: its caller waits until its deadline. Its actor
    /// stays as the turn has left it.
    #[must_use]
    pub fn lose() -> Self {
        Self::new(What::Lose)
    }

    /// At the `nth` passage only, counted from 1.
    #[must_use]
    pub fn at(mut self, nth: u64) -> Self {
        self.when = When::Passages(nth..=nth);
        self
    }

    /// At each passage with this probability, from 0.0 to 1.0.
    #[must_use]
    pub fn with_probability(mut self, probability: f64) -> Self {
        self.when = When::Chance(probability);
        self
    }

    /// That it does not happen in a run is no failure of the test.
    #[must_use]
    pub fn may_be_missed(mut self) -> Self {
        self.may_be_missed = true;
        self
    }
}

impl Sim {
    /// Says what happens at the [fault point](fault_point) `name`. Several faults may be said of
    /// one point: the first whose time has come happens.
    ///
    /// A point that the run has never passed when it ends, or not as often as a fault
    /// [at](Fault::at) some passage needs, fails the test: its name may be misspelt. Where a
    /// seed may well miss it, say [`may_be_missed`](Fault::may_be_missed).
    pub fn inject(&self, name: &str, fault: Fault) {
        self.faults.points.add(name, fault);
    }

    /// Has nothing happen any more at the fault point `name`.
    pub fn clear(&self, name: &str) {
        self.faults.points.clear(name);
    }

    /// How often the fault point `name` was passed, whatever happened there.
    #[must_use]
    pub fn passages(&self, name: &str) -> u64 {
        self.faults.points.passages(name)
    }
}

/// The fault points of one simulation.
#[derive(Default)]
pub(super) struct Points(RefCell<BTreeMap<String, Point>>);

#[derive(Default)]
struct Point {
    passages: u64,
    faults: Vec<Fault>,
}

impl Points {
    fn add(&self, name: &str, fault: Fault) {
        let mut points = self.0.borrow_mut();
        points
            .entry(name.to_owned())
            .or_default()
            .faults
            .push(fault);
    }

    fn clear(&self, name: &str) {
        if let Some(point) = self.0.borrow_mut().get_mut(name) {
            point.faults.clear();
        }
    }

    fn passages(&self, name: &str) -> u64 {
        self.0.borrow().get(name).map_or(0, |point| point.passages)
    }

    /// One more passage, and what happens at it.
    pub(super) fn passes(&self, name: &str, chance: impl Fn(f64) -> bool) -> Option<Fault> {
        let mut points = self.0.borrow_mut();
        let point = match points.get_mut(name) {
            Some(point) => point,
            None => points.entry(name.to_owned()).or_default(),
        };
        point.passages += 1;
        let passages = point.passages;
        let happens = |fault: &&Fault| match &fault.when {
            When::Passages(when) => when.contains(&passages),
            When::Chance(probability) => chance(*probability),
        };
        point.faults.iter().find(happens).cloned()
    }

    /// What was to happen at a point that was not passed as often as that.
    pub(super) fn missed(&self) -> Option<String> {
        let points = self.0.borrow();
        points.iter().find_map(|(name, point)| {
            let is_missed = |fault: &&Fault| {
                let needed = match &fault.when {
                    When::Passages(when) => *when.start(),
                    When::Chance(_) => 1,
                };
                !fault.may_be_missed && point.passages < needed
            };
            point.faults.iter().find(is_missed)?;
            let passages = point.passages;
            Some(format!(
                "something was to happen at the fault point {name:?}, which was passed {passages} \
                 times only: is there a quark::fault_point({name:?}) on the test's way? If not in \
                 every run, say .may_be_missed()"
            ))
        })
    }
}
