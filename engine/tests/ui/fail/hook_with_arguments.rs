use quark::prelude::*;

#[derive(Default)]
struct Account {
    cents: i64,
}

#[actor]
impl Account {
    async fn on_activate(&mut self, cx: &Cx<Self>, cents: i64) {
        let _ = cx;
        self.cents = cents;
    }

    fn on_deactivate(&mut self, reason: String, cx: &Cx<Self>) {
        drop((reason, cx));
    }
}

fn main() {}
