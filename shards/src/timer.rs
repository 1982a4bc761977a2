//! Timers: a hierarchical timing wheel over a slab.
//!
//! Time is cut into ticks of 16.4 µs. A wheel level has 64 slots; a timer lies at the level of the
//! highest six bits in which its tick differs from the wheel's, so all timers of a level come due
//! before those of the level above, and every slot in use lies ahead of the wheel's own. When the
//! wheel comes to a slot of a higher level, the slot's timers move to lower ones. Bitmaps find the
//! next slot in use, so a jump of the clock costs no more than the timers that it passes.

use crate::time::Time;

/// Nanoseconds of a tick, as a power of two: 16,384.
const TICK_BITS: u32 = 14;
/// Slots of a level, as a power of two.
const SLOT_BITS: u32 = 6;
const SLOTS: usize = 1 << SLOT_BITS;
/// Enough for every tick of 64-bit time.
const LEVELS: usize = (64 - TICK_BITS).div_ceil(SLOT_BITS) as usize;
/// The first tick that no clock reaches.
const NEVER: u64 = 1 << (64 - TICK_BITS);
/// No timer.
const NONE: u32 = u32::MAX;

/// Values that come due. One shard's own.
///
/// A timer never fires early, and at most one tick (16.4 µs) late by the wheel's doing. Arming and
/// cancelling take constant time and, once the slab has grown to the most timers ever armed at
/// once, no memory.
#[derive(Debug)]
pub struct TimerWheel<T> {
    /// All ticks before this one are done.
    tick: u64,
    /// Levels with a slot in use.
    levels: u16,
    /// For each level, its slots in use.
    used: [u64; LEVELS],
    slots: [List; LEVELS * SLOTS],
    /// A slot of a higher level, at the wheel's tick, whose timers are not all moved down yet.
    moving: Option<u16>,
    timers: Vec<Timer<T>>,
    /// Begin of the list of unused places in `timers`.
    free: u32,
    len: usize,
}

/// Names an armed timer; of no effect once it has fired or was cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TimerKey {
    index: u32,
    generation: u32,
}

impl<T> TimerWheel<T> {
    /// A wheel with nothing armed, standing at the clock's beginning.
    #[must_use]
    pub fn new() -> Self {
        Self::with_capacity(0)
    }

    /// A wheel that arms `timers` timers without taking more memory.
    #[must_use]
    pub fn with_capacity(timers: usize) -> Self {
        TimerWheel {
            tick: 0,
            levels: 0,
            used: [0; LEVELS],
            slots: [List::EMPTY; LEVELS * SLOTS],
            moving: None,
            timers: Vec::with_capacity(timers),
            free: NONE,
            len: 0,
        }
    }

    /// Arms a timer. One whose time has passed fires at the next [`advance`](Self::advance); one
    /// for [`Time::MAX`] never does.
    ///
    /// # Panics
    /// If 2³² − 1 timers are armed.
    pub fn insert(&mut self, due: Time, value: T) -> TimerKey {
        let tick = due.as_nanos().div_ceil(1 << TICK_BITS);
        let index = self.free;
        let index = if let Some(timer) = self.timers.get_mut(index as usize) {
            self.free = timer.next;
            timer.tick = tick;
            timer.value = Some(value);
            index
        } else {
            self.add_place(tick, value)
        };
        self.len += 1;
        self.link(index, tick);
        TimerKey {
            index,
            generation: self.timers[index as usize].generation,
        }
    }

    /// Disarms a timer and gives its value back; `None` if it has fired or was cancelled before.
    pub fn cancel(&mut self, key: TimerKey) -> Option<T> {
        let timer = self.timers.get(key.index as usize)?;
        if timer.generation != key.generation || timer.value.is_none() {
            return None;
        }
        self.unlink(key.index);
        self.vacate(key.index)
    }

    /// Fires all that is due at `now`, in order of ticks; says how many.
    pub fn advance(&mut self, now: Time, mut fire: impl FnMut(T)) -> usize {
        let mut fired = 0;
        let count = |value| {
            fired += 1;
            fire(value);
        };
        let done = self.advance_bounded(now, usize::MAX, count);
        debug_assert!(done, "an unbounded advance does everything");
        fired
    }

