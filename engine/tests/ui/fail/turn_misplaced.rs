use quark::prelude::*;

#[derive(Default)]
struct Account {
    cents: i64,
}

#[actor]
impl Account {
    #[turn(priority = "high")]
    fn private(&self) {}

    #[turn(priority = "high")]
    pub(crate) fn inner(&self) {}

    #[turn(priority = "high")]
    pub fn open() -> Self {
        Account { cents: 0 }
    }

    #[turn(priority = "high")]
    fn on_activate(&mut self) {}

    #[turn(coalesce)]
    const LIMIT: i64 = 5;
}

fn main() {}
