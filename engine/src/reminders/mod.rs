//! Reminders: calls that an actor asks for, and gets even if the process ends in between.

mod catch_up;
mod deliver;
mod set;
mod watch;

use std::sync::Arc;
use std::time::Duration;

pub use quark_storage::provider::{CatchUp, WallTime};

pub(crate) use self::deliver::{Delivery, deliver};
pub(crate) use self::watch::Watch;

/// When an actor wants to be called; see [`Cx::remind`](crate::Cx::remind).
///
/// ```
/// use std::time::Duration;
///
/// use quark::prelude::*;
/// use quark::testing::SimOptions;
/// use quark::{ActorOptions, Due, Remind, StateError, Store};
///
/// #[derive(Default)]
/// pub struct Invoice {
///     dunned: u32,
/// }
///
/// #[actor]
/// impl Invoice {
///     pub async fn send(&mut self, cx: &Cx<Self>) -> Result<(), StateError> {
///         let month = Duration::from_secs(30 * 86_400);
///         cx.remind("unpaid", Remind::after(month).every(month)).await
///     }
///
///     pub fn dunned(&self) -> u32 {
///         self.dunned
///     }
///
///     async fn on_reminder(&mut self, cx: &Cx<Self>, due: Due) {
///         self.dunned += 1;
///         if self.dunned == 3 {
///             let _ = cx.forget_reminder(&due.name).await;
///         }
///     }
/// }
///
/// let sim = Engine::builder()
///     .store(Store::memory())
///     .configure::<Invoice>(ActorOptions::new().keep(true))
///     .simulate(1, SimOptions::default())
///     .unwrap();
/// let invoice = sim.actor::<Invoice>(7);
/// sim.block_on(async { invoice.send().await }).unwrap();
/// sim.run_for(Duration::from_secs(200 * 86_400));
/// assert_eq!(sim.block_on(async { invoice.dunned().await }), Ok(3));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remind {
    first: First,
    period: Option<Duration>,
    catch_up: CatchUp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum First {
    In(Duration),
    At(WallTime),
}

impl Remind {
    /// Once, in `delay`. To the millisecond.
    #[must_use]
    pub fn after(delay: Duration) -> Self {
        Remind {
            first: First::In(delay),
            period: None,
            catch_up: CatchUp::default(),
        }
    }

    /// Once, at a time of the calendar; at once if that has passed.
    #[must_use]
    pub fn at(time: WallTime) -> Self {
        Remind {
            first: First::At(time),
            ..Remind::after(Duration::ZERO)
        }
    }

    /// After that again and again, so long apart: counted from the time that was due, so that
    /// late calls put no later one off. Less than a millisecond counts as one.
    #[must_use]
    pub fn every(self, period: Duration) -> Self {
        Remind {
            period: Some(period),
            ..self
        }
    }

    /// What becomes of the times that pass while nobody can be called; by default
    /// [`CatchUp::Once`].
    #[must_use]
    pub fn catch_up(self, catch_up: CatchUp) -> Self {
        Remind { catch_up, ..self }
    }
}

/// A reminder that is due, as `on_reminder` is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// What the actor called it.
    pub name: Arc<str>,
    /// When it was due.
    pub at: WallTime,
    /// When it was noticed: how late the call is, is the time between the two.
    pub now: WallTime,
    /// How many times were due until then, this one included, that this call stands for.
    pub times: u64,
}

impl Due {
    /// How late the reminder was noticed.
    #[must_use]
    pub fn late(&self) -> Duration {
        self.now.since(self.at)
    }
}
