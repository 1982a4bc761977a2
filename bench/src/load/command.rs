//! `quark-bench load`: the generator by itself, for a server elsewhere.

use std::fmt;
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use quark::tls::{Pem, Source, Tls};
use serde::Serialize;

use super::{Cluster, Load, LoadError, Loaded, NAME, Resp, Sessions};
use crate::cli::{self, Format, Options};
use crate::clock::Clock;
use crate::cpu_time;
use crate::error::Error;
use crate::floors::pinned;
use crate::interrupt::Interrupt;
use crate::latency::Summary;
use crate::launch::launch_error;
use crate::pace::{Goal, Pace};
use crate::units::{quantity, significant, time};

/// `load`: calls to a server elsewhere.
#[derive(Args, Clone, Debug)]
pub struct Generate {
    /// Where the server listens: each of its shards, as `quark-bench serve` names them.
    #[arg(long, value_name = "ADDR,…", required = true, value_delimiter = ',')]
    pub connect: Vec<SocketAddr>,
    /// How many connections, over all addresses; with --durable how many clients, each of which
    /// has a connection to every shard.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=CONNECTIONS_MOST))]
    pub connections: u32,
    /// How many calls are under way on each; Quark's servers take 1024 at most.
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=1_024))]
    pub outstanding: u32,
    /// How many keys; each call draws one.
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub keys: u64,
    /// The server is a Redis, and calls are INCR.
    #[arg(long, conflicts_with_all = ["tls_ca", "tls_name"])]
    pub redis: bool,
    /// Speak TLS, to a server whose certificate the authority in FILE (PEM) has signed.
    #[arg(long, value_name = "FILE")]
    pub tls_ca: Option<PathBuf>,
    /// The name that the server's certificate is for.
    #[arg(long, value_name = "NAME", default_value = NAME, requires = "tls_ca")]
    pub tls_name: String,
    /// The servers are nodes of a cluster, as `quark cluster start` or `quark-bench node` runs them:
    /// calls go by its own clients to wherever its durable counters are, also while its nodes come and
    /// go, and what was acknowledged is compared with what there is at the end. Nobody else may add to
    /// these counters meanwhile. It fails if a call does, or if something is lost.
    #[arg(long, conflicts_with_all = ["redis", "tls_ca", "cpu"])]
    pub durable: bool,
    /// The folder with the certificates of the cluster and its client `load`.
    #[arg(long, value_name = "DIR", requires = "durable")]
    pub tls_dir: Option<PathBuf>,
    /// Which cpu the generator keeps busy [default: any].
    #[arg(long, value_name = "N")]
    pub cpu: Option<usize>,
    /// Stop after so many seconds [default: 3].
    #[arg(long, value_name = "S", allow_negative_numbers = true, value_parser = cli::seconds, conflicts_with = "count")]
    pub seconds: Option<Duration>,
    /// Stop after so many calls.
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = cli::count)]
    pub count: Option<u64>,
    /// Decides which keys are drawn.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// A line for people, or a JSON object.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// As many as a process may have files, usually.
const CONNECTIONS_MOST: i64 = 100_000;
const USUAL: Goal = Goal::Time(Duration::from_secs(3));

/// Loads a server and tells what came of it.
///
/// # Errors
///
/// When there are no such certificates, or the server can't be reached or fails.
pub(crate) fn command(
    asked: &Generate,
    interrupt: &Interrupt,
    out: &mut impl Write,
) -> Result<(), Error> {
    let clock = Clock::new();
    let options = Options {
        count: asked.count,
        seconds: asked.seconds,
        ..Options::default()
    };
    let pace = Pace::new(&clock, interrupt, &options, USUAL);
    if asked.durable {
        return durable(asked, &pace, out);
    }
    let tls = asked.tls_ca.clone().map(|path| {
        Tls::new(Source {
            authorities: Pem::File(path),
            identity: None,
            mutual: false,
        })
    });
    let tls = tls.transpose().map_err(launch_error)?;
    let cluster = Cluster {
        name: "quark".to_owned(),
        tls: tls.map(|tls| (tls, asked.tls_name.clone())),
    };
    let load = Load {
        to: asked.connect.clone(),
        connections: asked.connections as usize,
        outstanding: asked.outstanding as usize,
        keys: asked.keys,
        seed: asked.seed,
        pace,
    };
    let run = || run(&load, asked.redis, &cluster);
    let loaded = match asked.cpu {
        None => run(),
        Some(core) => pinned::on(core, run)?,
    };
    let loaded = loaded.map_err(|error| Error::Workload {
        workload: "load",
        reason: error.to_string(),
    })?;
    tell(asked, &loaded, out)
}

#[cfg(feature = "redis")]
use super::durable::command as durable;

#[cfg(not(feature = "redis"))]
fn durable(_: &Generate, _: &Pace, _: &mut impl Write) -> Result<(), Error> {
    let how = "--durable is not built in: build quark-bench with --features redis";
    Err(Error::Usage(how.to_owned()))
}

fn run(load: &Load, is_redis: bool, cluster: &Cluster) -> Result<Loaded, LoadError> {
    let nobody_knows = || Duration::ZERO;
    load.pace.watched("load", || {
        if is_redis {
            return load.run(|| Ok(Resp::default()), &nobody_knows);
        }
        let mut salt = load.seed;
        let speak = || {
            salt += 1;
            Sessions::dial(cluster, salt, load.pace.clock().now())
        };
        load.run(speak, &nobody_knows)
    })
}

/// What came of it, as `--format json` has it.
#[derive(Serialize)]
struct Told {
    connections: u32,
    outstanding: u32,
    count: u64,
    seconds: f64,
    rate_per_s: f64,
    latency_ns: Option<Summary>,
    calls_per_read: f64,
    generator_cpu_percent: f64,
}

fn tell(asked: &Generate, loaded: &Loaded, out: &mut impl Write) -> Result<(), Error> {
    let told = Told {
        connections: asked.connections,
        outstanding: asked.outstanding,
        count: loaded.measured.count,
        seconds: loaded.measured.elapsed().as_secs_f64(),
        rate_per_s: loaded.measured.per_s(),
        latency_ns: loaded.latency.summary(),
        calls_per_read: loaded.per_read(),
        generator_cpu_percent: cpu_time::percent(loaded.generator, loaded.measured.elapsed()),
    };
    if asked.format == Format::Json {
        serde_json::to_writer(&mut *out, &told).map_err(std::io::Error::from)?;
        writeln!(out)?;
        return Ok(out.flush()?);
    }
    write!(
        out,
        "{}: {} in {}",
        quantity(told.rate_per_s, "calls/s"),
        quantity(told.count as f64, "calls"),
        time(told.seconds * 1e9),
    )?;
    writeln!(
        out,
        "{} · {} answers a read · generator busy for {} %",
        Latencies(told.latency_ns),
        significant(told.calls_per_read),
        significant(told.generator_cpu_percent)
    )?;
    Ok(out.flush()?)
}

/// A distribution at the end of a line.
pub(super) struct Latencies(pub(super) Option<Summary>);

impl fmt::Display for Latencies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(latency) = &self.0 else {
            return Ok(());
        };
        for (name, ns) in [
            ("p50", latency.p50),
            ("p90", latency.p90),
            ("p99", latency.p99),
            ("p999", latency.p999),
            ("max", latency.max),
        ] {
            write!(f, " · {name} {}", time(ns as f64))?;
        }
        Ok(())
    }
}
