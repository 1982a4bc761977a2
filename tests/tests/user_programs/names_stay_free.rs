//! The user's own names neither clash with what is written nor get in its way.
#![deny(warnings)]
#![allow(dead_code)]

pub struct BookStats(pub u32);
pub struct Exclusive;
pub struct Call;
pub enum Result {
    Ok,
    Err,
}
pub enum Option {
    Some,
    None,
}
pub trait Future {}
pub trait Clone {}
pub trait Send {}
pub trait Default {}
mod core {}
mod quark_engine {}

#[derive(PartialEq, Clone)]
pub struct T;
#[derive(PartialEq, Clone)]
pub struct Coalesce(pub T);
pub struct Argument;

pub struct Book;

#[quark::actor]
impl Book {
    pub fn stats(&mut self) -> BookStats {
        BookStats(1)
    }

    pub fn update(&self, call: Call) -> Option {
        drop(call);
        Option::None
    }

    #[quark::turn(coalesce)]
    pub async fn same(&self, one: T, reply: Coalesce) -> T {
        drop(reply);
        one
    }

    pub fn argument(&self, reply: Argument) -> Argument {
        reply
    }

    pub fn exclusive(&self, actor: Exclusive) -> Exclusive {
        actor
    }
}

fn uses(book: &BookRef) {
    let _ = book.stats();
    let _ = book.update(Call);
    let _ = book.exclusive(Exclusive);
}

pub(super) fn main() {
    let _checked: fn(&BookRef) = uses;
}
