//! Orlando: virtual actors ("grains") after Orleans, each a tokio task that its first caller
//! activates.
//!
//! A grain runs on the runtime that activated it, so callees are looked up first where they shall
//! live. The grains are those of a silo of one process, as in Orlando's quick start.

mod activate;
mod asks;
mod caller;
mod fans;
mod grains;
mod relay;
mod tells;

use std::process::ExitCode;

use peers_common::tokio_modes::{CURRENT_THREAD, POOL};
use peers_common::{Answer, Dash, Job, Peer, Workload, run};

peers_common::allocator!();

/// Virtual: `activate` measures first asks by key. There are only asks in its interface; what is
/// told travels as its own notifications do, but waits for room.
static PEER: Peer = Peer {
    name: "orlando",
    version: "0.1.0",
    is_virtual: true,
    mailbox: "256",
    modes: &[CURRENT_THREAD, POOL],
};

fn main() -> ExitCode {
    run(&PEER, work)
}

fn work(&job: &Job) -> Result<Answer, Dash> {
    Ok(match job.workload {
        Workload::AskLocal => asks::local(job),
        Workload::AskCross => asks::across(job),
        Workload::TellLocal => tells::local(job),
        Workload::TellCross => tells::across(job),
        Workload::FanIn => fans::fan_in(job),
        Workload::FanOut => fans::fan_out(job),
        Workload::Ring => relay::ring(job),
        Workload::PingPong => relay::ping_pong(job),
        Workload::Activate => activate::activate(job),
        Workload::Idle => activate::idle(job),
    })
}
