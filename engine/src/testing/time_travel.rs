//! Moving a simulation's time: to a moment, to the next thing that happens, or not at all.

use std::time::Duration;

use quark_shards::time::Time;

use super::sim::Sim;

/// Passes that a world may make while its time stands still. One that makes more runs in circles.
const MOST_PASSES: u64 = 10_000_000;

impl Sim {
    /// Runs the world until its time is `time`; at once if that has passed.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use quark::prelude::*;
    /// use quark::testing::SimOptions;
    ///
    /// #[derive(Default)]
    /// pub struct Lamp {
    ///     off: bool,
    /// }
    ///
    /// #[actor(idle_after_ms = 3_600_000)]
    /// impl Lamp {
    ///     pub fn on_for(&mut self, cx: &Cx<Self>, time: Duration) {
    ///         cx.after(time, |me| me.switch_off());
    ///     }
    ///
    ///     pub fn switch_off(&mut self) {
    ///         self.off = true;
    ///     }
    ///
    ///     pub fn is_off(&self) -> bool {
    ///         self.off
    ///     }
    /// }
    ///
    /// let sim = Engine::builder().simulate(1, SimOptions::default()).unwrap();
    /// let lamp = sim.actor::<Lamp>(1);
    /// // Messages flow, and time stands still: no timer comes in between.
    /// let begun = sim.now();
    /// sim.frozen(|| sim.block_on(lamp.on_for(Duration::from_secs(60)))).unwrap();
    /// assert_eq!(sim.now(), begun);
    ///
    /// sim.run_until(begun + Duration::from_secs(59));
    /// assert_eq!(sim.block_on(lamp.is_off()), Ok(false));
    /// // The next thing that happens is the timer,
    /// assert!(sim.jump());
    /// assert_eq!(sim.now().since(begun).as_secs(), 60);
    /// assert_eq!(sim.block_on(lamp.is_off()), Ok(true));
    /// // and then, an hour later, that the lamp is put to sleep.
    /// assert!(sim.jump());
    /// assert!(sim.now().since(begun) > Duration::from_secs(3_600));
    /// assert_eq!(sim.count(), 0);
    /// assert!(!sim.jump(), "nothing will ever happen again");
    /// ```
    pub fn run_until(&self, time: Time) {
        self.run_for(time.since(self.now()));
    }

    /// Moves time to the next thing that happens to an actor or a task of the test, and runs the
    /// world until nothing is left to do at that time: a timer's message, a turn or task that
    /// wakes, a reply that was held up, an actor that is put to sleep or made anew. What is there
    /// to do now is done first, and counts. False if nothing happens any more, or not within
    /// [`SimOptions::patience`](super::SimOptions::patience).
    pub fn jump(&self) -> bool {
        let until = self.now() + self.options.patience;
        let before = self.happened();
        loop {
            while self.is_runnable() {
                self.step(None);
            }
            if self.happened() != before {
                return true;
            }
            if !self.step(Some(until)) {
                return false;
            }
        }
    }

    /// When something may happen next, if nothing is done before: no timer comes earlier. `None`
    /// if nothing ever will.
    #[must_use]
    pub fn next_event(&self) -> Option<Time> {
        if self.is_runnable() {
            return Some(self.now());
        }
        self.world.next_event()
    }

    /// Has time stand still while `test` runs: messages flow, also between shards, and answers
    /// come, but no timer, no timeout and no idle time; disks and networks don't answer.
    ///
    /// # Panics
    /// As `test` does: what waits for time to pass there, waits for ever, and is told so.
    pub fn frozen<R>(&self, test: impl FnOnce() -> R) -> R {
        struct Thaw<'a>(&'a Sim, bool);
        impl Drop for Thaw<'_> {
            fn drop(&mut self) {
                self.0.world.set_frozen(self.1);
            }
        }
        let _thaw = Thaw(self, self.world.set_frozen(true));
        let before = self.passes_frozen.replace(0);
        let result = test();
        self.passes_frozen.set(before);
        result
    }

    /// Moves time without running anything, as if all shards had been kept from their cores for
    /// `long`: what comes due meanwhile is late.
    pub fn skip(&self, long: Duration) {
        self.world.stall(long);
    }

    /// A pass of a world whose time stands still.
    pub(super) fn count_frozen(&self) {
        if !self.world.is_frozen() {
            return;
        }
        let passes = self.passes_frozen.get() + 1;
        self.passes_frozen.set(passes);
        if passes > MOST_PASSES {
            self.fail_stuck("time stands still, and the world does not come to rest");
        }
    }

    /// Counts what happens to actors and tasks.
    fn happened(&self) -> (u64, u64) {
        let counts = self.counts();
        let lives = counts.activated + counts.deactivated + counts.restarted;
        (counts.polls + lives, self.polls_of_tasks())
    }
}
