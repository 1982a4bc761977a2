//! An actor without messages, and one that is an enum.
#![deny(warnings)]

use quark::__private::Actor;

pub enum Switch {
    On,
    Off,
}

#[quark::actor(name = "switch")]
impl Switch {}

pub(super) fn main() {
    let _both = [Switch::On, Switch::Off];
    assert_eq!(Switch::NAME, "switch");
    assert!(Switch::fallback().is_none());
}
