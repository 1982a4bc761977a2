use quark::prelude::*;

#[derive(Default)]
struct Account {
    cents: i64,
}

#[actor]
impl Account {
    pub fn deposit(&mut self, cents: i64, cx: &Cx<Self>) {
        let _ = cx;
        self.cents += cents;
    }
}

fn main() {}
