//! A cluster of processes whose nodes are restarted one after another under `quark-bench load --durable`:
//! no call fails, and nothing that was acknowledged is lost.
#![allow(clippy::print_stdout, reason = "what a long run tells")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use quark::{Client, IdlePolicy};
use quark_bench::scratch::Scratch;
use quark_bench::server::{Kind, Server};
use quark_tools::cluster::{Authority, Counter, Figures, tls_of};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

const NAMES: [&str; 3] = ["node-1", "node-2", "node-3"];
const CLUSTER: &str = "quark";
const KEYS: u64 = 1_000;
/// How many calls a node has to serve after each restart, so that the load was there.
const CALLS: u64 = 500;
const SOON: Duration = Duration::from_secs(60);

/// How many times all three are restarted: `QUARK_FULL=1` makes it many.
fn rounds() -> usize {
    match std::env::var_os("QUARK_FULL") {
        Some(_) => 20,
        None => 2,
    }
}

#[test]
fn a_rolling_restart_under_load_fails_no_call_and_loses_no_save() {
    let mut cluster = Cluster::start();
    let load = cluster.load();
    let mut slowest = Duration::ZERO;
    for _ in 0..rounds() {
        for name in NAMES {
            let begun = Instant::now();
            cluster.end(name);
            cluster.launch(name);
            cluster.wait_until_all_serve();
            slowest = slowest.max(begun.elapsed());
            cluster.wait_for_calls(name);
        }
    }
    let told = load.end();
    println!("{} restarts, {slowest:?} at most; {told}", 3 * rounds());
    for wrong in ["failed", "lost", "excess"] {
        assert_eq!(told[wrong], 0, "{told}");
    }
    // What the nodes have in memory is what there is in Redis.
    cluster.kill_all();
    NAMES.iter().for_each(|name| cluster.launch(name));
    cluster.wait_until_all_serve();
    assert_eq!(told["total"], cluster.total());
}

/// Nodes that are processes, on a Redis of their own, over TLS.
struct Cluster {
    nodes: BTreeMap<&'static str, Node>,
    redis: Server,
    authority: Authority,
    folder: Scratch,
}

struct Node {
    process: Child,
    printed: Receiver<Figures>,
    latest: Figures,
}

impl Cluster {
    fn start() -> Self {
        let mut cluster = Cluster {
            nodes: BTreeMap::new(),
            redis: Server::start(Kind::Redis, None).expect("a Redis"),
            authority: Authority::new(CLUSTER).expect("an authority"),
            folder: Scratch::new(None).expect("a folder"),
        };
        NAMES.iter().for_each(|name| cluster.launch(name));
        cluster.wait_until_all_serve();
        cluster
    }

