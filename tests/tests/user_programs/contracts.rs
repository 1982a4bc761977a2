//! A contract in a crate of its own, as it were, under the strictest lints; who implements it sees it
//! by another path.
#![deny(warnings, missing_docs, unreachable_pub)]
#![allow(dead_code)]

/// What is called.
pub mod api {
    use quark::prelude::*;

    /// A refusal.
    #[message]
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub enum Refused {
        /// Too little is there.
        TooLittle {
            /// What is there.
            cents: i64,
        },
    }

    /// An account.
    #[actor(name = "bank.account", timeout_ms = 500)]
    pub trait Account {
        /// Adds.
        fn deposit(&mut self, cents: i64) -> i64;

        /// Takes away.
        async fn withdraw(&mut self, cents: i64) -> Result<i64, Refused>;

        /// What is there.
        fn balance(&self) -> i64;

        /// An argument of a name that is taken, and one that is a keyword.
        fn r#move(&mut self, self_: bool, r#type: String) -> String;

        /// Not in every build.
        #[cfg(any())]
        fn never(&mut self);

        /// No longer.
        #[deprecated = "use `deposit`"]
        fn add(&mut self, cents: i64);
    }
}

mod bank {
    use quark::prelude::*;

    use super::api;

    #[derive(Default)]
    struct Ledger {
        cents: i64,
    }

    #[actor(mailbox = 8)]
    impl api::Account for Ledger {
        fn deposit(&mut self, cents: i64) -> i64 {
            self.put(cents)
        }

        async fn withdraw(&mut self, cx: &Cx<Self>, cents: i64) -> Result<i64, api::Refused> {
            let _ = cx.key();
            if self.cents < cents {
                return Err(api::Refused::TooLittle { cents: self.cents });
            }
            Ok(self.put(-cents))
        }

        fn balance(&self) -> i64 {
            self.cents
        }

        #[turn(priority = "high")]
        fn r#move(&mut self, mut self_: bool, r#type: String) -> String {
            self_ = !self_;
            format!("{self_} {}", r#type)
        }

        #[cfg(any())]
        fn never(&mut self) {}

        fn add(&mut self, cents: i64) {
            self.cents += cents;
        }

        async fn on_activate(&mut self) {
            self.cents = 100;
        }
    }

    impl Ledger {
        fn put(&mut self, cents: i64) -> i64 {
            self.cents += cents;
            self.cents
        }
    }

    pub(crate) fn engine() -> Result<Engine, Box<dyn std::error::Error>> {
        let topology = Topology::detect()?.shards(2).oversubscribe(true);
        let builder = Engine::builder().topology(topology);
        Ok(builder.configure::<Ledger>(quark::ActorOptions::new()).launch()?)
    }
}

/// One that nobody else sees.
mod inside {
    use quark::prelude::*;

    #[actor]
    trait Counter {
        fn add(&mut self) -> u64;
    }

    #[derive(Default)]
    struct One(u64);

    #[actor]
    impl Counter for One {
        fn add(&mut self) -> u64 {
            self.0 += 1;
            self.0
        }
    }
}

pub(super) fn main() {
    use api::Account;

    let engine = bank::engine().unwrap();
    let alice: api::AccountRef = engine.actor::<dyn Account>("alice");
    assert_eq!(alice.deposit(5).wait().unwrap(), 105);
    let too_little = alice.withdraw(1000).wait();
    let why = api::Refused::TooLittle { cents: 105 };
    assert_eq!(too_little, Err(quark::CallError::Failed(why)));
    assert_eq!(alice.r#move(true, "x".into()).wait().unwrap(), "false x");
    assert_eq!(alice.balance().wait().unwrap(), 105);
}
