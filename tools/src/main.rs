//! The `quark` command.

#![forbid(unsafe_code)]

mod check;
mod topology;

use std::{
    error::Error,
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

use clap::{Parser, Subcommand, error::ErrorKind};
use mimalloc::MiMalloc;
use quark_tools::cluster::{self, ClusterCommand, Leashed, NodeOptions};

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// What a wrong request ends with; clap uses the same for bad flags.
const REFUSED: u8 = 2;

/// Looks after Quark: what the machine is, clusters on it, and whether the house keeps its rules.
#[derive(Parser)]
#[command(name = "quark", version, arg_required_else_help = true)]
struct Quark {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Show this machine, and where shards would run on it.
    Topology(topology::Options),
    /// List what breaks a rule of the house: dependency arrows, the driver seam, unsafe, tidiness.
    Check {
        /// The workspace's root folder.
        #[arg(default_value = ".")]
        root: PathBuf,
    },
    /// Run a cluster on this machine, and have it go wrong.
    #[command(subcommand)]
    Cluster(ClusterCommand),
    /// Be one node of a cluster: what `quark cluster start` runs for each.
    Node(NodeOptions),
    /// Become another program, which ends with whoever started it.
    #[command(hide = true)]
    Leashed(Leashed),
}

fn main() -> ExitCode {
    let result = match Quark::try_parse() {
        Ok(quark) => match quark.command {
            Command::Topology(options) => topology::run(&options),
            Command::Check { root } => check::run(&root),
            Command::Cluster(command) => cluster::run(&command),
            Command::Node(options) => cluster::run_node(&options),
            Command::Leashed(leashed) => cluster::become_leashed(&leashed),
        },
        Err(error) => refuse_or_help(&error),
    };
    result.unwrap_or_else(|error| {
        // Nobody is left to tell when stderr is closed.
        let _ = writeln!(io::stderr(), "error: {error}");
        ExitCode::from(REFUSED)
    })
}

/// Help is shown as clap has it; a wrong flag becomes one line.
fn refuse_or_help(error: &clap::Error) -> Result<ExitCode, Box<dyn Error>> {
    let help = ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
    if !error.use_stderr() || error.kind() == help {
        error.exit();
    }
    let text = error.to_string();
    let said: Vec<_> = text
        .lines()
        .map(str::trim)
        .take_while(|line| !line.is_empty())
        .collect();
    let said = said.join(" ");
    Err(format!("{} (see --help)", said.trim_start_matches("error: ")).into())
}
