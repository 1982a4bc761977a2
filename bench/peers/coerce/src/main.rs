//! The workloads on Coerce: actors that are tasks on tokio, after Akka.
//!
//! Measured are actors that are spawned. Coerce's sharding, which makes actors by key, works on
//! messages that are serialized for other nodes, and each is registered with a coordinator.

mod actors;

use std::process::ExitCode;

use peers_common::tokio_modes::{CURRENT_THREAD, POOL};
use peers_common::{Peer, run, spawned};

peers_common::allocator!();

/// Not virtual: `activate` measures spawning.
static PEER: Peer = Peer {
    name: "coerce",
    version: "0.8.11",
    is_virtual: false,
    mailbox: "unbounded",
    modes: &[CURRENT_THREAD, POOL],
};

fn main() -> ExitCode {
    run(&PEER, spawned::work::<actors::Coerce>)
}
