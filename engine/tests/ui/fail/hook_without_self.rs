use quark::prelude::*;

#[derive(Default)]
struct Account {
    cents: i64,
}

#[actor]
impl Account {
    async fn on_activate(cx: &Cx<Self>) -> Result<(), String> {
        let _ = cx;
        Ok(())
    }

    fn on_deactivate(self) {}
}

fn main() {}
