//! Nodes of one cluster in one process, over real sockets.
#![allow(missing_docs, reason = "what tests call explains itself")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use quark::membership::{MemoryTable, Timing};
use quark::prelude::*;
use quark::{ActorOptions, Client, Cluster, FixedNode, IdlePolicy, Listen};
use quark_tests::authority::Authority;

#[derive(Default)]
pub struct Counter {
    count: u64,
}

#[actor]
impl Counter {
    pub fn add(&mut self, by: u64) -> u64 {
        self.count += by;
        self.count
    }

    pub async fn add_slowly(&mut self, by: u64, millis: u64) -> u64 {
        quark::sleep(Duration::from_millis(millis)).await;
        self.count += by;
        self.count
    }

    /// Asks another one, which may live on another node.
    pub async fn add_to(&mut self, cx: &Cx<Self>, other: u64, by: u64) -> Result<u64, String> {
        let added = cx.actor::<Counter>(other).add(by).await;
        added.map_err(|error| error.to_string())
    }
}

const SOON: Duration = Duration::from_secs(20);

fn timing() -> Timing {
    Timing {
        lease: Duration::from_millis(600),
        ask_every: Duration::from_millis(50),
        silence: Duration::from_millis(400),
        ..Timing::default()
    }
}

fn node(name: &str, table: &MemoryTable, shards: usize) -> Engine {
    let anywhere: SocketAddr = "127.0.0.1:0".parse().expect("an address");
    launch(
        anywhere,
        Cluster::new(name, table.clone()).timing(timing()),
        shards,
    )
}

/// Addresses that nobody has, nor is given one of unless asked for: what dials is given ports from
/// 32768 on.
fn unused_addresses(count: usize) -> Vec<SocketAddr> {
    // Not those of another test, of this process or of one that runs beside it.
    static ASKED: AtomicU16 = AtomicU16::new(0);
    let asked = ASKED.fetch_add(1, Ordering::Relaxed) * 10;
    let first = 10_000 + (std::process::id() % 200) as u16 * 100 + asked;
    let ports = (first..32_768).chain(10_000..first);
    let addresses = ports.map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
    addresses
        .filter(|address| std::net::TcpListener::bind(address).is_ok())
        .take(count)
        .collect()
}

fn launch(at: SocketAddr, cluster: Cluster, shards: usize) -> Engine {
    launch_at(Listen::at(at), cluster, shards)
}

fn launch_at(listen: Listen, cluster: Cluster, shards: usize) -> Engine {
    let topology = Topology::detect().expect("a machine");
    Engine::builder()
        .topology(topology.shards(shards).oversubscribe(true))
        .idle(IdlePolicy::Park)
        .seed(77)
        .timeout(Duration::from_secs(15))
        .configure::<Counter>(ActorOptions::new())
        .listen(listen.cluster("counters"))
        .cluster(cluster)
        .launch()
        .expect("it launches")
}

/// Nodes that all serve.
fn nodes(names: &[&str], shards: usize) -> (MemoryTable, Vec<Engine>) {
    let table = MemoryTable::default();
    let nodes: Vec<_> = names
        .iter()
        .map(|name| node(name, &table, shards))
        .collect();
    assert_all_serve(&nodes);
    (table, nodes)
}

fn assert_all_serve(nodes: &[Engine]) {
    let until = Instant::now() + SOON;
    loop {
        let statuses: Vec<_> = nodes.iter().filter_map(Engine::cluster).collect();
        let slots: usize = statuses.iter().map(|status| status.slots).sum();
        let all = statuses
            .iter()
            .all(|status| status.serves && status.members.len() == nodes.len() && status.slots > 0);
        if all && slots == 65_536 && statuses.len() == nodes.len() {
            return;
        }
        assert!(Instant::now() < until, "{statuses:#?}");
        thread::sleep(Duration::from_millis(5));
    }
}

fn client(of: &Engine) -> Client {
    Client::builder()
        .cluster("counters")
        .idle(IdlePolicy::Park)
        .timeout(Duration::from_secs(15))
        .connect(of.addresses()[0])
        .expect("it lets in")
}

