use quark::prelude::*;

#[derive(Stateful)]
pub enum Door {
    Open(State<i64>),
    Shut,
}

#[derive(Default, Stateful)]
pub struct Kept<T> {
    #[state]
    value: State<T>,
}

fn main() {}
