use quark::prelude::*;

#[message]
pub enum Side {
    Buy,
    Sell,
}

#[message]
pub struct Order {
    #[message(default)]
    side: Side,
}

fn main() {}
