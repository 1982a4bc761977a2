use quark::prelude::*;

#[derive(Default, Stateful)]
pub struct Account {
    #[state(nmae = "balance")]
    first: State<i64>,
    #[state(name = 7)]
    second: State<i64>,
    #[state(store = "")]
    third: State<i64>,
    #[state(name = "a", name = "b")]
    fourth: State<i64>,
    #[state]
    #[state(store = "fast")]
    fifth: State<i64>,
    #[state(name = "fifth")]
    sixth: State<i64>,
    #[state(save = "now")]
    seventh: State<i64>,
}

#[derive(Default, Stateful)]
pub struct Pair(#[state] State<i64>, #[state(name = "right")] State<i64>);

fn main() {}
