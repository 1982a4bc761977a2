//! rio-rs: virtual actors ("service objects") in a server, after Orleans.
//!
//! An object is a value behind a lock, found by type and id; each request is a task of the server.
//! Measured is what objects of one server have to reach each other: `ServiceObject::send`, which
//! serializes but goes through a channel of the process, not over TCP. Directory and membership are
//! in memory. The caller is a task: "local" beside the server on one core, "across" on a core of
//! its own. There are no one-way messages.

mod activate;
mod asks;
mod object;
mod system;

use std::process::ExitCode;

use peers_common::tokio_modes::{CURRENT_THREAD, POOL};
use peers_common::{Answer, Dash, Job, Peer, Workload, run};

peers_common::allocator!();

/// Virtual: `activate` measures first requests by id.
static PEER: Peer = Peer {
    name: "rio-rs",
    version: "0.7.2",
    is_virtual: true,
    mailbox: "none (a lock)",
    modes: &[CURRENT_THREAD, POOL],
};

const NO_TELL: Dash = Dash("it has no one-way messages");

fn main() -> ExitCode {
    run(&PEER, work)
}

fn work(&job: &Job) -> Result<Answer, Dash> {
    match job.workload {
        Workload::AskLocal => Ok(asks::local(job)),
        Workload::AskCross => Ok(asks::across(job)),
        Workload::FanOut => Ok(asks::fan_out(job)),
        Workload::Activate => Ok(activate::activate(job)),
        Workload::Idle => Ok(activate::idle(job)),
        Workload::TellLocal
        | Workload::TellCross
        | Workload::FanIn
        | Workload::Ring
        | Workload::PingPong => Err(NO_TELL),
    }
}
