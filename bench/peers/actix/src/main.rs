//! The workloads on actix: actors on arbiters, threads with an event loop each.

mod actors;
mod stage;

use std::process::ExitCode;

use peers_common::tokio_modes::CURRENT_THREAD;
use peers_common::{Mode, Peer, run, spawned};

peers_common::allocator!();

/// An arbiter, pinned, for each core in use.
const ARBITERS: Mode = Mode {
    name: "arbiters",
    ..CURRENT_THREAD
};

static PEER: Peer = Peer {
    name: "actix",
    version: "0.13.5",
    is_virtual: false,
    mailbox: "16 (1,024 here), and tells ignore it",
    modes: &[ARBITERS],
};

fn main() -> ExitCode {
    run(&PEER, spawned::work::<actors::Actix>)
}
