//! The floor of an ask on one core: a call through a boxed trait object.

use std::hint::black_box;

use super::{FloorError, median, pinned};
use crate::clock::Clock;

const BATCHES: usize = 200;
const CALLS: u64 = 10_000;

trait Adder {
    fn add(&mut self, more: u64) -> u64;
}

struct Plain(u64);

impl Adder for Plain {
    fn add(&mut self, more: u64) -> u64 {
        self.0 = self.0.wrapping_add(more);
        self.0
    }
}

/// Nanoseconds of one virtual call on `core`: the median of many batches.
///
/// # Errors
///
/// When the core may not be used.
pub fn virtual_call_ns(core: usize) -> Result<f64, FloorError> {
    let clock = Clock::new();
    pinned::on(core, || {
        let mut adder: Box<dyn Adder> = black_box(Box::new(Plain(0)));
        let batch = |_| {
            let begun = clock.now();
            for more in 0..CALLS {
                // The box is hidden each time, or the compiler would look inside it once.
                black_box(black_box(&mut adder).add(more));
            }
            (clock.now() - begun) as f64 / CALLS as f64
        };
        median((0..BATCHES).map(batch).collect())
    })
}
