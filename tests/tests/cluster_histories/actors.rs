//! What the clients call.

use quark::prelude::*;

/// A number that is saved before anyone hears of it.
#[derive(Default, Stateful)]
pub struct Counter {
    #[state(save = "each_turn")]
    count: State<u64>,
}

#[actor]
impl Counter {
    pub fn add(&mut self) -> u64 {
        *self.count += 1;
        *self.count
    }

    pub fn read(&self) -> u64 {
        *self.count
    }
}
