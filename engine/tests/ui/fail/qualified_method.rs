use quark::prelude::*;

#[derive(Default)]
struct Account {
    cents: i64,
}

#[actor]
impl Account {
    pub const fn balance(&self) -> i64 {
        self.cents
    }

    pub unsafe fn poke(&mut self, cents: i64) {
        self.cents = cents;
    }

    pub extern "C" fn foreign(&self) -> i64 {
        self.cents
    }
}

fn main() {}
