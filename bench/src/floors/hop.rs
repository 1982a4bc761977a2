//! The floor of a thread ring on one core: the same hops through a bare queue.

use std::collections::VecDeque;
use std::hint::black_box;

use super::{FloorError, median, pinned};
use crate::clock::Clock;

const MEMBERS: usize = 100;
const BATCHES: usize = 200;
const HOPS: u64 = 10_000;

struct Hop {
    to: usize,
    left: u64,
}

/// Nanoseconds of one hop on `core`: taken off the queue, counted by its receiver, put back on
/// for the next. The median of many batches.
///
/// # Errors
///
/// When the core may not be used.
pub fn hop_ns(core: usize) -> Result<f64, FloorError> {
    let clock = Clock::new();
    pinned::on(core, || {
        let mut received = black_box([0_u64; MEMBERS]);
        let mut queue = VecDeque::with_capacity(MEMBERS);
        let mut batch = |_| {
            let begun = clock.now();
            queue.push_back(Hop {
                to: 0,
                left: black_box(HOPS),
            });
            while let Some(hop) = queue.pop_front() {
                // A receiver can't know what it is sent.
                let Hop { to, left } = black_box(hop);
                received[to] += 1;
                if left > 1 {
                    let to = if to + 1 == MEMBERS { 0 } else { to + 1 };
                    queue.push_back(Hop { to, left: left - 1 });
                }
            }
            (clock.now() - begun) as f64 / HOPS as f64
        };
        let figure = median((0..BATCHES).map(&mut batch).collect());
        black_box(received);
        figure
    })
}
