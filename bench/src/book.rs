//! An order book as a plain struct: it knows nothing of actors.
//!
//! The feed carries its own executions, so the book applies events and matches nothing.

use std::hash::{BuildHasherDefault, Hasher};

use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use crate::feed::{Event, Kind, Side};

/// The orders of one symbol and their price levels. Kept and made anew by its orders alone.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(from = "Kept", into = "Kept")]
pub struct Book {
    orders: HashMap<u64, Order, BuildIdHasher>,
    bids: Levels,
    asks: Levels,
    tally: Tally,
}

/// What an event did to the book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Orders or levels changed.
    Applied,
    /// Nothing to do: a hidden execution or a halt.
    Unseen,
    /// It names an order that is not on the book.
    Unknown,
    /// It adds an order that is on the book already; the first one stays.
    Duplicate,
    /// It takes more shares than the order has; the order is gone.
    Excess,
}

/// How many events had each effect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// [`Effect::Applied`].
    pub applied: u64,
    /// [`Effect::Unseen`].
    pub unseen: u64,
    /// [`Effect::Unknown`].
    pub unknown: u64,
    /// [`Effect::Duplicate`].
    pub duplicate: u64,
    /// [`Effect::Excess`].
    pub excess: u64,
}

/// An order on the book.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Resting {
    /// Its id.
    pub order: u64,
    /// Dollars × 10,000.
    pub price: i64,
    /// Shares that are left of it.
    pub size: u32,
    /// Bid or offer.
    pub side: Side,
}

/// A price and the shares that rest there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quote {
    /// Dollars × 10,000.
    pub price: i64,
    /// Shares, of all orders at that price.
    pub size: u64,
}

/// The best bid and offer; `None` while a side is empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bbo {
    /// The lowest offer.
    pub ask: Option<Quote>,
    /// The highest bid.
    pub bid: Option<Quote>,
}

impl Bbo {
    /// True when somebody bids at least what another asks.
    #[must_use]
    pub fn is_crossed(&self) -> bool {
        matches!((self.bid, self.ask), (Some(bid), Some(ask)) if bid.price >= ask.price)
    }
}

impl Book {
    /// Applies one event, and counts what came of it.
    pub fn apply(&mut self, event: &Event) -> Effect {
        let effect = match event.kind {
            Kind::New => {
                let Event {
                    price, size, side, ..
                } = *event;
                self.add(event.order, Order { price, size, side })
            }
            Kind::Cancel | Kind::Execute => self.reduce(event.order, event.size),
            // Whole, whatever size the feed gives.
            Kind::Delete => self.delete(event.order),
            Kind::ExecuteHidden | Kind::Halt => Effect::Unseen,
        };
        *match effect {
            Effect::Applied => &mut self.tally.applied,
            Effect::Unseen => &mut self.tally.unseen,
            Effect::Unknown => &mut self.tally.unknown,
            Effect::Duplicate => &mut self.tally.duplicate,
            Effect::Excess => &mut self.tally.excess,
        } += 1;
        effect
    }

    /// The best bid and offer now.
    #[must_use]
    pub fn bbo(&self) -> Bbo {
        let quote = |level: &Level, side| Quote {
            price: unrank(level.rank, side),
            size: level.size,
        };
        Bbo {
            ask: self.asks.best().map(|level| quote(level, Side::Sell)),
            bid: self.bids.best().map(|level| quote(level, Side::Buy)),
        }
    }

    /// What the events so far did.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// Orders on the book.
    #[must_use]
    pub fn orders(&self) -> usize {
        self.orders.len()
    }

    /// The orders that rest, by their ids.
    #[must_use]
    pub fn resting(&self) -> Vec<Resting> {
        let resting = self.orders.iter().map(|(id, order)| Resting {
            order: *id,
            price: order.price,
            size: order.size,
            side: order.side,
        });
        let mut resting: Vec<_> = resting.collect();
        resting.sort_unstable();
        resting
    }

