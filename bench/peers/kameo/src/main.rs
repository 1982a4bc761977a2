//! The workloads on kameo: actors that are tasks on tokio.

mod actors;

use std::process::ExitCode;

use peers_common::tokio_modes::{CURRENT_THREAD, POOL};
use peers_common::{Peer, run, spawned};

peers_common::allocator!();

static PEER: Peer = Peer {
    name: "kameo",
    version: "0.22.2",
    is_virtual: false,
    mailbox: "64; 1,024 here",
    modes: &[CURRENT_THREAD, POOL],
};

fn main() -> ExitCode {
    run(&PEER, spawned::work::<actors::Kameo>)
}
