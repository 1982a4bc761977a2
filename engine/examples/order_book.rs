//! An exchange in small: each symbol is an actor that matches limit orders by price, then time;
//! each trader is one that keeps count of what it holds.
#![allow(missing_docs, clippy::print_stdout)]

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use quark::prelude::*;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Buy,
    Sell,
}

/// Shares that changed hands, as seen by who came second.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trade {
    pub with: String,
    pub cents: u64,
    pub shares: u64,
}

/// Why an order is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    NoShares,
    TooMany {
        limit: u64,
    },
    /// The other party could not be reached.
    Call(CallError),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refused::NoShares => f.write_str("an order needs at least 1 share"),
            Refused::TooMany { limit } => write!(f, "an order has at most {limit} shares"),
            Refused::Call(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Refused {}

/// So that `?` turns a failed call into this type's own error.
impl From<CallError> for Refused {
    fn from(error: CallError) -> Self {
        Refused::Call(error)
    }
}

struct Resting {
    trader: String,
    shares: u64,
}

/// Orders by price; at one price, the oldest first.
type Orders = BTreeMap<u64, VecDeque<Resting>>;

/// The book of one symbol, which is its key.
#[derive(Default)]
pub struct OrderBook {
    bids: Orders,
    asks: Orders,
    traded: u64,
    /// Shares traded since the bell before.
    recent: u64,
    volumes: Vec<u64>,
}

impl OrderBook {
    const LIMIT: u64 = 10_000;

    /// The best order that a new one at `cents` meets, with its price.
    fn best(&mut self, side: Side, cents: u64) -> Option<(u64, &mut VecDeque<Resting>)> {
        let (price, queue) = match side {
            Side::Buy => self
                .asks
                .iter_mut()
                .next()
                .filter(|(ask, _)| **ask <= cents),
            Side::Sell => self
                .bids
                .iter_mut()
                .next_back()
                .filter(|(bid, _)| **bid >= cents),
        }?;
        Some((*price, queue))
    }
}

#[actor]
impl OrderBook {
    /// Runs before the first message: has the actor ring its own bell from then on. Timers end
    /// with the activation.
    fn on_activate(&mut self, cx: &Cx<Self>) {
        cx.every(Duration::from_millis(20), |me| me.bell());
    }

    /// Takes an order and says what it traded at once; the rest of it stays on the book.
    ///
    /// `&mut self`: while it awaits the traders, no other order is looked at.
    pub async fn order(
        &mut self,
        cx: &Cx<Self>,
        trader: String,
        side: Side,
        cents: u64,
        mut shares: u64,
    ) -> Result<Vec<Trade>, Refused> {
        match shares {
            0 => return Err(Refused::NoShares),
            1..=Self::LIMIT => {}
            _ => return Err(Refused::TooMany { limit: Self::LIMIT }),
        }
        let symbol = cx.key().to_string();
        let mut trades = Vec::new();
        while shares > 0 {
            let Some((price, queue)) = self.best(side, cents) else {
                break;
            };
            let first = &mut queue[0];
            let traded = shares.min(first.shares);
            first.shares -= traded;
            shares -= traded;
            let with = first.trader.clone();
            if first.shares == 0 {
                queue.pop_front();
            }
            if queue.is_empty() {
                match side {
                    Side::Buy => self.asks.remove(&price),
                    Side::Sell => self.bids.remove(&price),
                };
            }
            self.traded += traded;
            self.recent += traded;
            let signed = match side {
                Side::Buy => traded.cast_signed(),
                Side::Sell => -traded.cast_signed(),
            };
            // Each on its own core, and this one meanwhile does other actors' work.
            cx.actor::<Trader>(&trader[..])
                .settle(symbol.clone(), signed)
                .await?;
            cx.actor::<Trader>(&with[..])
                .settle(symbol.clone(), -signed)
                .await?;
            trades.push(Trade {
                with,
                cents: price,
                shares: traded,
            });
        }
        if shares > 0 {
            let orders = match side {
                Side::Buy => &mut self.bids,
                Side::Sell => &mut self.asks,
            };
            orders
                .entry(cents)
                .or_default()
                .push_back(Resting { trader, shares });
        }
        Ok(trades)
    }

    /// The best bid and offer. `&self`: reads may go on beside each other.
    pub fn quote(&self) -> (Option<u64>, Option<u64>) {
        (
            self.bids.keys().next_back().copied(),
            self.asks.keys().next().copied(),
        )
    }

    /// Shares traded in all, and between the bells so far.
    pub fn volume(&self) -> (u64, Vec<u64>) {
        (self.traded, self.volumes.clone())
    }

    /// Ends a period.
    pub fn bell(&mut self) {
        self.volumes.push(std::mem::take(&mut self.recent));
    }
}

/// A trader and what it holds.
#[derive(Default)]
pub struct Trader {
    shares: BTreeMap<String, i64>,
}

#[actor]
impl Trader {
    /// So many shares more, or fewer.
    pub fn settle(&mut self, symbol: String, shares: i64) {
        *self.shares.entry(symbol).or_default() += shares;
    }

    pub fn holds(&self, symbol: String) -> i64 {
        self.shares.get(&symbol).copied().unwrap_or(0)
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    use Side::{Buy, Sell};

    let engine = Engine::launch(Topology::detect()?)?;
    let book = engine.actor::<OrderBook>("QRK");
    for (trader, side, cents, shares) in [
        ("ann", Sell, 1_010, 50),
        ("bob", Sell, 1_005, 30),
        ("cyd", Buy, 990, 20),
        ("dan", Buy, 1_010, 60),
        ("eve", Sell, 990, 10),
    ] {
        for trade in book.order(trader.into(), side, cents, shares).wait()? {
            let Trade {
                with,
                cents,
                shares,
            } = trade;
            println!("{trader} {side:?}s {shares} at {cents}, with {with}");
        }
    }

    // Dan took bob's 30 and 30 of ann's; eve met cyd.
    assert_eq!(book.quote().wait()?, (Some(990), Some(1_010)));
    for (trader, holds) in [
        ("ann", -30),
        ("bob", -30),
        ("cyd", 10),
        ("dan", 60),
        ("eve", -10),
    ] {
        let trader = engine.actor::<Trader>(trader);
        assert_eq!(trader.holds("QRK".into()).wait()?, holds);
    }

    // The method's own error comes out of the call as it went in.
    let refused = book.order("ann".into(), Buy, 1, 1_000_000).wait();
    assert_eq!(
        refused,
        Err(CallError::Failed(Refused::TooMany { limit: 10_000 }))
    );

    // Bells ring on the book's own clock, whether anyone calls or not.
    let (traded, volumes) = loop {
        std::thread::sleep(Duration::from_millis(5));
        let (traded, volumes) = book.volume().wait()?;
        if volumes.iter().sum::<u64>() == traded && volumes.len() > 1 {
            break (traded, volumes);
        }
    };
    println!("{traded} shares were traded, by the bell: {volumes:?}");
    assert_eq!(traded, 70);
    engine.shutdown();
    Ok(())
}
