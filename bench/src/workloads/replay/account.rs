//! A trading account: checks an event's risk, and passes it on to the book.

use std::time::Duration;

use quark::prelude::*;

use super::order_book::OrderBookRef;
use crate::feed::{Event, Kind};

/// How many there are; an order's id says whose it is.
pub(super) const ACCOUNTS: u64 = 1_000;
/// How long until a message that found no room is tried again.
pub(super) const RETRY: Duration = Duration::from_millis(1);

/// The most shares of a new order.
const MOST_SHARES: u32 = 10_000_000;
/// The most that a new order may be worth, in the feed's unit: a billion dollars.
const MOST_WORTH: i64 = 1_000_000_000 * 10_000;

/// What an account lets through. Only new orders carry risk; what reduces them passes.
pub(super) fn passes(event: &Event) -> bool {
    event.kind != Kind::New
        || event.size <= MOST_SHARES
            && event.price > 0
            && event.price.saturating_mul(i64::from(event.size)) <= MOST_WORTH
}

/// An account.
pub(super) struct Account {
    book: OrderBookRef,
}

impl Account {
    pub(super) fn new(book: OrderBookRef) -> Self {
        Account { book }
    }
}

#[actor(name = "bench.account")]
impl Account {
    /// Calls the book once, so that the reference knows from then on where it lives.
    async fn on_activate(&mut self) -> Result<(), CallError> {
        self.book.open().await
    }

    /// Activates the account, before anything is measured.
    pub fn open(&self) {}

    /// Checks event number `number` and passes it on: an event that is refused goes as its mere
    /// number, so that the book does not wait for it.
    pub fn check(&self, cx: &Cx<Self>, number: u64, event: Event) {
        let checked = passes(&event).then_some(event);
        if self.book.place(number, checked).tell().is_err() {
            // No harm in coming late: the book puts events in order.
            cx.after(RETRY, move |me| me.check(number, event));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::{Side, synthetic};

    fn event(kind: Kind, size: u32, price: i64) -> Event {
        Event {
            order: 1,
            price,
            size,
            kind,
            side: Side::Buy,
        }
    }

    #[test]
    fn absurd_orders_are_refused_and_what_reduces_them_is_not() {
        for (size, price) in [
            (MOST_SHARES + 1, 1),
            (1_000_000, 10_000_001),
            (1, 0),
            (1, -1),
            (u32::MAX, i64::MAX),
        ] {
            assert!(!passes(&event(Kind::New, size, price)), "{size}, {price}");
            for kind in [Kind::Cancel, Kind::Delete, Kind::Execute, Kind::Halt] {
                assert!(passes(&event(kind, size, price)), "{kind:?}");
            }
        }
        assert!(passes(&event(Kind::New, MOST_SHARES, 1)));
        assert!(passes(&event(Kind::New, 1_000_000, 10_000_000)));
    }

    #[test]
    fn a_feed_within_reason_passes_whole() {
        assert!(synthetic::feed(50_000, 3).events.iter().all(passes));
    }
}
