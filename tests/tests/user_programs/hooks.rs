//! Every shape of the two hooks.
#![deny(warnings)]

use quark::{__private::Actor, prelude::*};

struct Plain;

#[actor]
impl Plain {
    fn on_activate(&mut self) {}
    fn on_deactivate(&mut self) {}
}

struct Waiting;

#[actor]
impl Waiting {
    pub async fn on_activate(&mut self, cx: &Cx<Self>) -> Result<(), std::io::Error> {
        let _ = cx;
        Err(std::io::Error::other("not today"))
    }
    pub async fn on_deactivate(&mut self, _: &Cx<Self>) -> () {}
}

struct Failing;

#[actor]
impl Failing {
    async fn on_activate(&self) -> Result<(), quark::ActivateError> {
        Err(quark::ActivateError::new("not today"))
    }
    pub(crate) fn on_deactivate(&self, cx: &Cx<Self>) {
        let _ = cx;
    }
}

pub(super) fn main() {
    const { assert!(Plain::HAS_ACTIVATE && Plain::HAS_DEACTIVATE) };
    const { assert!(Waiting::HAS_ACTIVATE && Waiting::HAS_DEACTIVATE) };
    const { assert!(Failing::HAS_ACTIVATE && Failing::HAS_DEACTIVATE) };
    let _all = (Plain, Waiting, Failing);
}
