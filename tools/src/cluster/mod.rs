//! `quark cluster`: a cluster on this machine, of real processes, to try things on.
//!
//! `start` brings it up and stays: a Redis unless one is named, an authority with a certificate for
//! each node, and the nodes, each a process that runs `quark node`. What runs is written into a
//! folder, where `status`, `kill`, `pause` and `resume` find it. Nothing outlives `start`: all that
//! it has started is on its leash (`process`).

mod ca;
mod control;
mod counter;
mod figures;
mod folder;
pub mod history;
mod interrupt;
mod load;
mod log;
mod member;
mod node;
mod process;
mod redis;
mod start;
mod table;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};

pub use self::ca::{Authority, AuthorityError, tls_of};
pub use self::counter::{Counter, CounterRef};
pub use self::figures::Figures;
use self::folder::Folder;
pub use self::log::log_to_stderr;
pub use self::node::{NodeOptions, run as run_node};
pub use self::process::{Leashed, become_leashed, leashed};
pub use self::redis::{OwnRedis, RedisError};

/// What a cluster is called that was given no name.
const DEFAULT_CLUSTER: &str = "quark";

/// What a shell expects of a process ended by Ctrl-C.
const INTERRUPTED: i32 = 130;

/// What to do with a cluster on this machine.
#[derive(Subcommand)]
pub enum ClusterCommand {
    /// Start a cluster, and show how its nodes are doing until Ctrl-C, which stops it.
    Start(start::StartOptions),
    /// Show once how the nodes are doing.
    Status(Where),
    /// Kill a node (SIGKILL): the others take its slots when its lease is over.
    Kill(Whom),
    /// Stop a node's process where it is (SIGSTOP), as a long pause of the machine would.
    Pause {
        /// Which node.
        #[command(flatten)]
        whom: Whom,
        /// Have it go on after so many seconds; without, when `quark cluster resume` says so.
        #[arg(long = "for", value_name = "SECONDS")]
        seconds: Option<f64>,
    },
    /// Have a paused node go on (SIGCONT).
    Resume(Whom),
}

/// Which cluster.
#[derive(Args)]
pub struct Where {
    /// The folder that the cluster was started with [default: quark in $XDG_RUNTIME_DIR, or one of
    /// this user's in the system's folder for temporary files].
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// Which node of which cluster.
#[derive(Args)]
pub struct Whom {
    /// The node's number, from 1.
    #[arg(value_name = "N")]
    node: u16,

    #[command(flatten)]
    place: Where,
}

/// Runs a command of `quark cluster`.
///
/// # Errors
/// A line that says what is wrong.
pub fn run(command: &ClusterCommand) -> Result<ExitCode, Box<dyn Error>> {
    match command {
        ClusterCommand::Start(options) => start::run(options),
        ClusterCommand::Status(place) => control::status(place),
        ClusterCommand::Kill(whom) => control::kill(whom),
        ClusterCommand::Pause { whom, seconds } => control::pause(whom, *seconds),
        ClusterCommand::Resume(whom) => control::resume(whom),
    }
}

impl Where {
    fn folder(&self) -> Folder {
        Folder::at(self.dir.clone())
    }
}
