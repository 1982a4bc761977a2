//! Quark's load generator: the replay of an order feed through actors, one workload per path
//! that has a budget, and the floor each of them is held against, measured in the same process.
//!
//! Start at [`main`], then [`workloads`]; the feed and the book they replay stand on their own.

#![forbid(unsafe_code)]

pub mod bbo;
pub mod book;
pub mod busy;
pub mod cli;
pub mod clock;
mod commands;
pub mod cpu_time;
pub mod date;
pub mod distribution;
pub mod error;
pub mod feed;
pub mod floors;
pub mod hgrm;
pub mod hlog;
pub mod interrupt;
pub mod json;
pub mod latency;
pub mod launch;
pub mod load;
pub mod machine;
pub mod main_job;
pub mod memory;
pub mod output;
pub mod pace;
pub mod plot;
pub mod progress;
pub mod records;
pub mod report;
pub mod rng;
pub mod scratch;
#[cfg(any(feature = "redis", feature = "postgres"))]
pub mod server;
pub mod table;
mod units;
pub mod workloads;

use std::io::{self, Write};
use std::process::ExitCode;

/// Runs the program on the process's arguments and says how it ended: 0 when all went well
/// (also after Ctrl-C), 2 when the input was at fault, 1 when a measurement failed.
#[must_use]
pub fn main() -> ExitCode {
    let command = match cli::parse(std::env::args_os()) {
        Ok(command) => command,
        Err(cli::Stop::Help(text)) => return finish(show(&text)),
        Err(cli::Stop::Usage(error)) => return finish(Err(error)),
    };
    finish(commands::run(&command))
}

fn show(text: &str) -> Result<(), error::Error> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

fn finish(outcome: Result<(), error::Error>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        // The reader of our output has gone (`quark-bench list | head`): nobody is left to tell.
        Err(error) if error.is_broken_pipe() => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "quark-bench: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}
