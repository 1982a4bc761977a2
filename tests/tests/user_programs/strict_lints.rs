//! Under the strictest usual lints, neither the attribute nor what it asks for warns.
#![deny(warnings, missing_docs, unreachable_pub, missing_debug_implementations)]
#![deny(missing_copy_implementations, single_use_lifetimes, unused_qualifications)]
#![deny(unnameable_types, let_underscore_drop, unused_results)]
#![deny(rust_2018_idioms, nonstandard_style)]
#![forbid(unsafe_code)]

use quark::prelude::*;

/// An account.
#[derive(Debug, Default)]
pub struct Account {
    cents: i64,
    notes: Vec<String>,
}

#[actor]
impl Account {
    /// Adds to the account.
    pub async fn deposit(&mut self, cents: i64) -> i64 {
        self.cents += cents;
        self.cents
    }

    /// What is left.
    pub fn balance(&self) -> i64 {
        self.cents
    }

    /// Moves money.
    ///
    /// # Errors
    ///
    /// When there is too little of it.
    pub async fn transfer(&mut self, cx: &Cx<Self>, to: String, cents: i64) -> Result<(), String> {
        let _ = cx;
        if cents > self.cents {
            return Err(to);
        }
        self.notes.push(to);
        self.cents -= cents;
        Ok(())
    }
}

#[derive(Debug)]
struct Unused;

#[actor]
impl Unused {
    pub fn never_called(&self) {}
}

pub(super) fn main() {
    let _unused = Unused;
}
