use quark::prelude::*;

#[actor]
enum Switch {
    On,
    Off,
}

fn main() {}
