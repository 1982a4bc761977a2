use quark::prelude::*;

#[derive(Default)]
struct Account {
    cents: i64,
}

use std::rc::Rc;

struct Shared(Rc<i64>);

#[actor]
impl Account {
    pub fn shared(&self) -> Shared {
        Shared(Rc::new(self.cents))
    }
}

fn main() {
    let _ = |shared: Shared| shared.0;
}
