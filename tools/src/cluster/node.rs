//! `quark node`: a process that is one node.

use std::error::Error;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{self, ExitCode};
use std::time::Duration;

use clap::Args;
use quark::membership::{RedisTable, Timing};
use quark::{ActorOptions, Cluster, Engine, Listen, Store, Topology};

use super::ca::tls_of;
use super::counter::Counter;
use super::figures::Figures;
use super::interrupt::Interrupt;
use super::log::log_to_stderr;

/// What a node is, and whose.
#[derive(Args, Clone, Debug)]
pub struct NodeOptions {
    /// What it is called, as no other node of its cluster is.
    #[arg(long)]
    name: String,

    /// What the cluster is called.
    #[arg(long, default_value = super::DEFAULT_CLUSTER)]
    cluster: String,

    /// Where its first shard listens, each further one at the next port; with port 0, at any.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,

    /// The Redis that has the cluster's table, and its actors' states.
    #[arg(long, value_name = "URL")]
    redis: String,

    /// How many shards it has.
    #[arg(long, value_name = "N", default_value_t = 1)]
    shards: u16,

    /// What keys are hashed with: the same number for all nodes.
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,

    /// The folder with its certificates, as `quark cluster start` makes them; without, it speaks
    /// plain text.
    #[arg(long, value_name = "DIR")]
    tls: Option<PathBuf>,

    /// Print figures as JSON twice a second, not a line when it is ready.
    #[arg(long)]
    figures: bool,

    #[command(flatten)]
    timing: TimingOptions,
}

/// How long nodes wait for each other: the same for all of a cluster.
#[derive(Args, Clone, Debug)]
pub(super) struct TimingOptions {
    /// How long a lease is, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 3000)]
    pub(super) lease: u64,

    /// How often it is asked for, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 500)]
    pub(super) ask_every: u64,

    /// How long a node may be silent before it is removed, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 2000)]
    pub(super) silence: u64,
}

/// How often it looks at itself.
const LOOK_EVERY: Duration = Duration::from_millis(50);
const FIGURES_EVERY: u32 = 10;
/// Together less than the half minute that whoever stops it waits.
const LEAVE_WITHIN: Duration = Duration::from_secs(20);
const GRACE: Duration = Duration::from_secs(5);

/// Runs a node until Ctrl-C, SIGTERM, or the end of whoever reads what it prints; it hands its slots
/// over before it ends, within half a minute. A second signal ends it at once. What its engine traces
/// goes to standard error, as much as `QUARK_LOG` says (`info` without it).
///
/// # Errors
/// If it can't be launched.
pub fn run(options: &NodeOptions) -> Result<ExitCode, Box<dyn Error>> {
    log_to_stderr();
    let interrupt = Interrupt::take_over()?;
    let engine = launch(options)?;
    let is_told = say_until_told(options, &engine, &interrupt);
    let (done, is_done) = std::sync::mpsc::channel();
    // Taken over once, so that a second signal finds somebody who listens.
    let ending = std::thread::spawn(move || {
        engine.shutdown();
        let _ = done.send(());
    });
    while matches!(
        is_done.recv_timeout(LOOK_EVERY),
        Err(std::sync::mpsc::RecvTimeoutError::Timeout)
    ) {
        if interrupt.comes_within(Duration::ZERO) {
            process::exit(super::INTERRUPTED);
        }
    }
    if ending.join().is_err() {
        return Err("its shutdown has panicked".into());
    }
    is_told?;
    Ok(ExitCode::SUCCESS)
}

fn launch(options: &NodeOptions) -> Result<Engine, Box<dyn Error>> {
    let TimingOptions {
        lease,
        ask_every,
        silence,
    } = options.timing;
    let timing = Timing {
        lease: Duration::from_millis(lease),
        ask_every: Duration::from_millis(ask_every),
        silence: Duration::from_millis(silence),
        ..Timing::default()
    };
    let mut listen = Listen::at(options.listen).cluster(&options.cluster);
    if let Some(folder) = &options.tls {
        listen = listen.tls(tls_of(folder, &options.name)?);
    }
    let table = RedisTable::new(&options.redis, &options.cluster)?;
    let cluster = Cluster::new(&options.name, table)
        .timing(timing)
        .leave_within(LEAVE_WITHIN);
    let topology = Topology::detect()?.shards(usize::from(options.shards));
    let engine = Engine::builder()
        // The other nodes are on the same machine.
        .topology(topology.oversubscribe(true))
        .idle(quark::IdlePolicy::Park)
        .seed(options.seed)
        .grace(GRACE)
        .configure::<Counter>(ActorOptions::new())
        .store(Store::redis(&options.redis))
        .listen(listen)
        .cluster(cluster)
        .launch()?;
    Ok(engine)
}

/// Prints what it was told to, until it is told to end.
fn say_until_told(
    options: &NodeOptions,
    engine: &Engine,
    interrupt: &Interrupt,
) -> Result<(), Box<dyn Error>> {
    let mut looks = 0;
    let mut was_ready = false;
    while !interrupt.comes_within(LOOK_EVERY) {
        looks += 1;
        let is_time = looks % FIGURES_EVERY == 1;
        if !is_time && was_ready {
            continue;
        }
        let figures = Figures::of(&options.name, engine);
        let becomes_ready = figures.is_ready() && !was_ready;
        was_ready |= becomes_ready;
        let line = match options.figures {
            true if is_time || becomes_ready => serde_json::to_string(&figures)?,
            false if becomes_ready => ready(&options.cluster, &figures),
            _ => continue,
        };
        if writeln!(io::stdout(), "{line}").is_err() {
            // Nobody reads it any more.
            break;
        }
    }
    Ok(())
}

fn ready(cluster: &str, figures: &Figures) -> String {
    let (slots, all) = (figures.slots(), figures.owners.values().sum::<usize>());
    let at: Vec<_> = figures.addresses.iter().map(ToString::to_string).collect();
    format!(
        "{} serves {slots} of {all} slots of the cluster {cluster} at {}",
        figures.name,
        at.join(", ")
    )
}
