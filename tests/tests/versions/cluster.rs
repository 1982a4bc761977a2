//! Nodes of one cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use quark::membership::{MemoryTable, Timing};
use quark::prelude::*;
use quark::{ActorOptions, Client, Cluster, IdlePolicy, Listen};

use super::kept::Kept;
use super::load::{Caller, KEYS, Version};
use super::types::{new, old};
use super::why;

const SOON: Duration = Duration::from_secs(20);

/// What nodes share.
#[derive(Default)]
struct Place {
    table: MemoryTable,
    kept: Kept,
}

impl Place {
    fn launch(&self, name: &str, version: Version, shards: usize) -> Engine {
        let at: SocketAddr = "127.0.0.1:0".parse().expect("an address");
        let topology = Topology::detect().expect("a machine");
        let timing = Timing {
            lease: Duration::from_millis(600),
            ask_every: Duration::from_millis(50),
            silence: Duration::from_millis(400),
            ..Timing::default()
        };
        let builder = Engine::builder()
            .topology(topology.shards(shards).oversubscribe(true))
            .idle(IdlePolicy::Park)
            .seed(77)
            .timeout(Duration::from_secs(15));
        let options = ActorOptions::new;
        let builder = match version {
            Version::Old => builder
                .configure::<old::Desk>(options())
                .configure::<old::Agent>(options())
                .configure::<old::Account>(options()),
            Version::New => builder
                .configure::<new::Account>(options())
                .configure::<new::Agent>(options())
                .configure::<new::Desk>(options()),
        };
        builder
            .store(self.kept.store())
            .listen(Listen::at(at).cluster("desks"))
            .cluster(Cluster::new(name, self.table.clone()).timing(timing))
            .launch()
            .expect("it launches")
    }
}

fn client(of: &Engine) -> Client {
    Client::builder()
        .cluster("desks")
        .idle(IdlePolicy::Park)
        .timeout(Duration::from_secs(15))
        .connect(of.addresses()[0])
        .expect("it lets in")
}

