//! The command line of a peer's program.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use crate::answer::{Answer, Dash, Line};
use crate::workload::{KEYS, Workload};

/// What a program says of the peer that it runs.
pub struct Peer {
    /// As people know it.
    pub name: &'static str,
    /// The version that is built in.
    pub version: &'static str,
    /// Whether its actors are found and made by key.
    pub is_virtual: bool,
    /// What its mailboxes hold by default, as the table names it: "64", "unbounded".
    pub mailbox: &'static str,
    /// The ways it can be set up, the best honest one of each kind.
    pub modes: &'static [Mode],
}

/// One way to set a peer up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mode {
    /// Its name on the command line and in the table.
    pub name: &'static str,
    /// Whether its threads spin while they have nothing to do; else they sleep.
    pub spins: bool,
    /// Whether actors stay on the core that they were meant for; else a pool moves them about, and
    /// what is to cross cores may stay on one.
    pub places: bool,
}

/// What is to be done.
#[derive(Clone, Copy, Debug)]
pub struct Job {
    /// Which workload.
    pub workload: Workload,
    /// Set up how.
    pub mode: &'static Mode,
    /// How long each of its loops takes.
    pub lasts: Duration,
    /// Actors to be made, where that is the workload.
    pub keys: u64,
}

#[derive(Parser)]
#[command(about = "Runs one workload and prints a JSON line, as quark-bench does.")]
struct Options {
    /// The workloads, one after the other; all if none is named.
    workloads: Vec<Workload>,
    /// The way to set the peer up; the first that it has if none is named.
    #[arg(long)]
    mode: Option<String>,
    /// How long each loop takes.
    #[arg(long, default_value_t = 0.7)]
    seconds: f64,
    /// Actors of `activate`.
    #[arg(long, default_value_t = KEYS)]
    keys: u64,
    /// Prints what the program says of the peer, and ends.
    #[arg(long)]
    describe: bool,
}

/// Runs what the command line asks for; prints a line for each workload.
#[must_use]
pub fn run(peer: &'static Peer, work: impl Fn(&Job) -> Result<Answer, Dash>) -> ExitCode {
    let options = Options::parse();
    if options.describe {
        println!("{}", describe(peer));
        return ExitCode::SUCCESS;
    }
    let mode = match &options.mode {
        None => &peer.modes[0],
        Some(name) => match peer.modes.iter().find(|mode| mode.name == name) {
            Some(mode) => mode,
            None => {
                let known: Vec<_> = peer.modes.iter().map(|mode| mode.name).collect();
                eprintln!(
                    "{} has no mode {name}: it has {}",
                    peer.name,
                    known.join(", ")
                );
                return ExitCode::from(2);
            }
        },
    };
    let Ok(lasts) = Duration::try_from_secs_f64(options.seconds) else {
        eprintln!("--seconds must be a time: {}", options.seconds);
        return ExitCode::from(2);
    };
    let all = <Workload as clap::ValueEnum>::value_variants();
    let workloads = match options.workloads.is_empty() {
        true => all,
        false => &options.workloads,
    };
    for &workload in workloads {
        let job = Job {
            workload,
            mode,
            lasts,
            keys: options.keys,
        };
        let line = Line::new(peer, &job, work(&job));
        println!("{}", serde_json::to_string(&line).expect("plain fields"));
    }
    ExitCode::SUCCESS
}

fn describe(peer: &Peer) -> serde_json::Value {
    let modes: Vec<_> = peer
        .modes
        .iter()
        .map(|mode| serde_json::json!({ "name": mode.name, "spins": mode.spins, "places": mode.places }))
        .collect();
    serde_json::json!({
        "peer": peer.name,
        "version": peer.version,
        "is_virtual": peer.is_virtual,
        "mailbox": peer.mailbox,
        "modes": modes,
    })
}