    fn add(&mut self, id: u64, order: Order) -> Effect {
        let hashbrown::hash_map::Entry::Vacant(vacant) = self.orders.entry(id) else {
            return Effect::Duplicate;
        };
        vacant.insert(order);
        let Order { price, size, side } = order;
        self.levels(side).add(rank(price, side), size);
        Effect::Applied
    }

    fn reduce(&mut self, id: u64, by: u32) -> Effect {
        let Some(order) = self.orders.get_mut(&id) else {
            return Effect::Unknown;
        };
        let had = order.size;
        if by >= had {
            self.delete(id);
            return if by > had {
                Effect::Excess
            } else {
                Effect::Applied
            };
        }
        order.size -= by;
        let (price, side) = (order.price, order.side);
        self.levels(side).reduce(rank(price, side), by);
        Effect::Applied
    }

    fn delete(&mut self, id: u64) -> Effect {
        let Some(Order { price, size, side }) = self.orders.remove(&id) else {
            return Effect::Unknown;
        };
        self.levels(side).remove(rank(price, side), size);
        Effect::Applied
    }

    fn levels(&mut self, side: Side) -> &mut Levels {
        match side {
            Side::Buy => &mut self.bids,
            Side::Sell => &mut self.asks,
        }
    }
}

/// A [`Book`] as it is kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    orders: Vec<Resting>,
    tally: Tally,
}

impl From<Book> for Kept {
    fn from(book: Book) -> Self {
        Kept {
            orders: book.resting(),
            tally: book.tally,
        }
    }
}

impl From<Kept> for Book {
    fn from(kept: Kept) -> Self {
        let mut book = Book {
            tally: kept.tally,
            ..Book::default()
        };
        for Resting {
            order,
            price,
            size,
            side,
        } in kept.orders
        {
            book.add(order, Order { price, size, side });
        }
        book
    }
}

#[derive(Clone, Copy, Debug)]
struct Order {
    price: i64,
    size: u32,
    side: Side,
}

/// The price levels of one side, worst first: a book lives at its best end, so a sorted vector
/// moves next to nothing there and beats a tree.
#[derive(Clone, Debug, Default)]
struct Levels(Vec<Level>);

#[derive(Clone, Copy, Debug)]
struct Level {
    /// See [`rank`].
    rank: i64,
    size: u64,
    orders: u32,
}

impl Levels {
    fn best(&self) -> Option<&Level> {
        self.0.last()
    }

    fn add(&mut self, rank: i64, size: u32) {
        let size = u64::from(size);
        match self.find(rank) {
            Ok(at) => {
                self.0[at].size += size;
                self.0[at].orders += 1;
            }
            Err(at) => self.0.insert(
                at,
                Level {
                    rank,
                    size,
                    orders: 1,
                },
            ),
        }
    }

    fn reduce(&mut self, rank: i64, by: u32) {
        let at = self
            .find(rank)
            .expect("an order's level lives as long as the order");
        self.0[at].size -= u64::from(by);
    }

    fn remove(&mut self, rank: i64, size: u32) {
        let at = self
            .find(rank)
            .expect("an order's level lives as long as the order");
        let level = &mut self.0[at];
        level.size -= u64::from(size);
        level.orders -= 1;
        if level.orders == 0 {
            self.0.remove(at);
        }
    }

    /// Where the level is, or where it belongs.
    fn find(&self, rank: i64) -> Result<usize, usize> {
        /// About two cache lines from the best level on.
        const NEAR: usize = 8;
        let far = self.0.len().saturating_sub(NEAR);
        for (at, level) in self.0.iter().enumerate().skip(far).rev() {
            if level.rank <= rank {
                return if level.rank == rank {
                    Ok(at)
                } else {
                    Err(at + 1)
                };
            }
        }
        self.0[..far].binary_search_by_key(&rank, |level| level.rank)
    }
}

