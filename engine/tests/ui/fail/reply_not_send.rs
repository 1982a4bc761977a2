use quark::prelude::*;

#[derive(Default)]
struct Account {
    cents: i64,
}

use std::rc::Rc;

#[actor]
impl Account {
    pub fn shared(&self) -> Option<Rc<i64>> {
        Some(Rc::new(self.cents))
    }
}

fn main() {}
