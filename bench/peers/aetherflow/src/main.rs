//! The workloads on AetherFlow: actors on pinned threads that poll them all in turn, one message
//! each.
//!
//! Its `ask` blocks the calling thread until the answer is there, so an actor that asks stops its
//! whole core, can have one ask outstanding, and is refused callees on its own core. Where that
//! doesn't serve (many outstanding), an ask is made of two messages, as its documentation advises:
//! the callee tells its caller the answer. The mode `spin-messages` does so for single asks too.
//!
//! Its other idle strategy sleeps 50 µs at a time and nobody wakes it: an idle core polls on.

mod activate;
mod asks;
mod relay;
mod requests;
mod set_up;
mod tells;

use std::process::ExitCode;

use peers_common::{Answer, Dash, Job, Mode, Peer, Workload, run};

use set_up::{SPIN, SPIN_MESSAGES};

peers_common::allocator!();

static PEER: Peer = Peer {
    name: "aetherflow",
    version: "0.1.0",
    is_virtual: false,
    mailbox: "1,024; 2 in fan-out and activate",
    modes: &[
        Mode {
            name: SPIN,
            spins: true,
            places: true,
        },
        Mode {
            name: "backoff",
            spins: false,
            places: true,
        },
        Mode {
            name: SPIN_MESSAGES,
            spins: true,
            places: true,
        },
    ],
};

fn main() -> ExitCode {
    run(&PEER, work)
}

fn work(job: &Job) -> Result<Answer, Dash> {
    let messages = job.mode.name == SPIN_MESSAGES;
    match job.workload {
        Workload::AskLocal if messages => Ok(requests::ask_local(job)),
        Workload::AskCross if messages => Ok(requests::ask_cross(job)),
        _ if messages => Err(Dash("the same as in the mode spin")),
        Workload::AskLocal => Err(Dash(
            "its ask blocks the caller's core, so it refuses a callee there",
        )),
        Workload::AskCross => Ok(asks::ask_cross(job)),
        Workload::TellLocal => Ok(tells::tell_local(job)),
        Workload::TellCross => Ok(tells::tell_cross(job)),
        Workload::FanIn => Ok(tells::fan_in(job)),
        Workload::FanOut => Ok(requests::fan_out(job)),
        Workload::Ring => Ok(relay::ring(job)),
        Workload::PingPong => Ok(relay::ping_pong(job)),
        Workload::Activate => Ok(activate::activate(job)),
        Workload::Idle => Ok(activate::idle(job)),
    }
}
