use quark::prelude::*;

#[derive(Default)]
struct Account {
    cents: i64,
}

use std::rc::Rc;

#[actor]
impl Account {
    pub async fn shared(&self) -> Result<Rc<i64>, String> {
        Ok(Rc::new(self.cents))
    }
}

fn main() {}