#[test]
fn a_call_finds_its_actor_on_whichever_node_it_lives() {
    let (_table, nodes) = nodes(&["a", "b", "c"], 2);
    let client = client(&nodes[1]);
    for key in 0..100_u64 {
        for (number, node) in nodes.iter().enumerate() {
            let count = node.actor::<Counter>(key).add(1).wait();
            assert_eq!(count, Ok(number as u64 + 1), "key {key}");
        }
        assert_eq!(
            client.actor::<Counter>(key).add(1).wait(),
            Ok(4),
            "key {key}"
        );
    }
    // Each lives once, and on every node some do.
    let counts: Vec<_> = nodes.iter().map(Engine::count).collect();
    assert_eq!(counts.iter().sum::<usize>(), 100, "{counts:?}");
    assert!(counts.iter().all(|count| *count > 15), "{counts:?}");
    // From turn to turn, too.
    for key in 0..50_u64 {
        let other = 1000 + key;
        let asked = nodes[0].actor::<Counter>(key).add_to(other, 7).wait();
        assert_eq!(asked, Ok(7));
    }
}

/// Calls counters by every way there is, until it is told to stop.
struct Load {
    stops: Arc<AtomicBool>,
    done: Arc<AtomicU64>,
    callers: Vec<thread::JoinHandle<Vec<String>>>,
}

impl Load {
    fn start(client: &Client, nodes: &[&Engine]) -> Self {
        let (stops, done) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicU64::new(0)),
        );
        let mut load = Load {
            stops,
            done,
            callers: Vec::new(),
        };
        load.add(client.engine().clone(), 0);
        for (number, node) in nodes.iter().enumerate() {
            load.add((*node).clone(), number as u64 + 1);
        }
        load
    }

    fn add(&mut self, engine: Engine, seed: u64) {
        let (stops, done) = (self.stops.clone(), self.done.clone());
        self.callers.push(thread::spawn(move || {
            let mut failed = Vec::new();
            let mut key = seed;
            while !stops.load(Ordering::Relaxed) {
                key = key.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let target = engine.actor::<Counter>(key % 500);
                let outcome = if key.is_multiple_of(7) {
                    target.add_slowly(1, 3).wait()
                } else {
                    target.add(1).wait()
                };
                match outcome {
                    Ok(_) => {
                        done.fetch_add(1, Ordering::Relaxed);
                    }
                    Err(error) => failed.push(format!("key {}: {error}", key % 500)),
                }
            }
            failed
        }));
    }

    /// Waits until so many more calls have been answered.
    fn wait_for(&self, calls: u64) {
        let (until, goal) = (
            Instant::now() + SOON,
            self.done.load(Ordering::Relaxed) + calls,
        );
        while self.done.load(Ordering::Relaxed) < goal {
            assert!(Instant::now() < until, "nothing is answered any more");
            thread::sleep(Duration::from_millis(2));
        }
    }

    fn stop(self) -> (u64, Vec<String>) {
        self.stops.store(true, Ordering::Relaxed);
        let failed = self.callers.into_iter();
        let failed = failed
            .flat_map(|caller| caller.join().expect("it ends"))
            .collect();
        (self.done.load(Ordering::Relaxed), failed)
    }
}

#[test]
fn nodes_join_and_leave_under_load_and_no_call_fails() {
    let (table, mut nodes) = nodes(&["a", "b"], 1);
    let client = client(&nodes[0]);
    let load = Load::start(&client, &[&nodes[1]]);
    load.wait_for(200);
    nodes.push(node("c", &table, 2));
    assert_all_serve(&nodes);
    load.wait_for(200);
    // The one that the client has met.
    nodes.remove(0).shutdown();
    load.wait_for(200);
    assert_all_serve(&nodes);
    nodes.push(node("d", &table, 1));
    assert_all_serve(&nodes);
    nodes.remove(1).shutdown();
    load.wait_for(200);
    assert_all_serve(&nodes);
    let (done, failed) = load.stop();
    assert!(
        done > 800 && failed.is_empty(),
        "{done} done, {} failed: {:?}",
        failed.len(),
        failed.iter().take(20).collect::<Vec<_>>()
    );
}

#[test]
fn a_client_finds_the_nodes_again_after_all_of_them_had_left() {
    let (table, at) = (MemoryTable::default(), unused_addresses(1)[0]);
    let begin = || {
        let cluster = Cluster::new("a", table.clone()).timing(timing());
        let node = [launch(at, cluster, 1)];
        assert_all_serve(&node);
        node
    };
    let [node] = begin();
    let client = client(&node);
    assert_eq!(client.actor::<Counter>(7_u64).add(1).wait(), Ok(1));
    node.shutdown();
    let _again = begin();
    // What it was lives on no more.
    assert_eq!(client.actor::<Counter>(7_u64).add(1).wait(), Ok(1));
}

