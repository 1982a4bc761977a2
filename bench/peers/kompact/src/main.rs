//! The workloads on Kompact: components with unbounded mailboxes on a work-stealing pool, its
//! workers pinned.
//!
//! In a pool nobody says who runs where: a worker runs what it wakes unless another steals it, so
//! "across" is what two workers make of it. The mode `dedicated` gives both sides of the workloads
//! that cross cores a pinned thread of their own instead. In the spinning build (cargo feature
//! `spin`) workers never sleep.

mod activate;
mod asks;
mod relay;
mod set_up;
mod tells;

use std::process::ExitCode;

use peers_common::{Answer, Dash, Job, Mode, Peer, Workload, run};

use set_up::DEDICATED;

peers_common::allocator!();

static PEER: Peer = Peer {
    name: "kompact",
    version: "0.12.0",
    is_virtual: false,
    mailbox: "unbounded",
    modes: MODES,
};

#[cfg(not(feature = "spin"))]
const MODES: &[Mode] = &[
    Mode {
        name: "pool",
        spins: false,
        places: false,
    },
    Mode {
        name: DEDICATED,
        spins: false,
        places: true,
    },
];
#[cfg(feature = "spin")]
const MODES: &[Mode] = &[Mode {
    name: "pool-spin",
    spins: true,
    places: false,
}];

fn main() -> ExitCode {
    run(&PEER, work)
}

fn work(job: &Job) -> Result<Answer, Dash> {
    let dedicated = job.mode.name == DEDICATED;
    match job.workload {
        Workload::AskCross => Ok(asks::ask_cross(job)),
        Workload::TellCross => Ok(tells::tell_cross(job)),
        Workload::PingPong => Ok(relay::ping_pong(job)),
        _ if dedicated => Err(Dash("the same as in the mode pool")),
        Workload::AskLocal => Ok(asks::ask_local(job)),
        Workload::TellLocal => Ok(tells::tell_local(job)),
        Workload::FanIn => Ok(tells::fan_in(job)),
        Workload::FanOut => Ok(asks::fan_out(job)),
        Workload::Ring => Ok(relay::ring(job)),
        Workload::Activate => Ok(activate::activate(job)),
        Workload::Idle => Ok(activate::idle(job)),
    }
}
