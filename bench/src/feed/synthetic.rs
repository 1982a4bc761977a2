//! A made-up feed in the likeness of a real one: the same mix of events, prices that wander and
//! never cross, some orders from before the feed begins. The seed decides every byte of it.

use std::collections::{BTreeMap, VecDeque};

use hashbrown::HashMap;

use super::{Event, Feed, Kind, Side, Stamp};
use crate::book::BuildIdHasher;
use crate::rng::Rng;

const OPENING_NS: u64 = 34_200 * 1_000_000_000;
const TRADING_NS: u64 = 23_400 * 1_000_000_000;
const OPENING_PRICE: i64 = 5_853_300;
const TICK: i64 = 100;
/// Orders below this number rested before the feed began.
const FIRST_ORDER: u64 = 16_113_575;
/// Live orders are held between these, so a feed of any length keeps a book of usual size.
const LIVE: std::ops::Range<usize> = 50..4_000;

/// A feed of `events` events.
#[must_use]
pub fn feed(events: u64, seed: u64) -> Feed {
    let mut market = Market::new(events, seed);
    let (stamps, events) = (0..events).map(|_| market.next_event()).unzip();
    Feed {
        name: format!("synthetic, seed {seed}"),
        events,
        stamps,
        skipped: 0,
    }
}

struct Resting {
    side: Side,
    price: i64,
    size: u32,
    /// Its place in `Market::live`.
    place: usize,
}

/// Price levels with their orders, oldest first.
type Levels = BTreeMap<i64, VecDeque<u64>>;

struct Market {
    rng: Rng,
    now_ns: u64,
    /// Half the mean gap between events, before its tail is added.
    gap_ns: u64,
    next_order: u64,
    bids: Levels,
    asks: Levels,
    orders: HashMap<u64, Resting, BuildIdHasher>,
    live: Vec<u64>,
}

impl Market {
    fn new(events: u64, seed: u64) -> Self {
        // The usual 39 ms between events, less when so many would outlast the day. The tail
        // (Rng::power(5)) multiplies by 3.5 on average.
        let mean_ns = (TRADING_NS / events.max(1)).min(39_000_000);
        Market {
            rng: Rng::new(seed),
            now_ns: OPENING_NS,
            gap_ns: (mean_ns * 4 / 7).max(1),
            next_order: FIRST_ORDER,
            bids: Levels::new(),
            asks: Levels::new(),
            orders: HashMap::default(),
            live: Vec::new(),
        }
    }

    /// The mix is that of the real feed: 48 % new orders, 45 % deletes, 4 % visible and 2 %
    /// hidden executions, a few partial cancels, one in a thousand for an unknown order.
    fn next_event(&mut self) -> (Stamp, Event) {
        self.now_ns += self.rng.below(self.gap_ns) * self.rng.power(5) + self.rng.below(2_000);
        let draw = self.rng.below(10_000);
        let event = match draw {
            _ if self.live.len() < LIVE.start => self.add(),
            0..4_810 if self.live.len() >= LIVE.end => self.delete(),
            0..4_810 => self.add(),
            4_810..9_257 => self.delete(),
            9_257..9_699 => self.execute(),
            9_699..9_938 => self.execute_hidden(),
            9_938..9_990 => self.cancel(),
            _ => self.unknown(),
        };
        (Stamp::new(self.now_ns), event)
    }

    fn add(&mut self) -> Event {
        let side = if self.rng.chance(1, 2) {
            Side::Buy
        } else {
            Side::Sell
        };
        let (side, price) = match self.price(side) {
            Some(price) => (side, price),
            // A bid with no room below the offers: offer instead, there is always room above.
            None => (
                Side::Sell,
                self.best(Side::Buy).unwrap_or(OPENING_PRICE) + TICK,
            ),
        };
        let size = self.lot();
        let order = self.next_order;
        self.next_order += 1 + self.rng.below(9);
        let place = self.live.len();
        self.live.push(order);
        self.orders.insert(
            order,
            Resting {
                side,
                price,
                size,
                place,
            },
        );
        self.levels(side).entry(price).or_default().push_back(order);
        Event {
            order,
            price,
            size,
            kind: Kind::New,
            side,
        }
    }

    /// A price that does not cross: mostly near the best of its side, at times better.
    fn price(&mut self, side: Side) -> Option<i64> {
        let away = self.rng.below(4) as i64 * self.rng.power(6) as i64 * TICK;
        let better = if self.rng.chance(15, 100) { TICK } else { 0 };
        let (bid, ask) = (self.best(Side::Buy), self.best(Side::Sell));
        match side {
            Side::Buy => {
                let limit = ask.map_or(i64::MAX, |ask| ask - TICK);
                let near = bid
                    .or(ask.map(|ask| ask - 5 * TICK))
                    .unwrap_or(OPENING_PRICE - TICK);
                Some((near + better - away).max(TICK).min(limit)).filter(|&price| price >= TICK)
            }
            Side::Sell => {
                let limit = bid.map_or(TICK, |bid| bid + TICK);
                let near = ask
                    .or(bid.map(|bid| bid + 5 * TICK))
                    .unwrap_or(OPENING_PRICE + TICK);
                Some((near - better + away).max(limit))
            }
        }
    }

    /// Most deletes hit young orders.
    fn delete(&mut self) -> Event {
        let live = self.live.len() as u64;
        let young = if self.rng.chance(7, 10) {
            live.min(64)
        } else {
            live
        };
        let order = self.live[(live - 1 - self.rng.below(young)) as usize];
        let (side, price, size) = self.take(order, u32::MAX);
        Event {
            order,
            price,
            size,
            kind: Kind::Delete,
            side,
        }
    }

