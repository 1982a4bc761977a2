use quark::prelude::*;

pub struct Plain {
    pub lots: u32,
}

#[message]
pub enum Order {
    Limit { plain: Plain },
    Market,
}

fn main() {}