#[test]
fn a_client_looks_where_it_began_once_nobody_that_it_knows_is_left() {
    let (table, at) = (MemoryTable::default(), unused_addresses(3));
    let begin = |name, at| launch(at, Cluster::new(name, table.clone()).timing(timing()), 1);
    let mut nodes = vec![begin("a", at[0])];
    assert_all_serve(&nodes);
    let client = client(&nodes[0]);
    assert_eq!(client.actor::<Counter>(7_u64).add(1).wait(), Ok(1));
    nodes.push(begin("b", at[1]));
    assert_all_serve(&nodes);
    nodes.remove(0).shutdown();
    assert_all_serve(&nodes);
    // All that it knows by then is the other, which leaves as well.
    assert!(client.actor::<Counter>(7_u64).add(1).wait().is_ok());
    nodes.remove(0).shutdown();
    let _others = [begin("c", at[0]), begin("d", at[2])];
    for key in 0..20_u64 {
        assert_eq!(client.actor::<Counter>(key).add(1).wait(), Ok(1));
    }
}

#[test]
fn nodes_of_a_fixed_list_need_no_table_kept_elsewhere() {
    let list: Vec<_> = unused_addresses(2)
        .into_iter()
        .zip(["a", "b"])
        .map(|(addr, name)| FixedNode {
            name: name.to_owned(),
            addr,
            shards: 1,
        })
        .collect();
    let nodes: Vec<_> = list
        .iter()
        .map(|node| {
            let cluster = Cluster::fixed(&*node.name, &list).expect("it is in the list");
            launch(node.addr, cluster, 1)
        })
        .collect();
    assert_all_serve(&nodes);
    let client = client(&nodes[1]);
    for key in 0..40_u64 {
        assert_eq!(nodes[0].actor::<Counter>(key).add(1).wait(), Ok(1));
        assert_eq!(nodes[1].actor::<Counter>(key).add(1).wait(), Ok(2));
        assert_eq!(client.actor::<Counter>(key).add(1).wait(), Ok(3));
    }
    assert!(nodes.iter().all(|node| node.count() > 5));
    assert!(Cluster::fixed("c", &list).is_err() && Cluster::fixed("a", &[]).is_err());
}

#[test]
fn what_can_be_no_node_says_what_it_lacks() {
    let at = |addr: &str| Listen::at(addr.parse().expect("an address")).insecure();
    let cluster = |name: &str| Cluster::new(name, MemoryTable::default());
    let launch =
        |builder: quark::EngineBuilder| builder.launch().expect_err("it can't").to_string();
    let begin = || Engine::builder().topology(Topology::detect().expect("a machine").shards(1));
    let deaf = launch(begin().cluster(cluster("a")));
    assert!(deaf.contains(".listen("), "{deaf}");
    let anywhere = launch(begin().cluster(cluster("a")).listen(at("0.0.0.0:0")));
    assert!(anywhere.contains(".advertise("), "{anywhere}");
    let nameless = launch(begin().cluster(cluster("")).listen(at("127.0.0.1:0")));
    assert!(nameless.contains("name"), "{nameless}");
    let hasty = Timing {
        ask_every: Duration::from_secs(2),
        ..Timing::default()
    };
    let hasty = begin().cluster(cluster("a").timing(hasty));
    let hasty = launch(hasty.listen(at("127.0.0.1:0")));
    assert!(hasty.contains("lease"), "{hasty}");
    let local = begin().cluster(cluster("a")).store(Store::memory());
    let local = launch(local.listen(at("127.0.0.1:0")));
    assert!(local.contains("Store::redis"), "{local}");
}

#[test]
fn nodes_show_who_they_are_and_nobody_comes_in_by_another_name() {
    let (table, authority) = (MemoryTable::default(), Authority::make());
    let start = |name: &str, certified: &str| {
        let listen = Listen::at("127.0.0.1:0".parse().expect("an address"));
        let cluster = Cluster::new(name, table.clone()).timing(timing());
        launch_at(listen.tls(authority.tls(certified)), cluster, 1)
    };
    let nodes = [start("a", "a"), start("b", "b")];
    assert_all_serve(&nodes);
    for key in 0..40_u64 {
        assert_eq!(nodes[0].actor::<Counter>(key).add(1).wait(), Ok(1));
        assert_eq!(nodes[1].actor::<Counter>(key).add(1).wait(), Ok(2));
    }
    assert!(nodes.iter().all(|node| node.count() > 5));
    // A certificate of the same authority, for somebody else.
    let impostor = start("c", "d");
    assert!(!impostor.wait_until_serving(Duration::from_secs(2)));
    let members = nodes[0].cluster().map(|status| status.members.len());
    assert_eq!(members, Some(2));
    drop(impostor);
    let late = start("c", "c");
    assert!(late.wait_until_serving(SOON));
}
