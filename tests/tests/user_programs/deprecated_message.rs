//! Deprecation warns the caller of the reference, and nobody else.
#![deny(warnings)]

use quark::prelude::*;

#[derive(Default)]
struct Clock;

#[actor]
impl Clock {
    /// The old way.
    #[deprecated = "ask for `now`"]
    #[must_use]
    #[inline]
    pub fn time(&self) -> u64 {
        1
    }
}

fn uses(clock: &ClockRef) {
    #[allow(deprecated)]
    let _ = clock.time();
}

pub(super) fn main() {
    let _checked: fn(&ClockRef) = uses;
    let _ = Clock::default();
}
