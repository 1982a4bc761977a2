use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use quark::{Client, IdlePolicy};
use quark_tools::cluster::{Authority, Figures, OwnRedis, leashed, tls_of};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::lan::Lan;

pub(crate) const LEASE: Duration = Duration::from_millis(600);
const CLUSTER: &str = "quark";
const SOON: Duration = Duration::from_secs(30);

/// The nodes of a cluster, each a process.
pub(crate) struct Nodes {
    nodes: BTreeMap<String, Node>,
    /// Nothing while it is being started again.
    redis: Option<OwnRedis>,
    authority: Authority,
    folder: TempDir,
    /// What they are on, if not on loopback.
    lan: Option<Lan>,
}

struct Node {
    process: Child,
    printed: Receiver<Figures>,
    latest: Figures,
}

impl Nodes {
    /// So many that all serve.
    pub(crate) fn start(many: usize) -> Self {
        Self::start_on(None, many)
    }

    /// The same on a network of their own.
    pub(crate) fn start_on(lan: Option<Lan>, many: usize) -> Self {
        let folder = tempfile::tempdir().expect("a folder is made");
        let mut nodes = Nodes {
            nodes: BTreeMap::new(),
            redis: None,
            authority: Authority::new(CLUSTER).expect("an authority"),
            folder,
            lan,
        };
        nodes.start_redis();
        for number in 1..=many {
            let name = format!("node-{number}");
            nodes.start_node(&name);
        }
        nodes.wait_until_all_serve();
        nodes
    }

    /// A program that calls.
    pub(crate) fn client(&mut self) -> Client {
        let folder = self.folder.path().join("tls");
        self.authority
            .equip(&folder, "client")
            .expect("a certificate");
        self.look();
        let addr = self
            .nodes
            .values()
            .find_map(|node| node.latest.addresses.first());
        Client::builder()
            .cluster(CLUSTER)
            .tls(
                tls_of(&folder, "client").expect("good certificates"),
                CLUSTER,
            )
            .idle(IdlePolicy::Park)
            .timeout(Duration::from_secs(5))
            .connect(*addr.expect("one listens"))
            .expect("it lets in")
    }

