//! Those who mean no good, over real sockets: what they take is bounded, the log has a line about them,
//! and a good client that calls all along is unharmed.
#![allow(missing_docs, reason = "what tests call explains itself")]
#![allow(clippy::print_stdout)] // what has been measured, in the tests' output

mod bystander;
mod log;
mod peers;

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use quark::prelude::*;
use quark::tls::{Source, Tls};
use quark::{ActorOptions, Client, ClientBuilder, Connections, IdlePolicy, Listen};
use quark_net::cluster::{Address, Message, Newcomer, Table};
use quark_net::codec::{Arguments, Codec};
use quark_net::frame::Kind;
use quark_net::session::{Node, Outgoing, SendError, Way, Who};
use quark_shards::slots::{self, NodeId};
use quark_tests::authority::Authority;

use bystander::Bystander;
use log::{alone, lines, warnings};
use peers::{
    Crowd, Hand, descriptors, dial, is_closed, raise_descriptors, relay, resident, terms, until,
};

#[derive(Default)]
pub struct Account {
    cents: i64,
}

#[actor]
impl Account {
    pub fn deposit(&mut self, cents: i64) -> i64 {
        self.cents += cents;
        self.cents
    }

    pub fn fill(&self, bytes: u64) -> Vec<u8> {
        vec![7; bytes as usize]
    }
}

fn anywhere() -> Listen {
    let addr: SocketAddr = "127.0.0.1:0".parse().expect("an address");
    Listen::at(addr).cluster("bank")
}

fn serve(shards: usize, listen: Listen) -> Engine {
    let topology = Topology::detect().expect("a machine");
    Engine::builder()
        .topology(topology.shards(shards).oversubscribe(true))
        .idle(IdlePolicy::Park)
        .configure::<Account>(ActorOptions::new())
        .listen(listen)
        .launch()
        .expect("it listens")
}

fn patient(builder: ClientBuilder) -> ClientBuilder {
    let builder = builder.idle(IdlePolicy::Park);
    builder.timeout(Duration::from_secs(10))
}

fn balance(server: &Engine, key: &str) -> i64 {
    let balance = server.actor::<Account>(key).deposit(0).wait();
    balance.expect("it is answered")
}

/// Whether a new client is let in, and answered.
fn lets_in(server: &Engine) -> bool {
    let client = patient(Client::builder().cluster("bank")).connect(server.addresses()[0]);
    client.is_ok_and(|client| client.actor::<Account>("new").deposit(1).wait().is_ok())
}

#[test]
fn a_crowd() {
    peers::be_a_crowd();
}

#[test]
fn ten_thousand_who_say_nothing_are_held_in_little_memory_until_their_time_is_up() {
    const MANY: usize = 10_000;
    const FEW: usize = 200;
    let _alone = alone();
    let may = usize::try_from(raise_descriptors()).unwrap_or(usize::MAX);
    let many = MANY.min(may.saturating_sub(FEW));
    if many < MANY {
        println!(
            "only {may} descriptors are allowed (ulimit -Hn): {many} strangers instead of {MANY}"
        );
    }
    // As many as come may be under way at once: none is given up before its time.
    let listen = anywhere().handshakes(MANY).sessions(2 * MANY);
    let server = serve(2, listen.handshake_within(Duration::from_secs(10)));
    let good = Bystander::of(&server);
    let (memory, had) = (resident(), descriptors());

    let begun = Instant::now();
    let crowd = Crowd::visit(server.addresses(), many);
    until("all are accepted", || {
        server.connections().accepted >= many as u64
    });
    let (more, has) = (resident().saturating_sub(memory), descriptors());
    println!(
        "{many} strangers take {} KiB each",
        more / 1024 / many as u64
    );
    assert_eq!(server.connections().slow, 0, "none has been given up yet");
    assert!(has >= had + many, "{had} descriptors, then {has}");
    assert!(more < many as u64 * (16 << 10), "{more} bytes");
    assert!(lets_in(&server));

    crowd.are_closed();
    println!("they are gone after {:?}", begun.elapsed());
    until("descriptors are back", || descriptors() < had + FEW);
    let Connections {
        slow,
        refused,
        crowded_out,
        ..
    } = server.connections();
    assert_eq!((slow, refused, crowded_out), (many as u64, 0, 0));
    // One of each shard.
    assert_eq!(warnings().len(), 2, "{:?}", warnings());
    assert!(lines() < 20, "{} lines", lines());
    assert!(lets_in(&server));
    good.must_be_unharmed();
}

