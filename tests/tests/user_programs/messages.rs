//! Types that leave the process, under the strictest usual lints; and the user's own names, which
//! what is written for them must not meet.
#![deny(warnings, missing_docs, unreachable_pub, missing_debug_implementations)]
#![deny(missing_copy_implementations, single_use_lifetimes, unused_qualifications)]
#![deny(unnameable_types, let_underscore_drop, unused_results)]
#![deny(rust_2018_idioms, nonstandard_style)]
#![forbid(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet};

use quark::prelude::*;

/// Named as rkyv would name the archived form of the next.
#[message]
#[derive(Debug)]
pub struct ArchivedOrder(Vec<u8>);

/// And its resolver.
#[message]
#[derive(Debug, Clone, Copy)]
pub struct OrderResolver {
    _unused: (),
}

/// Private parts, words of the language, conditions, its own documentation.
#[message]
#[derive(Debug, Default, Clone, PartialEq)]
#[non_exhaustive]
pub struct Order {
    /// Known by this.
    pub r#type: String,
    lots: [u32; 3],
    #[message(default)]
    hidden: Hidden,
    #[cfg(any())]
    never: NoSuchType,
    #[cfg(all())]
    always: Option<Box<Order>>,
    sides: BTreeMap<Side, BTreeSet<char>>,
}

/// With numbers of its own.
#[message]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u16)]
pub enum Side {
    /// One.
    Buy = 1000,
    /// The other.
    Sell = 2000,
    /// Never there.
    #[cfg(any())]
    Never(NoSuchType),
}

#[message]
#[derive(Debug, Default, Clone, PartialEq)]
struct Hidden(u8, Option<u64>);

#[message]
#[derive(Debug)]
enum S {
    D(Vec<Self>),
    C { s: Box<S> },
}

/// An actor.
#[derive(Debug, Default, Clone, Copy)]
pub struct Book;

#[actor]
impl Book {
    /// Takes it.
    pub fn place(&mut self, order: Order) -> Result<u64, String> {
        Err(order.r#type)
    }
}

mod quiet {
    #[quark::message]
    #[derive(Debug, Clone, Copy)]
    pub(super) struct Local {
        pub(super) value: f64,
    }
}

pub(super) fn main() {
    #[message]
    #[derive(Debug, Clone, Copy)]
    struct Within {
        local: quiet::Local,
    }
    let within = Within {
        local: quiet::Local { value: 1.0 },
    };
    let s = S::C {
        s: Box::new(S::D(Vec::new())),
    };
    if let S::C { s } = &s
        && let S::D(all) = &**s
    {
        assert!(all.is_empty());
    }
    assert_eq!(within.local.value, 1.0);
    assert_eq!(Hidden::default(), Hidden(0, None));
}