    fn start_node(&mut self, name: &str) {
        let folder = self.folder.path().join("tls");
        self.authority.equip(&folder, name).expect("a certificate");
        let url = self.redis.as_ref().expect("it runs").url();
        let mut command = match &self.lan {
            None => leashed(quark(), quark()),
            Some(lan) => {
                let node = number(name);
                let mut command = leashed(quark(), "ip");
                command
                    .args(["netns", "exec", &lan.namespace(node)])
                    .arg(quark());
                command
            }
        };
        command.args(["node", "--figures", "--name", name, "--redis", &url]);
        command.args(["--lease", &LEASE.as_millis().to_string()]);
        command.args(["--ask-every", "50", "--silence", "400"]);
        if let Some(lan) = &self.lan {
            let addr = SocketAddr::new(lan.addr(number(name)), 7000);
            command.args(["--listen", &addr.to_string()]);
        }
        if name == "node-2" {
            command.args(["--shards", "2"]);
        }
        command.arg("--tls").arg(folder);
        let log = self.folder.path().join(format!("{name}.log"));
        let log = File::options().create(true).append(true).open(log);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log.expect("a log"));
        let mut process = command.spawn().expect("it starts");
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
        self.nodes.insert(name.to_owned(), node);
    }

    fn start_redis(&mut self) {
        let folder = self.folder.path().join("redis");
        let addr = self
            .lan
            .as_ref()
            .map(|lan| SocketAddr::new(lan.here(), 6379));
        self.redis = Some(OwnRedis::start_at(quark(), &folder, addr).expect("a Redis"));
    }

    /// Has it stand still for so long.
    pub(crate) fn pause_redis(&self, length: Duration) {
        let redis = self.redis.as_ref().expect("it runs");
        let id = i32::try_from(redis.process()).ok().and_then(Pid::from_raw);
        let signal = |what| kill_process(id.expect("a process"), what).expect("it is there");
        signal(Signal::STOP);
        thread::sleep(length);
        signal(Signal::CONT);
    }

    /// Kills it, and starts it on what it has kept.
    pub(crate) fn restart_redis(&mut self) {
        self.redis = None;
        self.start_redis();
    }

    /// Pulls its cable: it reaches nobody, and nobody reaches it.
    pub(crate) fn cut(&self, name: &str) {
        self.lan.as_ref().expect("it is on one").cut(number(name));
    }

    /// Puts it in again.
    pub(crate) fn heal(&self, name: &str) {
        self.lan.as_ref().expect("it is on one").heal(number(name));
    }

    pub(crate) fn kill(&mut self, name: &str) {
        let mut node = self.nodes.remove(name).expect("it runs");
        node.process.kill().expect("it is killed");
        node.process.wait().expect("it ends");
    }

    pub(crate) fn start_again(&mut self, name: &str) {
        self.start_node(name);
    }

    pub(crate) fn pause(&mut self, name: &str) {
        self.nodes[name].signal(Signal::STOP);
    }

    pub(crate) fn resume(&mut self, name: &str) {
        self.nodes[name].signal(Signal::CONT);
    }

    /// Has it leave, and waits until it has ended by itself.
    pub(crate) fn end(&mut self, name: &str) {
        let node = self.nodes.remove(name).expect("it runs");
        node.signal(Signal::TERM);
        node.ends_well(name, self.folder.path());
    }

    pub(crate) fn end_all(mut self) {
        self.nodes
            .values()
            .for_each(|node| node.signal(Signal::TERM));
        while let Some((name, node)) = self.nodes.pop_first() {
            node.ends_well(&name, self.folder.path());
        }
    }

    /// Waits until all nodes serve, and agree on who owns what.
    pub(crate) fn wait_until_all_serve(&mut self) {
        let names: Vec<_> = self.nodes.keys().cloned().collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        self.wait_for_owners(&names);
    }

    /// Waits until these own all slots and serve them, as they all say themselves.
    pub(crate) fn wait_for_owners(&mut self, names: &[&str]) {
        let until = Instant::now() + SOON;
        loop {
            // What it has printed before says nothing.
            self.look();
            let asked = self
                .nodes
                .iter()
                .filter(|(name, _)| names.contains(&name.as_str()));
            let all = asked.map(|(_, node)| node).all(|node| {
                let Figures { serves, owners, .. } = &node.latest;
                *serves
                    && owners.keys().eq(names)
                    && owners.values().all(|slots| *slots > 0)
                    && owners.values().sum::<usize>() == 65_536
            });
            if all {
                return;
            }
            let latest = self.nodes.values().map(|node| &node.latest);
            let latest: Vec<_> = latest.collect();
            assert!(
                Instant::now() < until,
                "{names:?} do not serve: {latest:#?}"
            );
            thread::sleep(Duration::from_millis(10));
        }
    }

    fn look(&mut self) {
        for (name, node) in &mut self.nodes {
            let ended = node.process.try_wait().expect("it is our child");
            assert!(ended.is_none(), "{name} has ended: {ended:?}");
            if let Some(latest) = node.printed.try_iter().last() {
                node.latest = latest;
            }
        }
    }
}

impl Node {
    fn signal(&self, what: Signal) {
        kill_process(Pid::from_child(&self.process), what).expect("it is there");
    }

    fn ends_well(mut self, name: &str, folder: &Path) {
        let until = Instant::now() + SOON;
        loop {
            let log = || std::fs::read_to_string(folder.join(format!("{name}.log")));
            match self.process.try_wait().expect("it is our child") {
                Some(status) if status.success() => return,
                Some(status) => panic!("{name} ended with {status}: {:?}", log()),
                None => assert!(Instant::now() < until, "{name} does not end: {:?}", log()),
            }
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Nodes {
    fn drop(&mut self) {
        for (name, node) in &mut self.nodes {
            let _ = node.process.kill();
            let _ = node.process.wait();
            let log = std::fs::read(self.folder.path().join(format!("{name}.log")));
            let _ = std::io::stderr().write_all(&log.unwrap_or_default());
        }
    }
}

/// The number in a node's name.
fn number(name: &str) -> u8 {
    let number = name
        .rsplit_once('-')
        .and_then(|(_, number)| number.parse().ok());
    number.expect("names end with numbers")
}

fn quark() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_quark"))
}
