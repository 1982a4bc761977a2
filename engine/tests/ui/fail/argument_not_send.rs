use quark::prelude::*;

#[derive(Default)]
struct Account {
    cents: i64,
}

use std::rc::Rc;

#[actor]
impl Account {
    pub fn share(
        &mut self,
        cents: i64,
        with: Rc<String>,
    ) -> usize {
        self.cents = cents;
        with.len()
    }
}

fn main() {}
