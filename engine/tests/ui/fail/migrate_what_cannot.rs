use std::rc::Rc;

use quark::prelude::*;

#[derive(Default)]
struct Account {
    owner: Rc<String>,
}

#[actor]
impl Account {
    pub fn go(&mut self, cx: &Cx<Self>) -> usize {
        let _ = cx.migrate(1);
        self.owner.len()
    }
}

fn main() {}
