//! Elfo: actors in groups on tokio; a group's router makes an actor of each key when its first
//! message comes.
//!
//! Actors are asked and told by their address, as in elfo's own "direct" benchmarks; only
//! `activate` goes by key, through the group's router.

mod activate;
mod actors;
mod asks;
mod caller;
mod fans;
mod relay;
mod system;
mod tells;

use std::process::ExitCode;

use peers_common::tokio_modes::{CURRENT_THREAD, POOL};
use peers_common::{Answer, Dash, Job, Peer, Workload, run};

peers_common::allocator!();

/// Virtual in that `activate` measures first requests by key. Mailboxes hold as many as
/// Quark's, so that senders wait no more often than there.
static PEER: Peer = Peer {
    name: "elfo",
    version: "0.2.0-alpha.21",
    is_virtual: true,
    mailbox: "100; 1,024 here",
    // The pool is what elfo's own benchmarks use; dedicated runtimes are in its book.
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
