//! `quark-bench serve`: the counters of the workloads for generators elsewhere.

use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use clap::Args;
use quanta::Instant;
use quark::{ActorOptions, DriverKind, Listen};
use quark_numa::CpuList;

use super::{NAME, certificates};
use crate::cli::{self, Idle, Options};
use crate::error::Error;
use crate::interrupt::Interrupt;
use crate::launch::{builder, launch_error, topology};
use crate::workloads::actors::Counter;

/// `serve`: an engine for `quark-bench load`.
#[derive(Args, Clone, Debug)]
pub struct Serve {
    /// Where its first shard listens, such as 127.0.0.1:4700; each further one at the next port.
    #[arg(long, value_name = "ADDR")]
    pub listen: SocketAddr,
    /// Speak TLS, by a certificate made for this run, and write the authority that has signed it
    /// to FILE as PEM, for load --tls-ca.
    #[arg(long, value_name = "FILE")]
    pub tls_ca_out: Option<PathBuf>,
    /// Let calls come over a network in plain text.
    #[arg(long, conflicts_with = "tls_ca_out")]
    pub insecure: bool,
    /// How many shards.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = cli::shards)]
    pub shards: usize,
    /// Which cpus to pin shards to, such as 0-3,8 [default: what suits the machine].
    #[arg(long, value_name = "LIST", allow_hyphen_values = true)]
    pub cpus: Option<CpuList>,
    /// What a shard does without work.
    #[arg(long, value_enum, default_value_t = Idle::Adaptive)]
    pub idle: Idle,
    /// What shards stand on, uring or glommio [default: uring, or what QUARK_DRIVER names].
    #[arg(long, value_name = "DRIVER")]
    pub driver: Option<DriverKind>,
    /// Allow more shards than usable cores.
    #[arg(long)]
    pub oversubscribe: bool,
    /// End after so many seconds [default: at Ctrl-C].
    #[arg(long, value_name = "S", allow_negative_numbers = true, value_parser = cli::seconds)]
    pub seconds: Option<Duration>,
}

/// How long a Ctrl-C may go unnoticed.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Serves until Ctrl-C.
///
/// # Errors
///
/// When it can't listen, or the authority can't be written.
pub(crate) fn command(
    asked: &Serve,
    interrupt: &Interrupt,
    out: &mut impl Write,
) -> Result<(), Error> {
    let options = Options {
        cpus: asked.cpus.clone(),
        driver: asked.driver,
        oversubscribe: asked.oversubscribe,
        ..Options::default()
    };
    let mut listen = Listen::at(asked.listen);
    if asked.insecure {
        listen = listen.insecure();
    }
    if let Some(path) = &asked.tls_ca_out {
        let made = certificates::make(NAME).map_err(launch_error)?;
        fs::write(path, &made.authority).map_err(|source| Error::Write {
            path: path.clone(),
            source,
        })?;
        listen = listen.tls(made.server);
    }
    let topology = topology(&options)?.shards(asked.shards);
    let builder = builder(topology, Some(asked.idle), &options);
    let builder = builder
        .configure::<Counter>(ActorOptions::new())
        .listen(listen);
    let engine = builder.launch().map_err(launch_error)?;
    let addresses: Vec<String> = engine.addresses().iter().map(ToString::to_string).collect();
    writeln!(out, "serves at {}; Ctrl-C ends it", addresses.join(","))?;
    out.flush()?;
    let begun = Instant::now();
    let is_over = || asked.seconds.is_some_and(|most| begun.elapsed() >= most);
    while !interrupt.is_set() && !is_over() {
        thread::sleep(LOOK_EVERY);
    }
    engine.shutdown();
    Ok(())
}
