//! A client and a server.

use std::net::SocketAddr;

use quark::prelude::*;
use quark::{ActorOptions, Client, EngineBuilder, IdlePolicy, Listen};

use super::types::{new, old};
use super::why;

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
