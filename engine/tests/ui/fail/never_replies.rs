use quark::prelude::*;

#[derive(Default)]
struct Account {
    cents: i64,
}

#[actor]
impl Account {
    pub fn run(&mut self) -> ! {
        loop {
            self.cents += 1;
        }
    }
}

fn main() {}
