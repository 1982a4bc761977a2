//! The `quark` command: what the machine is, and whether the house keeps its rules.

mod check;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Quark's command.
#[derive(Parser)]
#[command(name = "quark", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Checks the rules of the house: dependency arrows, the driver seam, unsafe, tidiness.
    Check {
        /// The workspace's root folder.
        #[arg(default_value = ".")]
        root: PathBuf,
    },
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Check { root } => check::run(&root),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            ExitCode::from(error.exit_code())
        }
    }
}

#[expect(
    clippy::print_stderr,
    reason = "a command tells its user what went wrong"
)]
fn complain(error: &check::CheckError) {
    eprintln!("quark: {error}");
}
