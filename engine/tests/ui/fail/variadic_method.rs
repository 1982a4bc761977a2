use quark::prelude::*;

#[derive(Default)]
struct Account {
    cents: i64,
}

#[actor]
impl Account {
    pub unsafe extern "C" fn log(&self, _: ...) {}
}

fn main() {}