#[test]
fn of_ten_thousand_who_say_nothing_the_oldest_go_for_the_newest() {
    const MANY: usize = 10_000;
    let _alone = alone();
    raise_descriptors();
    let server = serve(2, anywhere().handshake_within(Duration::from_secs(2)));
    let good = Bystander::of(&server);
    let had = descriptors();
    let crowd = Crowd::visit(&server.addresses()[1..], MANY);
    println!("{} descriptors more", descriptors() - had);
    until("no more are held than may be", || {
        descriptors() <= had + 256 + 20
    });
    assert!(lets_in(&server));
    crowd.are_closed();
    let Connections {
        slow, crowded_out, ..
    } = server.connections();
    assert_eq!(slow + crowded_out, MANY as u64);
    assert!(crowded_out >= MANY as u64 - 256, "{crowded_out}");
    assert_eq!(warnings().len(), 1, "{:?}", warnings());
    assert!(lines() < 20, "{} lines", lines());
    assert!(lets_in(&server));
    good.must_be_unharmed();
}

#[test]
fn who_says_hello_a_byte_at_a_time_is_given_up() {
    let _alone = alone();
    let limit = Duration::from_secs(1);
    let server = serve(2, anywhere().handshake_within(limit));
    let good = Bystander::of(&server);
    let hello = dial(terms()).take_outgoing(usize::MAX);
    let begun = Instant::now();
    let slow: Vec<_> = (0..100)
        .map(|_| TcpStream::connect(server.addresses()[0]).expect("a port"))
        .collect();
    for byte in &hello {
        for mut stream in &slow {
            // Who was given up can't say more.
            let _ = stream.write_all(&[*byte]);
        }
        std::thread::sleep(limit / 20);
    }
    assert!(begun.elapsed() > 2 * limit, "{} bytes", hello.len());
    slow.iter().for_each(is_closed);
    assert_eq!(server.connections().slow, 100);
    assert_eq!(warnings().len(), 1, "{:?}", warnings());
    assert!(lets_in(&server));
    good.must_be_unharmed();
}

/// A frame's first bytes: its length, version and kind.
fn head(length: u32, version: u8, kind: u8) -> Vec<u8> {
    let mut head = length.to_le_bytes().to_vec();
    head.extend_from_slice(&[version, kind]);
    head.resize(64, 0);
    head
}

#[test]
fn what_is_no_hello_is_not_let_in() {
    const ROUNDS: usize = 20;
    let _alone = alone();
    let server = serve(1, anywhere());
    let good = Bystander::of(&server);
    let hello = dial(terms()).take_outgoing(usize::MAX).to_vec();
    let mut damaged = hello.clone();
    damaged[30] ^= 1;
    let mut casino = terms();
    casino.cluster = "casino".to_owned();
    let casino = dial(casino).take_outgoing(usize::MAX).to_vec();
    let strangers = [
        b"GET / HTTP/1.1\r\nHost: bank\r\n\r\n".to_vec(),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".repeat(20),
        vec![0; 100],
        vec![0xff; 100],
        head(u32::MAX, 1, Kind::Hello as u8),
        head((256 << 10) + 65, 1, Kind::Hello as u8),
        head(3, 1, Kind::Hello as u8),
        head(60, 9, Kind::Hello as u8),
        head(60, 1, 99),
        head(60, 1, Kind::Call as u8),
        damaged,
        casino,
    ];
    for _ in 0..ROUNDS {
        for said in &strangers {
            let mut stream = TcpStream::connect(server.addresses()[0]).expect("a port");
            stream.write_all(said).expect("it listens");
            is_closed(&stream);
        }
        // Cut in the middle.
        let mut stream = TcpStream::connect(server.addresses()[0]).expect("a port");
        stream.write_all(&hello[..20]).expect("it listens");
    }
    let refused = (ROUNDS * strangers.len()) as u64;
    until("all were seen", || {
        server.connections().gone == ROUNDS as u64
    });
    assert_eq!(server.connections().refused, refused);
    assert_eq!(server.connections().cut_off, 0);
    assert_eq!(warnings().len(), 1, "{:?}", warnings());
    assert!(lines() < 10, "{} lines", lines());
    good.must_be_unharmed();
}

fn to(key: &str) -> Outgoing<'_> {
    Outgoing {
        way: Way {
            actor: 0,
            is_exact: false,
        },
        method: 0,
        left: None,
        key: slots::Key::Str(key),
        context: &[],
    }
}