    /// As [`advance`](Self::advance), but touches at most `limit` timers, fired or only moved to
    /// a lower level. False if there is more to do: call again with the same or a later `now`.
    pub fn advance_bounded(&mut self, now: Time, limit: usize, mut fire: impl FnMut(T)) -> bool {
        let now = now.as_nanos() >> TICK_BITS;
        let mut left = limit;
        while let Some((slot, tick)) = self.next_slot() {
            if tick > now {
                break;
            }
            self.tick = tick;
            let fires = usize::from(slot) < SLOTS;
            self.moving = (!fires).then_some(slot);
            loop {
                let index = self.slots[usize::from(slot)].first;
                if index == NONE {
                    break;
                }
                if left == 0 {
                    return false;
                }
                left -= 1;
                self.unlink(index);
                if !fires {
                    self.link(index, self.timers[index as usize].tick);
                } else if let Some(value) = self.vacate(index) {
                    fire(value);
                }
            }
            self.moving = None;
        }
        self.tick = self.tick.max(now);
        true
    }

    /// When to advance next, at the latest: no timer comes due before, though at that time there
    /// may be none either, but only timers to move. `None` if nothing will ever be due.
    #[must_use]
    pub fn next_due(&self) -> Option<Time> {
        let (_, tick) = self.next_slot()?;
        (tick < NEVER).then(|| Time::from_nanos(tick << TICK_BITS))
    }

    /// Timers armed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether no timer is armed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The next slot in use and the tick at which it begins.
    fn next_slot(&self) -> Option<(u16, u64)> {
        if let Some(slot) = self.moving {
            return Some((slot, self.tick));
        }
        if self.levels == 0 {
            return None;
        }
        let level = self.levels.trailing_zeros();
        let slot = self.used[level as usize].trailing_zeros();
        let shift = level * SLOT_BITS;
        let block = self.tick >> (shift + SLOT_BITS) << (shift + SLOT_BITS);
        Some((slot_index(level, slot), block | u64::from(slot) << shift))
    }

    /// Appends a timer to the slot of `tick`, as seen from the wheel's.
    fn link(&mut self, index: u32, tick: u64) {
        let tick = tick.max(self.tick);
        let differing = (tick ^ self.tick) | (SLOTS as u64 - 1);
        let level = differing.ilog2() / SLOT_BITS;
        let slot = (tick >> (level * SLOT_BITS)) as u32 % SLOTS as u32;
        self.levels |= 1 << level;
        self.used[level as usize] |= 1 << slot;

        let at = slot_index(level, slot);
        let list = &mut self.slots[usize::from(at)];
        let last = std::mem::replace(&mut list.last, index);
        if last == NONE {
            list.first = index;
        } else {
            self.timers[last as usize].next = index;
        }
        let timer = &mut self.timers[index as usize];
        (timer.slot, timer.previous, timer.next) = (at, last, NONE);
    }

    fn unlink(&mut self, index: u32) {
        let &Timer {
            slot,
            previous,
            next,
            ..
        } = &self.timers[index as usize];
        let list = &mut self.slots[usize::from(slot)];
        if previous == NONE {
            list.first = next;
        } else {
            self.timers[previous as usize].next = next;
        }
        if next == NONE {
            list.last = previous;
        } else {
            self.timers[next as usize].previous = previous;
        }
        if list.first == NONE {
            let (level, slot) = (usize::from(slot) / SLOTS, usize::from(slot) % SLOTS);
            self.used[level] &= !(1 << slot);
            if self.used[level] == 0 {
                self.levels &= !(1 << level);
            }
        }
    }

    /// Frees the place of a timer that is in no slot, and makes its keys void.
    fn vacate(&mut self, index: u32) -> Option<T> {
        let timer = &mut self.timers[index as usize];
        timer.generation = timer.generation.wrapping_add(1);
        timer.next = self.free;
        self.free = index;
        self.len -= 1;
        timer.value.take()
    }

    #[cold]
    fn add_place(&mut self, tick: u64, value: T) -> u32 {
        let index = self.timers.len();
        assert!(
            index < NONE as usize,
            "no more than 2^32 - 1 timers can be armed"
        );
        self.timers.push(Timer {
            tick,
            value: Some(value),
            previous: NONE,
            next: NONE,
            generation: 0,
            slot: 0,
        });
        index as u32
    }
}

impl<T> Default for TimerWheel<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// A place in the slab: armed, or unused and in the free list by `next`.
#[derive(Debug)]
struct Timer<T> {
    tick: u64,
    value: Option<T>,
    previous: u32,
    next: u32,
    generation: u32,
    slot: u16,
}

/// The timers of one slot, oldest first.
#[derive(Clone, Copy, Debug)]
struct List {
    first: u32,
    last: u32,
}

impl List {
    const EMPTY: List = List {
        first: NONE,
        last: NONE,
    };
}

/// Where in the wheel's array a level's slot is.
fn slot_index(level: u32, slot: u32) -> u16 {
    (level * SLOTS as u32 + slot) as u16
}

#[cfg(all(test, not(loom)))]
mod tests;
