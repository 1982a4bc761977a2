//! The same actors as two versions of the program have them.

use std::time::Duration;

use quark::prelude::*;
use serde::{Deserialize, Serialize};

pub mod old {
    use super::*;

    #[message]
    #[derive(Debug, Clone, PartialEq)]
    pub struct Order {
        pub symbol: String,
        pub lots: u32,
    }

    #[message]
    #[derive(Debug, Clone, PartialEq)]
    pub struct Ticket {
        pub number: u64,
        pub trader: String,
    }

    #[derive(Default)]
    pub struct Desk;

    #[actor(name = "desk")]
    impl Desk {
        pub fn place(&mut self, order: Order) -> u32 {
            order.lots
        }

        pub fn last(&self) -> Order {
            Order {
                symbol: "QRK".to_owned(),
                lots: 3,
            }
        }

        /// Which version it is of.
        pub fn runs(&self) -> String {
            "old".to_owned()
        }

        pub fn same(&self, word: String) -> String {
            word
        }

        /// Keeps all others waiting for so long.
        pub async fn hold(&mut self, millis: u64) {
            quark::sleep(Duration::from_millis(millis)).await;
        }

        pub fn ticket(&self) -> Ticket {
            Ticket {
                number: 9,
                trader: "ann".to_owned(),
            }
        }

        pub fn show(&self, ticket: Ticket) -> String {
            ticket.trader
        }
    }

    /// What an agent says: the same in both versions.
    #[message]
    #[derive(Debug, Clone, PartialEq)]
    pub struct Placed {
        pub by: String,
        pub lots: u32,
    }

    #[derive(Default)]
    pub struct Agent;

    #[actor(name = "agent")]
    impl Agent {
        /// Places an order at a desk, which may be of the other version.
        pub async fn order(&self, cx: &Cx<Self>, desk: u64) -> Result<Placed, String> {
            let order = Order {
                symbol: "QRK".to_owned(),
                lots: 7,
            };
            let lots = cx.actor::<Desk>(desk).place(order).await;
            Ok(Placed {
                by: "old".to_owned(),
                lots: lots.map_err(|error| error.to_string())?,
            })
        }
    }

    #[message]
    #[derive(Debug, Clone, PartialEq)]
    pub struct Payment {
        pub cents: i64,
    }

    #[derive(Debug, Clone, Default, Serialize, Deserialize)]
    pub struct Held {
        pub cents: i64,
    }

    #[derive(Default, Stateful)]
    pub struct Account {
        #[state(save = "each_turn")]
        held: State<Held>,
    }

    #[actor(name = "account")]
    impl Account {
        pub fn pay(&mut self, payment: Payment) -> i64 {
            self.held.cents += payment.cents;
            self.held.cents
        }

        pub async fn pay_slowly(&mut self, payment: Payment) -> i64 {
            quark::sleep(Duration::from_millis(3)).await;
            self.held.cents += payment.cents;
            self.held.cents
        }

        pub fn cents(&self) -> i64 {
            self.held.cents
        }
    }
}

pub mod new {
    use super::*;

    #[message]
    #[derive(Debug, Clone, PartialEq)]
    pub struct Order {
        pub symbol: String,
        pub lots: u32,
        /// Came with this version.
        #[message(default)]
        pub urgent: bool,
    }

    /// Lost its trader in this version.
    #[message]
    #[derive(Debug, Clone, PartialEq)]
    pub struct Ticket {
        pub number: u64,
    }

    #[derive(Default)]
    pub struct Desk;

    #[actor(name = "desk")]
    impl Desk {
        /// Came with this version, before all others.
        pub fn cancel(&mut self, number: u64) -> u64 {
            number
        }

        pub fn place(&mut self, order: Order) -> u32 {
            order.lots + u32::from(order.urgent) * 1000
        }

        pub fn last(&self) -> Order {
            Order {
                symbol: "QRK".to_owned(),
                lots: 3,
                urgent: true,
            }
        }

        /// Which version it is of.
        pub fn runs(&self) -> String {
            "new".to_owned()
        }

        pub fn same(&self, word: String) -> String {
            word
        }

        /// Keeps all others waiting for so long.
        pub async fn hold(&mut self, millis: u64) {
            quark::sleep(Duration::from_millis(millis)).await;
        }

        pub fn ticket(&self) -> Ticket {
            Ticket { number: 9 }
        }

        pub fn show(&self, ticket: Ticket) -> String {
            ticket.number.to_string()
        }
    }

    /// What an agent says: the same in both versions.
    #[message]
    #[derive(Debug, Clone, PartialEq)]
    pub struct Placed {
        pub by: String,
        pub lots: u32,
    }

    #[derive(Default)]
    pub struct Agent;

    #[actor(name = "agent")]
    impl Agent {
        /// Places an order at a desk, which may be of the other version.
        pub async fn order(&self, cx: &Cx<Self>, desk: u64) -> Result<Placed, String> {
            let order = Order {
                symbol: "QRK".to_owned(),
                lots: 7,
                urgent: true,
            };
            let lots = cx.actor::<Desk>(desk).place(order).await;
            Ok(Placed {
                by: "new".to_owned(),
                lots: lots.map_err(|error| error.to_string())?,
            })
        }
    }

    #[message]
    #[derive(Debug, Clone, PartialEq)]
    pub struct Payment {
        /// Came with this version, before the other.
        #[message(default)]
        pub memo: String,
        pub cents: i64,
    }

    #[derive(Debug, Clone, Default, Serialize, Deserialize)]
    pub struct Held {
        /// Came with this version.
        #[serde(default)]
        pub memos: u64,
        pub cents: i64,
    }

    #[derive(Default, Stateful)]
    pub struct Account {
        #[state(save = "each_turn")]
        held: State<Held>,
    }

    #[actor(name = "account")]
    impl Account {
        pub fn pay(&mut self, payment: Payment) -> i64 {
            self.held.memos += u64::from(!payment.memo.is_empty());
            self.held.cents += payment.cents;
            self.held.cents
        }

        pub async fn pay_slowly(&mut self, payment: Payment) -> i64 {
            quark::sleep(Duration::from_millis(3)).await;
            self.pay(payment)
        }

        pub fn cents(&self) -> i64 {
            self.held.cents
        }

        /// Came with this version, too.
        pub fn memos(&self) -> u64 {
            self.held.memos
        }
    }
}
