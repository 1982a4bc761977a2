use quark::prelude::*;

#[derive(Default)]
struct Account {
    cents: i64,
}

#[actor]
impl Account {
    pub fn taken(&mut self, cx: Cx<Self>) {
        let _ = cx;
    }

    pub fn changed(&mut self, cx: &mut Cx<Self>) {
        let _ = cx;
    }
}

fn main() {}