    fn cancel(&mut self) -> Event {
        let order = self.live[self.rng.below(self.live.len() as u64) as usize];
        let part = 1 + self.rng.below(u64::from(self.orders[&order].size) / 2) as u32;
        let (side, price, size) = self.take(order, part);
        Event {
            order,
            price,
            size,
            kind: Kind::Cancel,
            side,
        }
    }

    /// The oldest order at the best price goes first, as on an exchange.
    fn execute(&mut self) -> Event {
        let side = match (self.bids.is_empty(), self.asks.is_empty()) {
            (false, true) => Side::Buy,
            (true, _) => Side::Sell,
            _ if self.rng.chance(1, 2) => Side::Buy,
            _ => Side::Sell,
        };
        let level = match side {
            Side::Buy => self.bids.last_key_value(),
            Side::Sell => self.asks.first_key_value(),
        };
        let Some(&order) = level.and_then(|(_, orders)| orders.front()) else {
            return self.add();
        };
        let part = self.lot();
        let (side, price, size) = self.take(order, part);
        Event {
            order,
            price,
            size,
            kind: Kind::Execute,
            side,
        }
    }

    fn execute_hidden(&mut self) -> Event {
        let side = if self.rng.chance(1, 2) {
            Side::Buy
        } else {
            Side::Sell
        };
        let price = self.best(side).unwrap_or(OPENING_PRICE);
        let size = self.lot();
        Event {
            order: 0,
            price,
            size,
            kind: Kind::ExecuteHidden,
            side,
        }
    }

    fn unknown(&mut self) -> Event {
        let kind = match self.rng.below(3) {
            0 => Kind::Cancel,
            1 => Kind::Delete,
            _ => Kind::Execute,
        };
        let order = 1 + self.rng.below(FIRST_ORDER - 1);
        let size = self.lot();
        Event {
            order,
            price: OPENING_PRICE,
            size,
            kind,
            side: Side::Buy,
        }
    }

    /// Takes up to `most` shares from a live order; says where it rested and what was taken.
    fn take(&mut self, order: u64, most: u32) -> (Side, i64, u32) {
        let resting = self
            .orders
            .get_mut(&order)
            .expect("only live orders are picked");
        let (side, price, place) = (resting.side, resting.price, resting.place);
        let taken = most.min(resting.size);
        resting.size -= taken;
        if resting.size == 0 {
            self.orders.remove(&order);
            self.live.swap_remove(place);
            if let Some(moved) = self.live.get(place) {
                self.orders.get_mut(moved).expect("it is live").place = place;
            }
            let levels = self.levels(side);
            let level = levels.get_mut(&price).expect("a live order has a level");
            level.retain(|&other| other != order);
            if level.is_empty() {
                levels.remove(&price);
            }
        }
        (side, price, taken)
    }

    fn lot(&mut self) -> u32 {
        match self.rng.below(10) {
            0..6 => 100,
            6 | 7 => 1 + self.rng.below(99) as u32,
            8 => 100 * (2 + self.rng.below(4) as u32),
            _ => 1_000,
        }
    }

    fn best(&self, side: Side) -> Option<i64> {
        match side {
            Side::Buy => self.bids.last_key_value().map(|(&price, _)| price),
            Side::Sell => self.asks.first_key_value().map(|(&price, _)| price),
        }
    }

    fn levels(&mut self, side: Side) -> &mut Levels {
        match side {
            Side::Buy => &mut self.bids,
            Side::Sell => &mut self.asks,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::lobster;

    #[test]
    fn the_seed_decides_the_feed() {
        assert!(feed(5_000, 3) == feed(5_000, 3));
        assert!(feed(5_000, 3).events != feed(5_000, 4).events);
        assert_eq!(feed(5_000, 3).events.len(), 5_000);
    }

    #[test]
    fn it_is_written_and_read_as_lobster() {
        let made = feed(20_000, 1);
        let mut text = Vec::new();
        lobster::write(&made, &mut text).unwrap();
        // Not assert_eq: nobody wants to read two feeds.
        assert!(lobster::read(&made.name, &text[..], false).unwrap() == made);
    }

    #[test]
    fn the_mix_is_that_of_a_real_feed() {
        let made = feed(100_000, 1);
        let share = |kind| {
            made.events
                .iter()
                .filter(|event| event.kind == kind)
                .count() as f64
                / 1_000.0
        };
        assert!(
            (45.0..51.0).contains(&share(Kind::New)),
            "{}",
            share(Kind::New)
        );
        assert!(
            (42.0..48.0).contains(&share(Kind::Delete)),
            "{}",
            share(Kind::Delete)
        );
        assert!(
            (3.5..5.5).contains(&share(Kind::Execute)),
            "{}",
            share(Kind::Execute)
        );
        assert!((1.9..2.9).contains(&share(Kind::ExecuteHidden)));
        assert!(
            (0.3..0.9).contains(&share(Kind::Cancel)),
            "{}",
            share(Kind::Cancel)
        );
    }

    #[test]
    fn time_goes_forward_and_stays_within_the_day() {
        for events in [100, 300_000] {
            let made = feed(events, 5);
            assert!(made.stamps.is_sorted_by_key(Stamp::nanos));
            assert!(made.stamps.last().unwrap().nanos() < 24 * 3_600 * 1_000_000_000);
        }
    }
}
