//! Two versions of a program that call each other.
#![allow(
    missing_docs,
    unreachable_pub,
    reason = "what tests call explains itself"
)]

mod cluster;
mod early;
mod kept;
mod load;
mod session;
mod types;

use std::fmt::Debug;

use quark::{CallError, NotRemote};

/// Why two versions do not understand each other.
fn why<T: Debug>(refused: Result<T, CallError>) -> String {
    match refused {
        Err(CallError::NotRemote(why)) => match *why {
            NotRemote::Versions(why) => why,
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}