/// Orders prices from worst to best on either side. `!` turns the order round, and unlike `-` it
/// has a result for every price.
fn rank(price: i64, side: Side) -> i64 {
    match side {
        Side::Buy => price,
        Side::Sell => !price,
    }
}

fn unrank(rank: i64, side: Side) -> i64 {
    match side {
        Side::Buy => rank,
        Side::Sell => !rank,
    }
}

/// Builds [`IdHasher`].
pub type BuildIdHasher = BuildHasherDefault<IdHasher>;

/// Hashes order ids, which an exchange counts up: one multiplication spreads them well.
#[derive(Clone, Copy, Debug, Default)]
pub struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(u64::from(byte));
        }
    }

    fn write_u64(&mut self, id: u64) {
        let product = u128::from(self.0 ^ id) * 0x9e37_79b9_7f4a_7c15;
        // Both halves, since the table takes its index from one end and its tags from the other.
        self.0 = (product >> 64) as u64 ^ product as u64;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::feed::{lobster, synthetic};
    use proptest::prelude::*;

    fn event(kind: u8, order: u64, size: u32, price: i64, direction: i8) -> Event {
        let line = format!("1,{kind},{order},{size},{price},{direction}");
        lobster::parse(line.as_bytes()).unwrap().1
    }

    fn quote(price: i64, size: u64) -> Option<Quote> {
        Some(Quote { price, size })
    }

    #[test]
    fn orders_make_levels_and_take_them_away() {
        let mut book = Book::default();
        book.apply(&event(1, 1, 10, 100, 1));
        book.apply(&event(1, 2, 5, 100, 1));
        book.apply(&event(1, 3, 7, 120, -1));
        assert_eq!(
            book.bbo(),
            Bbo {
                ask: quote(120, 7),
                bid: quote(100, 15)
            }
        );
        book.apply(&event(1, 4, 1, 110, -1));
        book.apply(&event(2, 1, 4, 100, 1));
        assert_eq!(
            book.bbo(),
            Bbo {
                ask: quote(110, 1),
                bid: quote(100, 11)
            }
        );
        book.apply(&event(4, 4, 1, 110, -1));
        book.apply(&event(3, 1, 6, 100, 1));
        assert_eq!(
            book.bbo(),
            Bbo {
                ask: quote(120, 7),
                bid: quote(100, 5)
            }
        );
        book.apply(&event(4, 2, 5, 100, 1));
        assert_eq!(
            book.bbo(),
            Bbo {
                ask: quote(120, 7),
                bid: None
            }
        );
        assert_eq!(book.orders(), 1);
        assert_eq!(
            book.tally(),
            Tally {
                applied: 8,
                ..Tally::default()
            }
        );
    }

    #[test]
    fn odd_events_are_counted_and_harm_nothing() {
        let mut book = Book::default();
        book.apply(&event(1, 1, 10, 100, 1));
        let before = book.bbo();
        assert_eq!(book.apply(&event(1, 1, 99, 101, 1)), Effect::Duplicate);
        assert_eq!(book.apply(&event(3, 2, 10, 100, 1)), Effect::Unknown);
        assert_eq!(book.apply(&event(2, 2, 10, 100, 1)), Effect::Unknown);
        assert_eq!(book.apply(&event(4, 2, 10, 100, 1)), Effect::Unknown);
        assert_eq!(book.apply(&event(5, 1, 10, 100, 1)), Effect::Unseen);
        assert_eq!(book.apply(&event(7, 0, 0, -1, -1)), Effect::Unseen);
        assert_eq!(book.bbo(), before);
        assert_eq!(book.apply(&event(4, 1, 11, 100, 1)), Effect::Excess);
        assert_eq!(book.bbo(), Bbo::default());
        let tally = Tally {
            applied: 1,
            unseen: 2,
            unknown: 3,
            duplicate: 1,
            excess: 1,
        };
        assert_eq!(book.tally(), tally);
    }

    #[test]
    fn what_is_kept_comes_back_with_its_levels() {
        let mut book = Book::default();
        for event in &synthetic::feed(5_000, 1).events {
            book.apply(event);
        }
        let kept = serde_json::to_string(&book).unwrap();
        let mut found: Book = serde_json::from_str(&kept).unwrap();
        assert_eq!(found.resting(), book.resting());
        assert_eq!((found.bbo(), found.tally()), (book.bbo(), book.tally()));
        for Resting { order, .. } in book.resting() {
            assert_eq!(found.apply(&event(3, order, 1, 1, 1)), Effect::Applied);
        }
        assert_eq!(found.bbo(), Bbo::default());
    }

    #[test]
    fn a_crossed_book_is_seen() {
        assert!(
            Bbo {
                ask: quote(100, 1),
                bid: quote(100, 1)
            }
            .is_crossed()
        );
        assert!(
            !Bbo {
                ask: quote(101, 1),
                bid: quote(100, 1)
            }
            .is_crossed()
        );
        assert!(
            !Bbo {
                ask: None,
                bid: quote(100, 1)
            }
            .is_crossed()
        );
    }

    #[test]
    fn a_made_up_feed_never_crosses_and_is_mostly_known() {
        for seed in 0..5 {
            let made = synthetic::feed(50_000, seed);
            let mut book = Book::default();
            for event in &made.events {
                book.apply(event);
                assert!(!book.bbo().is_crossed(), "seed {seed}: {event}");
            }
            let Tally {
                unknown,
                duplicate,
                excess,
                ..
            } = book.tally();
            assert!(
                (10..150).contains(&unknown),
                "seed {seed}: {unknown} unknown"
            );
            assert_eq!((duplicate, excess), (0, 0), "seed {seed}");
            assert!(book.orders() <= 4_000);
        }
    }

    /// The same by the simplest means: every order, looked through each time.
    #[derive(Default)]
    struct Plain(BTreeMap<u64, Order>);

    impl Plain {
        fn apply(&mut self, event: &Event) {
            let Event {
                order,
                size,
                price,
                side,
                ..
            } = *event;
            match event.kind {
                Kind::New => drop(self.0.entry(order).or_insert(Order { price, size, side })),
                Kind::Cancel | Kind::Execute => {
                    if let Some(named) = self.0.get_mut(&order) {
                        named.size = named.size.saturating_sub(size);
                        if named.size == 0 {
                            self.0.remove(&order);
                        }
                    }
                }
                Kind::Delete => drop(self.0.remove(&order)),
                Kind::ExecuteHidden | Kind::Halt => {}
            }
        }

        fn best(&self, side: Side) -> Option<Quote> {
            let prices = || self.0.values().filter(|order| order.side == side);
            let price = match side {
                Side::Buy => prices().map(|order| order.price).max(),
                Side::Sell => prices().map(|order| order.price).min(),
            }?;
            let at = prices().filter(|order| order.price == price);
            Some(Quote {
                price,
                size: at.map(|order| u64::from(order.size)).sum(),
            })
        }
    }

    proptest! {
        #[test]
        fn any_events_agree_with_the_plain_book(
            events in proptest::collection::vec(
                (1_u8..=5, 0_u64..40, 1_u32..20, 1_i64..60, prop_oneof![Just(1_i8), Just(-1)]),
                0..400),
        ) {
            let (mut book, mut plain) = (Book::default(), Plain::default());
            for (kind, order, size, price, direction) in events {
                let event = event(kind, order, size, price, direction);
                book.apply(&event);
                plain.apply(&event);
                let expected = Bbo { ask: plain.best(Side::Sell), bid: plain.best(Side::Buy) };
                prop_assert_eq!(book.bbo(), expected);
                prop_assert_eq!(book.orders(), plain.0.len());
            }
        }
    }
}
