//! One shard's part: the task that collects the oldest.

use std::cell::Cell;
use std::time::Duration;

use quark_shards::shard::Shard;
use quark_shards::sleep::yield_now;

use super::{Ages, Counters, Cut, Steps};
use crate::runtime::{Runtime, with_runtime};
use crate::types::AnyType;

/// Cells looked at in one step: some ten microseconds.
const STEP_CELLS: usize = 1024;
/// Cells looked at more for each activation since the step before: however many actors come, the
/// walk outruns them, and there are hardly more than the limit.
const CELLS_PER_ACTIVATION: usize = 64;
/// This part of a limit is shed beyond it, so that not every activation brings a walk.
const SLACK: usize = 16;
/// After a walk that found nobody to collect.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// For want of memory, nobody is collected who was called this shortly ago, in ticks of about a
/// millisecond: they would be back at once.
const YOUNG: u32 = 1000;

/// What one shard keeps of its density.
pub(crate) struct Density {
    /// Actors that may be here.
    limit: usize,
    /// The part of them to be shed for want of memory, in 1,024ths.
    share: Cell<u32>,
    is_shedding: Cell<bool>,
    /// Since the last step.
    activations: Cell<usize>,
    pub(crate) collected: Counters,
}

impl Density {
    /// `limit` is this shard's part of the engine's.
    pub(crate) fn new(limit: usize) -> Self {
        Density {
            limit,
            share: Cell::new(0),
            is_shedding: Cell::new(false),
            activations: Cell::new(0),
            collected: Counters::default(),
        }
    }

    /// An actor has come.
    #[inline]
    pub(crate) fn grow(&self, shard: &Shard, runtime: &Runtime) {
        if self.limit != usize::MAX {
            self.grow_limited(shard, runtime);
        }
    }

    fn grow_limited(&self, shard: &Shard, runtime: &Runtime) {
        self.activations.set(self.activations.get() + 1);
        if !self.is_shedding.get() && count(runtime) > self.limit {
            self.shed_soon(shard);
        }
    }

    /// Memory is short: has a part of the actors shed, given in 1,024ths.
    pub(crate) fn press(&self, shard: &Shard, share: u32) {
        self.share.set(share);
        self.shed_soon(shard);
    }

    fn shed_soon(&self, shard: &Shard) {
        if !self.is_shedding.replace(true) {
            shard.spawn(shed());
        }
    }

    /// Why there is something to shed.
    fn reason(&self, runtime: &Runtime) -> Option<Reason> {
        let share = self.share.take();
        if count(runtime) > self.limit {
            return Some(Reason::Count);
        }
        (share > 0).then_some(Reason::Memory(share))
    }

    fn cut(&self, ages: &Ages, reason: Reason) -> Cut {
        match reason {
            Reason::Count => {
                let low = self.limit - self.limit / SLACK;
                ages.cut(ages.active().saturating_sub(low), 0)
            }
            Reason::Memory(share) => {
                let wanted = ages.active() * share as usize / 1024;
                ages.cut(wanted.max(1), YOUNG)
            }
        }
    }
}

#[derive(Clone, Copy)]
enum Reason {
    Count,
    Memory(u32),
}

fn count(runtime: &Runtime) -> usize {
    runtime.types.iter().map(AnyType::count).sum()
}

/// Sheds until nothing is left to shed, or nobody can be.
async fn shed() {
    let mut pause = FIRST_PAUSE;
    loop {
        let reason = with_runtime(|_, runtime| {
            let reason = runtime.density.reason(runtime);
            runtime.density.is_shedding.set(reason.is_some());
            reason
        });
        let Some(reason) = reason else { return };
        let mut ages = with_runtime(|shard, runtime| Ages::at(runtime.used_tick(shard)));
        walk(|types, _, _, steps| types.survey(steps, &mut ages)).await;
        let (mut cut, before) = with_runtime(|_, runtime| {
            let density = &runtime.density;
            (density.cut(&ages, reason), density.collected.pressure.get())
        });
        walk(|types, shard, runtime, steps| types.shed(shard, runtime, steps, &mut cut)).await;
        let found = with_runtime(|_, runtime| runtime.density.collected.pressure.get() > before);
        if found {
            pause = FIRST_PAUSE;
        } else if matches!(reason, Reason::Count) {
            crate::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

/// Walks over the cells of all types, and lets others run between the steps.
pub(crate) async fn walk(mut look: impl FnMut(&dyn AnyType, &Shard, &Runtime, &mut Steps) -> bool) {
    let mut number = 0;
    let mut next = 0;
    loop {
        let goes_on = with_runtime(|shard, runtime| {
            let come = runtime.density.activations.take();
            let mut steps = Steps {
                next,
                left: STEP_CELLS + come * CELLS_PER_ACTIVATION,
            };
            while steps.left > 0 {
                let Some(types) = runtime.types.iter().nth(number) else {
                    return false;
                };
                if look(types, shard, runtime, &mut steps) {
                    number += 1;
                    steps.next = 0;
                }
            }
            next = steps.next;
            true
        });
        if !goes_on {
            return;
        }
        yield_now().await;
    }
}
