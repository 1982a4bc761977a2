use quark::prelude::*;

#[message]
pub struct Marker;

#[message]
pub struct Order {
    twice: Option<Option<u32>>,
    hollow: Vec<Marker>,
}

fn main() {}