fn assert_all_serve<'a>(nodes: impl Iterator<Item = &'a Engine> + Clone) {
    let until = Instant::now() + SOON;
    let many = nodes.clone().count();
    loop {
        let statuses: Vec<_> = nodes.clone().filter_map(Engine::cluster).collect();
        let slots: usize = statuses.iter().map(|status| status.slots).sum();
        let all = statuses
            .iter()
            .all(|status| status.serves && status.members.len() == many && status.slots > 0);
        if all && slots == 65_536 && statuses.len() == many {
            return;
        }
        assert!(Instant::now() < until, "{statuses:#?}");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn nodes_of_two_versions_call_each_other() {
    let place = Place::default();
    let nodes = [
        place.launch("old", Version::Old, 2),
        place.launch("new", Version::New, 1),
    ];
    assert_all_serve(nodes.iter());
    let [old_node, new_node] = &nodes;
    // Each client meets the node of the other version.
    let (old_client, new_client) = (client(new_node), client(old_node));
    let mut owners = BTreeSet::new();
    for key in 0..KEYS {
        let owner = new_client.actor::<new::Desk>(key).runs().wait();
        let owner = owner.expect("they agree on it");
        for caller in [old_node, old_client.engine()] {
            call_as_old(caller, key, &owner);
        }
        for caller in [new_node, new_client.engine()] {
            call_as_new(caller, key, &owner);
        }
        owners.insert(owner);
    }
    assert_eq!(owners.len(), 2);
    // From turn to turn: agents of both call desks of both.
    let mut met = BTreeSet::new();
    for key in 0..KEYS {
        let placed = old_client.actor::<old::Agent>(key).order(key + 1).wait();
        let placed = placed.expect("they agree on it");
        let desk = new_client.actor::<new::Desk>(key + 1).runs().wait();
        let desk = desk.expect("they agree on it");
        let is_urgent = placed.by == "new" && desk == "new";
        assert_eq!(placed.lots, if is_urgent { 1007 } else { 7 });
        met.insert((placed.by, desk));
    }
    assert_eq!(met.len(), 4, "{met:?}");
}

fn call_as_old(caller: &Engine, key: u64, owner: &str) {
    let desk = caller.actor::<old::Desk>(key);
    let order = old::Order {
        symbol: "QRK".to_owned(),
        lots: 5,
    };
    assert_eq!(desk.place(order.clone()).wait(), Ok(5));
    let last = old::Order { lots: 3, ..order };
    assert_eq!(desk.last().wait(), Ok(last));
    let ticket = || old::Ticket {
        number: 9,
        trader: "ann".to_owned(),
    };
    let (shown, ticketed) = (desk.show(ticket()).wait(), desk.ticket().wait());
    if owner == "old" {
        assert_eq!(shown, Ok("ann".to_owned()));
        assert_eq!(ticketed, Ok(ticket()));
    } else {
        assert_eq!(shown, Ok("9".to_owned()));
        // It would lack what its reader requires.
        let refused = why(ticketed);
        let names = ["trader", "Ticket", "ticket"];
        assert!(names.iter().all(|name| refused.contains(name)), "{refused}");
    }
}

fn call_as_new(caller: &Engine, key: u64, owner: &str) {
    let desk = caller.actor::<new::Desk>(key);
    let order = new::Order {
        symbol: "QRK".to_owned(),
        lots: 5,
        urgent: true,
    };
    let is_new = owner == "new";
    let lots = if is_new { 1005 } else { 5 };
    assert_eq!(desk.place(order.clone()).wait(), Ok(lots));
    let last = new::Order {
        lots: 3,
        urgent: is_new,
        ..order
    };
    assert_eq!(desk.last().wait(), Ok(last));
    assert_eq!(desk.ticket().wait(), Ok(new::Ticket { number: 9 }));
    let shown = desk.show(new::Ticket { number: 9 }).wait();
    let cancelled = desk.cancel(4).wait();
    if is_new {
        assert_eq!((shown, cancelled), (Ok("9".to_owned()), Ok(4)));
    } else {
        let refused = why(shown);
        let names = ["trader", "Ticket", "show"];
        assert!(names.iter().all(|name| refused.contains(name)), "{refused}");
        let refused = why(cancelled);
        assert!(refused.contains("cancel"), "{refused}");
    }
}

/// Callers by their nodes' names, or their clients'.
struct Load(BTreeMap<String, Caller>, BTreeMap<u64, i64>, [u64; 3]);

#[test]
fn a_cluster_is_updated_node_by_node_and_back_and_no_call_fails() {
    let place = Place::default();
    let names = ["a", "b", "c"];
    let mut nodes: BTreeMap<_, _> = names
        .map(|name| (name, place.launch(name, Version::Old, 1)))
        .into();
    assert_all_serve(nodes.values());
    let (old_client, new_client) = (client(&nodes["a"]), client(&nodes["b"]));
    let mut load = Load(BTreeMap::new(), BTreeMap::new(), [0; 3]);
    load.start("old client", Version::Old, old_client.engine());
    load.start("new client", Version::New, new_client.engine());
    for (name, node) in &nodes {
        load.start(name, Version::Old, node);
    }
    load.wait_for(20);
    // The last one goes back to what it was before.
    for (name, version) in [
        ("a", Version::New),
        ("b", Version::New),
        ("c", Version::New),
        ("a", Version::Old),
    ] {
        load.stop(name);
        nodes.remove(name).expect("it runs").shutdown();
        load.wait_for(20);
        let node = place.launch(name, version, if name == "b" { 2 } else { 1 });
        load.start(name, version, &node);
        nodes.insert(name, node);
        assert_all_serve(nodes.values());
        load.wait_for(20);
        let cancelled = (0..KEYS).map(|key| new_client.actor::<new::Desk>(key).cancel(key).wait());
        let works = cancelled.filter(|cancelled| cancelled.is_ok()).count() as u64;
        match (name, version) {
            ("c", _) => assert_eq!(works, KEYS, "all are new"),
            _ => assert!((1..KEYS).contains(&works), "{works} of {KEYS}"),
        }
    }
    for name in ["old client", "new client", "a", "b", "c"] {
        load.stop(name);
    }
    let Load(_, paid, [old_desks, new_desks, refused]) = load;
    assert!(old_desks > 0 && new_desks > 0 && refused > 0);
    assert_eq!(paid.len() as u64, KEYS);
    for (key, paid) in paid {
        // What was acknowledged is there, whichever version it was that kept it.
        assert_eq!(
            old_client.actor::<old::Account>(key).cents().wait(),
            Ok(paid)
        );
        assert_eq!(
            new_client.actor::<new::Account>(key).cents().wait(),
            Ok(paid)
        );
    }
}

impl Load {
    fn start(&mut self, name: &str, version: Version, engine: &Engine) {
        let seed = self.0.len() as u64 + 1;
        self.0
            .insert(name.to_owned(), Caller::start(version, engine, seed));
    }

    fn wait_for(&self, rounds: u64) {
        self.0.values().for_each(|caller| caller.wait_for(rounds));
    }

    fn stop(&mut self, name: &str) {
        let told = self.0.remove(name).expect("it calls").stop();
        for (key, paid) in told.paid {
            *self.1.entry(key).or_default() += paid;
        }
        let more = [told.old_desks, told.new_desks, told.refused];
        self.2
            .iter_mut()
            .zip(more)
            .for_each(|(sum, more)| *sum += more);
    }
}

/// What a new node keeps is read by an old one without what it does not know, and the other way round
/// with what is missing made up.
#[test]
fn what_one_version_keeps_the_other_reads() {
    let place = Place::default();
    let pay = |node: &Engine| {
        let payment = new::Payment {
            memo: "rent".to_owned(),
            cents: 5,
        };
        node.actor::<new::Account>("ann").pay(payment).wait()
    };
    let node = place.launch("a", Version::Old, 1);
    assert!(node.wait_until_serving(SOON));
    let payment = old::Payment { cents: 100 };
    assert_eq!(
        node.actor::<old::Account>("ann").pay(payment).wait(),
        Ok(100)
    );
    let next = place.launch("b", Version::New, 1);
    assert!(next.wait_until_serving(SOON));
    node.shutdown();
    assert_all_serve([&next].into_iter());
    assert_eq!(pay(&next), Ok(105));
    assert_eq!(next.actor::<new::Account>("ann").memos().wait(), Ok(1));
    let node = place.launch("a", Version::Old, 1);
    assert!(node.wait_until_serving(SOON));
    next.shutdown();
    assert_all_serve([&node].into_iter());
    assert_eq!(node.actor::<old::Account>("ann").cents().wait(), Ok(105));
}

/// Calls that wait behind a turn which outlasts the lease are sent on by the node that has them, in its
/// own words: as if it had served them itself, what only the other version knows is left out.
#[test]
fn calls_that_a_node_sends_on_are_read_as_that_node_has_read_them() {
    for (first, second) in [(Version::Old, Version::New), (Version::New, Version::Old)] {
        let place = Place::default();
        let node = place.launch("a", first, 1);
        assert!(node.wait_until_serving(SOON));
        let (old_client, new_client) = (client(&node), client(&node));
        let old_desk = old_client.actor::<old::Desk>("held");
        let new_desk = new_client.actor::<new::Desk>("held");
        let holding = {
            let desk = old_desk.clone();
            thread::spawn(move || desk.hold(30_000).wait())
        };
        thread::sleep(Duration::from_millis(100));
        let (order, ticket) = (
            old::Order {
                symbol: "QRK".to_owned(),
                lots: 5,
            },
            old::Ticket {
                number: 9,
                trader: "ann".to_owned(),
            },
        );
        let urgent = new::Order {
            symbol: "QRK".to_owned(),
            lots: 5,
            urgent: true,
        };
        let other = old_desk.clone();
        let ordered = thread::spawn(move || old_desk.place(order).wait());
        let shown = thread::spawn(move || other.show(ticket).wait());
        let hurried = thread::spawn(move || new_desk.place(urgent).wait());
        thread::sleep(Duration::from_millis(100));
        let next = place.launch("b", second, 1);
        assert!(next.wait_until_serving(SOON));
        node.shutdown();
        let held = holding.join().expect("no panic");
        assert!(matches!(held, Err(error) if !error.never_ran()));
        assert_eq!(ordered.join().expect("no panic"), Ok(5));
        assert_eq!(hurried.join().expect("no panic"), Ok(5));
        let shown = shown.join().expect("no panic");
        if second == Version::New {
            assert_eq!(shown, Ok("9".to_owned()));
        } else {
            // The node says what it was told by the other.
            let Err(CallError::NotRemote(refused)) = shown else {
                panic!("{shown:?}");
            };
            let refused = refused.to_string();
            let names = ["trader", "Ticket", "show"];
            assert!(names.iter().all(|name| refused.contains(name)), "{refused}");
        }
    }
}
