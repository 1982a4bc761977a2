//! Two versions of a program that call each other.
#![allow(
    missing_docs,
    unreachable_pub,
    reason = "what tests call explains itself"
)]

use std::net::SocketAddr;

use quark::prelude::*;
use quark::{ActorOptions, Client, EngineBuilder, IdlePolicy, Listen, NotRemote};

mod old {
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

        pub fn same(&self, word: String) -> String {
            word
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
}

mod new {
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

        pub fn same(&self, word: String) -> String {
            word
        }

        pub fn ticket(&self) -> Ticket {
            Ticket { number: 9 }
        }

        pub fn show(&self, ticket: Ticket) -> String {
            ticket.number.to_string()
        }
    }
}

fn serve(knows: impl FnOnce(EngineBuilder) -> EngineBuilder) -> (Engine, Client) {
    let topology = || {
        let topology = Topology::detect().expect("a machine");
        topology.shards(2).oversubscribe(true)
    };
    let at: SocketAddr = "127.0.0.1:0".parse().expect("an address");
    let builder = Engine::builder()
        .topology(topology())
        .idle(IdlePolicy::Park);
    let server = knows(builder)
        .listen(Listen::at(at))
        .launch()
        .expect("it listens");
    let client = Client::builder().idle(IdlePolicy::Park);
    let client = client.connect(server.addresses()[0]).expect("it lets in");
    (server, client)
}

#[test]
fn a_new_client_calls_an_old_server() {
    let (_server, client) = serve(|builder| builder.configure::<old::Desk>(ActorOptions::new()));
    let desk = client.actor::<new::Desk>("a");
    let order = new::Order {
        symbol: "QRK".to_owned(),
        lots: 5,
        urgent: true,
    };
    assert_eq!(desk.place(order).wait(), Ok(5));
    let last = new::Order {
        symbol: "QRK".to_owned(),
        lots: 3,
        urgent: false,
    };
    assert_eq!(desk.last().wait(), Ok(last));
    assert_eq!(desk.same("x".to_owned()).wait(), Ok("x".to_owned()));
    assert_eq!(desk.ticket().wait(), Ok(new::Ticket { number: 9 }));
    let refused = desk.cancel(1).wait();
    assert!(why(refused).contains("cancel"));
    // What its reader requires is missing.
    let refused = why(desk.show(new::Ticket { number: 9 }).wait());
    assert!(
        refused.contains("trader") && refused.contains("Ticket"),
        "{refused}"
    );
}

#[test]
fn an_old_client_calls_a_new_server() {
    let (_server, client) = serve(|builder| builder.configure::<new::Desk>(ActorOptions::new()));
    let desk = client.actor::<old::Desk>("a");
    let order = old::Order {
        symbol: "QRK".to_owned(),
        lots: 5,
    };
    assert_eq!(desk.place(order.clone()).wait(), Ok(5));
    let last = old::Order { lots: 3, ..order };
    assert_eq!(desk.last().wait(), Ok(last));
    assert_eq!(desk.same("x".to_owned()).wait(), Ok("x".to_owned()));
    let ticket = old::Ticket {
        number: 9,
        trader: "ann".to_owned(),
    };
    assert_eq!(desk.show(ticket).wait(), Ok("9".to_owned()));
    let refused = why(desk.ticket().wait());
    assert!(
        refused.contains("trader") && refused.contains("Ticket"),
        "{refused}"
    );
}

#[test]
fn messages_sent_before_the_other_version_is_known_stay_in_order() {
    let (_server, client) = serve(|builder| builder.configure::<old::Desk>(ActorOptions::new()));
    let desks: Vec<_> = (0..20_u64)
        .map(|key| client.actor::<new::Desk>(key))
        .collect();
    let threads: Vec<_> = desks
        .into_iter()
        .map(|desk| {
            std::thread::spawn(move || {
                for round in 0..50 {
                    let word = round.to_string();
                    assert_eq!(desk.same(word.clone()).wait(), Ok(word));
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().expect("all are answered");
    }
}

fn why<T: std::fmt::Debug>(refused: Result<T, CallError>) -> String {
    match refused {
        Err(CallError::NotRemote(why)) => match *why {
            NotRemote::Versions(why) => why,
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}