#[test]
fn who_was_let_in_and_breaks_the_rules_is_cut_off() {
    const ROUNDS: u64 = 20;
    let _alone = alone();
    let server = serve(1, anywhere());
    let good = Bystander::of(&server);
    let addr = server.addresses()[0];
    for _ in 0..ROUNDS {
        for said in [
            head((1 << 20) + 1, 1, Kind::Call as u8),
            head(60, 1, Kind::Call as u8),
            head(60, 1, Kind::Welcome as u8),
            vec![0xff; 100],
        ] {
            let mut hand = Hand::shaken(addr);
            hand.stream.write_all(&said).expect("it listens");
            is_closed(&hand.stream);
        }
        let mut hand = Hand::shaken(addr);
        let nobody = Outgoing {
            way: Way {
                actor: 999,
                is_exact: true,
            },
            ..to("alice")
        };
        let sent = hand.session.tell::<SendError>(nobody, |_| Ok(()));
        sent.expect("there is room");
        hand.send();
        is_closed(&hand.stream);
        // Cut in the middle of a call.
        let mut hand = Hand::shaken(addr);
        let sent = hand.session.call::<SendError>(to("alice"), 1, |_| Ok(()));
        sent.expect("there is room");
        let call = hand.session.take_outgoing(usize::MAX);
        hand.stream.write_all(&call[..30]).expect("it listens");
    }
    until("all were seen", || {
        server.connections().cut_off == 5 * ROUNDS
    });
    assert_eq!(server.connections().refused, 0);
    assert_eq!(warnings().len(), 1, "{:?}", warnings());
    assert_eq!(balance(&server, "alice"), 0);
    good.must_be_unharmed();
}

#[test]
fn who_tells_a_server_who_belongs_to_the_cluster_is_cut_off() {
    const ROUNDS: u64 = 20;
    let _alone = alone();
    let server = serve(1, anywhere());
    let good = Bystander::of(&server);
    let mallory = Newcomer {
        name: "mallory".to_owned(),
        incarnation: 1,
        address: Address {
            ip: server.addresses()[0].ip(),
            ports: vec![1],
        },
    };
    let mut table = Vec::new();
    Message::Table(Arc::new(Table::found(mallory))).write(NodeId(1), &mut table);
    for number in 0..ROUNDS {
        let mut node = terms();
        node.who = Who::Node(Node {
            name: "mallory".to_owned(),
            incarnation: number,
            seed: 0,
            shard: 0,
            ports: vec![1],
        });
        let mut hand = Hand::shaken_by(server.addresses()[0], node);
        hand.session.say_of_cluster(&table);
        hand.send();
        is_closed(&hand.stream);
    }
    assert_eq!(warnings().len(), 1, "{:?}", warnings());
    assert!(
        warnings()[0].contains("which is for clients alone"),
        "{:?}",
        warnings()
    );
    good.must_be_unharmed();
}

#[test]
fn one_way_messages_that_can_not_be_read_do_not_fill_the_log() {
    let _alone = alone();
    let server = serve(1, anywhere());
    let good = Bystander::of(&server);
    let mut hand = Hand::shaken(server.addresses()[0]);
    for _ in 0..500 {
        let sent = hand.session.tell::<SendError>(to("alice"), |out| {
            out.extend_from_slice(b"\xc1no arguments");
            Ok(())
        });
        sent.expect("there is room");
    }
    hand.send();
    let sent = hand.session.call::<SendError>(to("alice"), 1, |_| Ok(()));
    sent.expect("there is room");
    hand.send();
    // Its answer: all before it was seen.
    let mut heard = [0; 24];
    std::io::Read::read_exact(&mut hand.stream, &mut heard).expect("it answers");
    assert_eq!(warnings().len(), 1, "{:?}", warnings());
    good.must_be_unharmed();
}

#[test]
fn a_session_that_was_recorded_runs_nothing_again() {
    let _alone = alone();
    let authority = Authority::make();
    for (tls, expected) in [(None, "damaged"), (Some(authority.tls("bank")), "TLS")] {
        let (mut listen, mut client) = (anywhere(), Client::builder().cluster("bank"));
        if let Some(tls) = &tls {
            listen = listen.tls(tls.clone());
            client = client.tls(tls.clone(), "bank");
        }
        let server = serve(1, listen);
        let (addr, said) = relay(server.addresses()[0]);
        let client = patient(client).connect(addr).expect("it lets in");
        assert_eq!(client.actor::<Account>("alice").deposit(5).wait(), Ok(5));
        client.shutdown();
        let recorded: Vec<u8> = said.iter().flatten().collect();
        assert_eq!(balance(&server, "alice"), 5);

        for _ in 0..20 {
            let mut again = TcpStream::connect(server.addresses()[0]).expect("a port");
            again.write_all(&recorded).expect("it listens");
            is_closed(&again);
        }
        let Connections {
            cut_off, refused, ..
        } = server.connections();
        assert_eq!(cut_off + refused, 20);
        assert_eq!(balance(&server, "alice"), 5, "nothing ran again");
        let warnings = warnings();
        assert_eq!(
            warnings
                .iter()
                .filter(|line| line.contains(expected))
                .count(),
            1
        );
    }
    assert_eq!(warnings().len(), 2, "{:?}", warnings());
}

