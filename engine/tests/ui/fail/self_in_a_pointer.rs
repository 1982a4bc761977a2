use quark::prelude::*;

#[derive(Default)]
struct Account {
    cents: i64,
}

use std::{pin::Pin, rc::Rc};

#[actor]
impl Account {
    pub fn counted(self: Rc<Self>) -> i64 {
        self.cents
    }

    pub fn boxed(self: Box<Self>) -> i64 {
        self.cents
    }

    pub fn pinned(self: Pin<&mut Self>) -> i64 {
        self.cents
    }

    pub fn twice(self: &&Self) -> i64 {
        self.cents
    }

    pub fn through(self: &mut &Self) -> i64 {
        self.cents
    }

    pub fn forever(&'static self) -> i64 {
        self.cents
    }
}

fn main() {}
