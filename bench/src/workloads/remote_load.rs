//! `remote-load`: a server of one shard on one core, and on another a generator with 50 connections
//! over loopback TCP and 16 calls under way on each, in plain text and over TLS; and the same
//! generator at Redis, whose `INCR` counts as our actor does.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use quark::{ActorOptions, Listen};

use super::actors::Counter;
use super::{Setup, Workload};
use crate::busy::is_shard;
use crate::cli::Idle;
use crate::cpu_time::{self, Thread};
use crate::error::Error;
use crate::floors::{Floor, Interleaved, median, pinned};
use crate::latency::Latency;
use crate::launch::{Needs, Plan, Ran, launch_error};
use crate::load::certificates::{self, Certificates};
use crate::load::{Cluster, Load, LoadError, Loaded, NAME, Sessions, Speech};
use crate::pace::{Goal, Pace};
use crate::report::Report;

/// The workload.
pub const WORKLOAD: Workload = Workload {
    name: "remote-load",
    about: "50 connections with 16 calls under way on each, to a server over loopback TCP.",
    unit: "calls",
    floor: Some(FLOOR),
    run: remote_load,
};

/// Held against it is what a second of the server's core does, since a generator that can't keep a
/// server busy says nothing of it.
const FLOOR: &str = "Redis: INCR, a second of its core";
const CONNECTIONS: usize = 50;
const OUTSTANDING: usize = 16;
const KEYS: u64 = 1_000;
/// Runs that count, each in plain text, over TLS and at Redis.
const PARTS: usize = 5;
const USUAL: Goal = Goal::Time(Duration::from_secs(3));
const NEEDS: Needs = Needs {
    shards: 1,
    idle: Idle::Adaptive,
};

fn remote_load(setup: &Setup) -> Result<Report, Error> {
    let certificates = certificates::make(NAME).map_err(launch_error)?;
    let redis = redis::begin(setup)?;
    let mut sides = Interleaved::begin(None);
    let (mut plain, mut tls, mut peers) = (Parts::new(), Parts::new(), Parts::new());
    let mut shares = Vec::new();
    let mut last = None;
    for part in 0..PARTS {
        if part == 0 {
            sides = Interleaved::begin(redis.floor(setup, &mut peers)?);
        }
        let (ran, open) = serve(setup, None)?;
        let (_, shielded) = serve(setup, Some(&certificates))?;
        sides.then(open.per_core_s(), redis.floor(setup, &mut peers)?);
        shares.push(shielded.measured.per_s() / open.measured.per_s().max(1.0));
        plain.add(open);
        tls.add(shielded);
        last = Some(ran);
    }
    let Some(ran) = last else {
        unreachable!("there are parts");
    };
    let mut report = ran
        .report_of(&WORKLOAD, plain.count, plain.elapsed)
        .latency(&plain.latency);
    if plain.count == 0 {
        return Ok(report);
    }
    if let Some(sides) = sides.end() {
        report = report.beside(sides);
    }
    report = report
        .figure("calls_per_core_s", median(plain.per_core_s))
        .figure("server_cpu_percent", median(plain.percent))
        .figure("calls_per_read", median(plain.per_read))
        .figure("tls_calls_per_s", median(tls.per_s))
        .figure("tls_calls_per_core_s", median(tls.per_core_s))
        .figure("tls_share", median(shares.clone()))
        .figure("tls_share_lowest", lowest(&shares))
        .figure("tls_share_highest", highest(&shares));
    if let Some(summary) = tls.latency.summary() {
        report = report
            .figure("tls_p50_us", summary.p50 as f64 / 1e3)
            .figure("tls_p99_us", summary.p99 as f64 / 1e3);
    }
    if let Some(summary) = peers.latency.summary() {
        report = report
            .figure("redis_calls_per_s", median(peers.per_s))
            .figure("redis_cpu_percent", median(peers.percent))
            .figure("redis_calls_per_read", median(peers.per_read))
            .figure("redis_p50_us", summary.p50 as f64 / 1e3)
            .figure("redis_p99_us", summary.p99 as f64 / 1e3)
            .part("redis", peers.latency);
    }
    Ok(report
        .part("tls", tls.latency)
        .figure("redis", redis.about()))
}

/// What parts of one kind came to.
struct Parts {
    count: u64,
    elapsed: Duration,
    latency: Latency,
    per_s: Vec<f64>,
    per_core_s: Vec<f64>,
    percent: Vec<f64>,
    per_read: Vec<f64>,
}

impl Parts {
    fn new() -> Self {
        Parts {
            count: 0,
            elapsed: Duration::ZERO,
            latency: Latency::new(),
            per_s: Vec::new(),
            per_core_s: Vec::new(),
            percent: Vec::new(),
            per_read: Vec::new(),
        }
    }

    fn add(&mut self, one: Loaded) {
        self.count += one.measured.count;
        self.elapsed += one.measured.elapsed();
        self.latency.merge(&one.latency);
        self.per_s.push(one.measured.per_s());
        self.per_core_s.push(one.per_core_s());
        self.percent.push(one.server_percent());
        self.per_read.push(one.per_read());
    }
}

fn lowest(shares: &[f64]) -> f64 {
    shares.iter().copied().fold(f64::INFINITY, f64::min)
}

fn highest(shares: &[f64]) -> f64 {
    shares.iter().copied().fold(0.0, f64::max)
}

