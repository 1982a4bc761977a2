//! What is no message stays what it is, and may be generic, borrow, or take `self`.
#![deny(warnings)]

use std::rc::Rc;

use quark::prelude::*;

pub struct Ledger {
    lines: Vec<String>,
}

#[actor]
impl Ledger {
    const LIMIT: usize = 4;

    pub const fn new() -> Self {
        Self { lines: Vec::new() }
    }

    pub fn push(&mut self, line: String) -> bool {
        self.room() && self.push_any(&line)
    }

    fn push_any<'a, T: Into<String> + Clone>(&mut self, line: &'a T) -> bool {
        self.lines.push(line.clone().into());
        true
    }

    pub(crate) fn first(&self) -> Option<&str> {
        self.lines.first().map(String::as_str)
    }

    const fn room(&self) -> bool {
        self.lines.len() < Self::LIMIT
    }

    fn into_shared(self) -> Rc<Self> {
        Rc::new(self)
    }
}

impl Ledger {
    /// In a block of its own, so no message although it is public.
    pub fn lines(&self) -> &[String] {
        &self.lines
    }
}

fn uses(reference: &LedgerRef) {
    let _ = reference.push("one".to_owned());
}

pub(super) fn main() {
    let _checked: fn(&LedgerRef) = uses;
    let mut ledger = Ledger::new();
    assert!(ledger.push("one".to_owned()));
    assert_eq!(ledger.first(), Some("one"));
    assert_eq!(ledger.into_shared().lines().len(), 1);
}
