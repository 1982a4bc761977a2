use quark::prelude::*;

#[derive(Default)]
struct Account {
    cents: i64,
}

#[actor]
impl Account {
    #[turn]
    pub fn nothing(&self) {}

    #[turn()]
    pub fn empty(&self) {}

    #[turn(priority = "urgent")]
    pub fn urgent(&self) {}

    #[turn(priority)]
    pub fn which(&self) {}

    #[turn(priority = "high", priority = "low")]
    pub fn both(&self) {}

    #[turn(coalesce = true)]
    pub fn same(&self) {}

    #[turn(timeout_ms = 5)]
    pub fn unknown(&self) {}

    #[turn(priority = "high")]
    #[turn(coalesce)]
    pub fn split(&self) -> i64 {
        self.cents
    }

    #[turn = "high"]
    pub fn assigned(&self) {}
}

fn main() {}
