//! Private actors, arguments, replies and errors need not become public.
#![deny(warnings)]

use quark::prelude::*;

#[derive(Default)]
struct Desk {
    last: u32,
}

struct Order(u32);

struct Receipt(u32);

struct Refusal;

#[actor]
impl Desk {
    pub fn submit(&mut self, order: Order) -> Result<Receipt, Refusal> {
        if order.0 == 0 {
            return Err(Refusal);
        }
        self.last = order.0;
        Ok(Receipt(self.last))
    }

    pub fn last(&self) -> Option<Receipt> {
        Some(Receipt(self.last))
    }
}

mod inner {
    pub(super) struct Nested;

    #[quark::actor]
    impl Nested {
        pub fn answer(&self) -> Answer {
            Answer(2)
        }
    }

    pub(super) struct Answer(pub(super) u32);
}

fn uses(desk: &DeskRef, nested: &inner::NestedRef) {
    let _ = desk.submit(Order(1));
    let _ = desk.last();
    let _ = nested.answer();
}

pub(super) fn main() {
    let _checked: fn(&DeskRef, &inner::NestedRef) = uses;
    let _both = (Desk::default(), inner::Nested);
    let inner::Answer(_) = inner::Answer(1);
}