    fn launch(&mut self, name: &'static str) {
        let folder = self.folder.path();
        self.authority.equip(folder, name).expect("a certificate");
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(folder.join(format!("{name}.log")));
        let mut process = bench()
            .args(["node", "--figures", "--name", name, "--redis"])
            .arg(self.redis.url())
            .args(["--ask-every", "100"])
            .arg("--tls")
            .arg(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log.expect("a log"))
            .spawn()
            .expect("it starts");
        let stdout = process.stdout.take().expect("its output");
        let (says, printed) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _ = says.send(serde_json::from_str(&line).expect("figures"));
            }
        });
        let latest = Figures::default();
        let node = Node {
            process,
            printed,
            latest,
        };
        self.nodes.insert(name, node);
    }

    /// Has a node leave, and waits until it has ended by itself.
    fn end(&mut self, name: &str) {
        let mut node = self.nodes.remove(name).expect("it runs");
        signal(&node.process, Signal::TERM);
        let ended = ends(&mut node.process);
        assert!(ended.success(), "{name} ended with {ended}");
    }

    fn kill_all(&mut self) {
        while let Some((_, mut node)) = self.nodes.pop_first() {
            node.process.kill().expect("it is killed");
            node.process.wait().expect("it ends");
        }
    }

    /// Waits until all say that all three serve, each a part.
    fn wait_until_all_serve(&mut self) {
        self.wait_until(|nodes| {
            nodes.values().all(|node| {
                let Figures { serves, owners, .. } = &node.latest;
                *serves
                    && owners.keys().eq(&NAMES)
                    && owners.values().all(|slots| *slots > 0)
                    && owners.values().sum::<usize>() == 65_536
            })
        });
    }

    /// Waits until so many calls have come to a node that has just been launched.
    fn wait_for_calls(&mut self, name: &str) {
        self.wait_until(|nodes| nodes[name].latest.calls >= CALLS);
    }

    fn wait_until(&mut self, is_so: impl Fn(&BTreeMap<&str, Node>) -> bool) {
        let begun = Instant::now();
        loop {
            for (name, node) in &mut self.nodes {
                let ended = node.process.try_wait().expect("it is our child");
                assert!(ended.is_none(), "{name} has ended: {ended:?}");
                if let Some(latest) = node.printed.try_iter().last() {
                    node.latest = latest;
                }
            }
            if is_so(&self.nodes) {
                return;
            }
            let latest = || self.nodes.values().map(|node| &node.latest);
            assert!(
                begun.elapsed() < SOON,
                "{:#?}",
                latest().collect::<Vec<_>>()
            );
            thread::sleep(Duration::from_millis(10));
        }
    }

    fn addresses(&self) -> Vec<SocketAddr> {
        let nodes = self.nodes.values();
        nodes.map(|node| node.latest.addresses[0]).collect()
    }

    /// `quark-bench load`, as a process of its own.
    fn load(&self) -> Load {
        let folder = self.folder.path();
        self.authority.equip(folder, "load").expect("a certificate");
        let addresses = self.addresses();
        let addresses: Vec<_> = addresses.iter().map(SocketAddr::to_string).collect();
        let mut load = bench();
        load.args(["load", "--durable", "--connect", &addresses.join(",")])
            .arg("--tls-dir")
            .arg(folder)
            .args(["--connections", "8", "--outstanding", "16"])
            .args(["--keys", &KEYS.to_string()])
            .args(["--seconds", "86400", "--format", "json"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        Load(load.spawn().expect("it starts"))
    }

    /// What all counters are together.
    fn total(&self) -> u64 {
        let tls = tls_of(self.folder.path(), "load").expect("certificates");
        let client = Client::builder()
            .cluster(CLUSTER)
            .tls(tls, CLUSTER)
            .idle(IdlePolicy::Park)
            .connect(self.addresses()[0])
            .expect("it lets in");
        let counts = (0..KEYS).map(|key| client.actor::<Counter>(key).count().wait());
        counts.map(|count| count.expect("all is calm")).sum()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for (name, node) in &mut self.nodes {
            let _ = node.process.kill();
            let _ = node.process.wait();
            if thread::panicking() {
                let log = self.folder.path().join(format!("{name}.log"));
                println!("{}", std::fs::read_to_string(log).unwrap_or_default());
            }
        }
    }
}

struct Load(Child);

impl Load {
    /// Ends it as Ctrl-C does; what it tells.
    fn end(mut self) -> Value {
        signal(&self.0, Signal::INT);
        ends(&mut self.0);
        let mut said = String::new();
        let mut stdout = self.0.stdout.take().expect("its output");
        stdout.read_to_string(&mut said).expect("text");
        serde_json::from_str(&said).expect("what came of it")
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn ends(process: &mut Child) -> std::process::ExitStatus {
    let begun = Instant::now();
    loop {
        if let Some(status) = process.try_wait().expect("it is our child") {
            return status;
        }
        assert!(begun.elapsed() < SOON, "it does not end");
        thread::sleep(Duration::from_millis(5));
    }
}

fn signal(process: &Child, what: Signal) {
    kill_process(Pid::from_child(process), what).expect("it is there");
}

fn bench() -> Command {
    Command::new(Path::new(env!("CARGO_BIN_EXE_quark-bench")))
}
