//! The `quark` command: what the machine is, and whether the house keeps its rules.

#![forbid(unsafe_code)]

mod check;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use mimalloc::MiMalloc;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// What a wrong request ends with; clap uses the same for bad flags.
const REFUSED: u8 = 2;

/// Looks after Quark: what the machine is, and whether the house keeps its rules.
#[derive(Parser)]
#[command(name = "quark", version, arg_required_else_help = true)]
struct Quark {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List what breaks a rule of the house: dependency arrows, the driver seam, unsafe, tidiness.
    Check {
        /// The workspace's root folder.
        #[arg(default_value = ".")]
        root: PathBuf,
    },
}

fn main() -> ExitCode {
    let result = match Quark::parse().command {
        Command::Check { root } => check::run(&root),
    };
    result.unwrap_or_else(|error| {
        // Nobody is left to tell when stderr is closed.
        let _ = writeln!(io::stderr(), "error: {error}");
        ExitCode::from(REFUSED)
    })
}
