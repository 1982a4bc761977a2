//! The workloads on ractor: actors that are tasks on tokio, after Erlang's servers.

mod actors;

use std::process::ExitCode;

use peers_common::tokio_modes::{CURRENT_THREAD, POOL};
use peers_common::{Peer, run, spawned};

peers_common::allocator!();

static PEER: Peer = Peer {
    name: "ractor",
    version: "0.16.5",
    is_virtual: false,
    mailbox: "unbounded",
    modes: &[CURRENT_THREAD, POOL],
};

fn main() -> ExitCode {
    run(&PEER, spawned::work::<actors::Ractor>)
}