/// One part at an engine of its own, over TLS if there are certificates for that.
fn serve(setup: &Setup, certificates: Option<&Certificates>) -> Result<(Ran, Loaded), Error> {
    let plan = Plan::new(WORKLOAD.name, setup, NEEDS)?;
    let core = generators_core(&plan);
    // Of engines that somebody else in this process has.
    let others = cpu_time::threads(is_shard);
    let session = plan.launch_with(|builder| {
        let listen = Listen::at(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        builder
            .configure::<Counter>(ActorOptions::new())
            .listen(match certificates {
                None => listen,
                Some(certificates) => listen.tls(certificates.server.clone()),
            })
    })?;
    let pace = session.pace(USUAL).in_parts(PARTS);
    let cluster = Cluster {
        name: "quark".to_owned(),
        tls: certificates.map(|made| (made.client.clone(), NAME.to_owned())),
    };
    let clock = pace.clock().clone();
    let load = load(setup, session.engine.addresses().to_vec(), pace);
    let mut salt = setup.options.seed;
    let speak = || {
        salt += 1;
        Sessions::dial(&cluster, salt, clock.now())
    };
    let mut shards = cpu_time::threads(is_shard);
    shards.retain(|shard| !others.contains(shard));
    let used = || shards.iter().filter_map(Thread::used).sum();
    let loaded = put(&load, core, speak, used);
    let loaded = loaded.map_err(|error| session.error(error.to_string()))?;
    Ok((session.end(), loaded))
}

/// A core for the generator alone, where there is one.
fn generators_core(plan: &Plan<'_>) -> Option<usize> {
    let cores = plan.cores().filter(|_| plan.shards() == 1);
    cores.map(|cores| cores.second)
}

fn load(setup: &Setup, to: Vec<SocketAddr>, pace: Pace) -> Load {
    Load {
        to,
        connections: CONNECTIONS,
        outstanding: OUTSTANDING,
        keys: KEYS,
        seed: setup.options.seed,
        pace,
    }
}

/// Puts `load` on a server, from `core` if there is one.
fn put<S: Speech>(
    load: &Load,
    core: Option<usize>,
    speak: impl FnMut() -> Result<S, LoadError> + Send,
    server: impl Fn() -> Duration + Send,
) -> Result<Loaded, LoadError> {
    let run = move || {
        load.pace
            .watched(WORKLOAD.name, || load.run(speak, &server))
    };
    match core {
        None => run(),
        Some(core) => pinned::on(core, run).map_err(|error| LoadError::Core(error.to_string()))?,
    }
}

#[cfg(feature = "redis")]
mod redis {
    use super::{Error, Floor, NEEDS, PARTS, Pace, Parts, Plan, Setup, USUAL, WORKLOAD};
    use super::{FLOOR, generators_core, load, pinned, put};
    use crate::clock::Clock;
    use crate::floors::redis;
    use crate::load::Resp;
    use crate::server::{Kind, Server};

    /// A server of the run's own, or why there is none.
    pub(super) enum Redis {
        Here { server: Server, about: String },
        Not(String),
    }

    /// Starts it where the engine's shard will run.
    pub(super) fn begin(setup: &Setup) -> Result<Redis, Error> {
        let plan = Plan::new(WORKLOAD.name, setup, NEEDS)?;
        let start = || Server::start(Kind::RedisInMemory, setup.options.dir.as_deref());
        let started = match plan.cores() {
            None => start(),
            // Processes inherit their cores.
            Some(cores) => pinned::on(cores.first, start)?,
        };
        Ok(match started {
            Err(why) => Redis::Not(why.to_string()),
            Ok(server) => Redis::Here {
                about: redis::about(&server.url())?,
                server,
            },
        })
    }

    impl Redis {
        /// One part of the same load.
        pub(super) fn floor(
            &self,
            setup: &Setup,
            parts: &mut Parts,
        ) -> Result<Option<Floor>, Error> {
            let Redis::Here { server, .. } = self else {
                return Ok(None);
            };
            let core = generators_core(&Plan::new(WORKLOAD.name, setup, NEEDS)?);
            let pace = Pace::new(&Clock::new(), &setup.interrupt, &setup.options, USUAL);
            let load = load(setup, vec![server.addr()], pace.in_parts(PARTS));
            let loaded = put(&load, core, || Ok(Resp::default()), || server.cpu_time());
            let loaded = loaded.map_err(|error| Error::Workload {
                workload: WORKLOAD.name,
                reason: format!("at Redis: {error}"),
            })?;
            let floor = Floor {
                name: FLOOR,
                value: loaded.per_core_s(),
                unit: "calls/s",
                p99: None,
            };
            parts.add(loaded);
            Ok(Some(floor))
        }

        pub(super) fn about(&self) -> String {
            match self {
                Redis::Here { about, .. } => about.clone(),
                Redis::Not(why) => format!("not measured: {why}"),
            }
        }
    }
}

#[cfg(not(feature = "redis"))]
mod redis {
    use super::{Error, Floor, Parts, Setup};

    /// None: it is not built in.
    pub(super) struct Redis;

    pub(super) fn begin(_: &Setup) -> Result<Redis, Error> {
        Ok(Redis)
    }

    impl Redis {
        pub(super) fn floor(&self, _: &Setup, _: &mut Parts) -> Result<Option<Floor>, Error> {
            Ok(None)
        }

        pub(super) fn about(&self) -> String {
            "not measured: build quark-bench with --features redis".to_owned()
        }
    }
}
