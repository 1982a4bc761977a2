//! The workloads on xtra: actors that are tasks on any runtime, here tokio.

mod actors;

use std::process::ExitCode;

use peers_common::tokio_modes::{CURRENT_THREAD, POOL};
use peers_common::{Peer, run, spawned};

peers_common::allocator!();

static PEER: Peer = Peer {
    name: "xtra",
    version: "0.6.0",
    is_virtual: false,
    mailbox: "no default; 256 here",
    modes: &[CURRENT_THREAD, POOL],
};

fn main() -> ExitCode {
    run(&PEER, spawned::work::<actors::Xtra>)
}