#[test]
fn what_strangers_do_to_tls_harms_nobody() {
    const ROUNDS: u64 = 20;
    let _alone = alone();
    let (ours, theirs) = (Authority::make(), Authority::make());
    let tls = ours.tls("bank");
    let listen = anywhere().tls(tls.clone());
    let server = serve(2, listen.handshake_within(Duration::from_secs(2)));
    let addr = server.addresses()[0];
    let good = || Client::builder().cluster("bank").tls(tls.clone(), "bank");
    let bystander = Bystander::by(good(), &server);

    // Certificates of another authority, and none.
    let stranger = theirs.source("trader", Some(&ours));
    let nameless = Source {
        identity: None,
        ..ours.source("bank", None)
    };
    for source in [stranger, nameless] {
        let bad = Tls::new(source).expect("good certificates");
        for _ in 0..ROUNDS {
            let client = Client::builder().cluster("bank").tls(bad.clone(), "bank");
            assert!(patient(client).connect(addr).is_err());
        }
    }
    until("all were refused", || {
        server.connections().refused == 2 * ROUNDS
    });
    assert_eq!(warnings().len(), 1, "{:?}", warnings());

    // The first words of TLS, and no more.
    let (relayed, said) = relay(addr);
    let client = patient(good()).connect(relayed).expect("it lets in");
    let hello = said.recv().expect("it speaks first");
    let half_open: Vec<_> = (0..200)
        .map(|_| {
            let mut stream = TcpStream::connect(addr).expect("a port");
            stream.write_all(&hello).expect("it listens");
            stream
        })
        .collect();
    half_open.iter().for_each(is_closed);
    assert_eq!(server.connections().slow, 200);
    assert_eq!(warnings().len(), 2, "{:?}", warnings());
    assert!(patient(good()).connect(addr).is_ok());
    client.shutdown();
    bystander.must_be_unharmed();
}

#[test]
fn whoever_has_a_server_keep_the_most_is_cut_off_when_it_is_too_much() {
    const MOST: u64 = 16 << 20;
    let _alone = alone();
    let server = serve(1, anywhere().memory(MOST));
    let good = Bystander::of(&server);
    let addr = server.addresses()[0];
    let memory = resident();
    // Frames that never come to their end: 64 MiB of them.
    let half = {
        let mut half = head((1 << 20) - 4, 1, Kind::Call as u8);
        half.resize((1 << 20) - 100, 0);
        half
    };
    let mut halves = Vec::new();
    for _ in 0..64 {
        let mut hand = Hand::shaken(addr);
        hand.stream.write_all(&half).expect("it listens");
        halves.push(hand);
    }
    until("those that are too many are cut off", || {
        server.connections().cut_off >= 64 - MOST / (1 << 20)
    });
    assert_eq!(warnings().len(), 1, "{:?}", warnings());
    // Answers that are not taken.
    let cut_off = server.connections().cut_off;
    let mut deaf = Vec::new();
    for _ in 0..8 {
        let mut hand = Hand::shaken(addr);
        let fill = Outgoing {
            method: 1,
            ..to("alice")
        };
        for call in 0..50 {
            let sent = hand.session.call::<SendError>(fill, call, |out| {
                let encoded = (900_000_u64,).encode_arguments(&["bytes"], Codec::Tolerant, out);
                encoded.expect("it is small");
                Ok(())
            });
            sent.expect("there is room");
        }
        hand.send();
        deaf.push(hand);
    }
    until("all who don't listen are cut off", || {
        server.connections().cut_off >= cut_off + 8
    });
    let more = resident().saturating_sub(memory);
    println!("{} MiB more, with sockets' own", more >> 20);
    assert!(more < 8 * MOST, "{more} bytes");
    assert!(lets_in(&server));
    good.must_be_unharmed();
}
