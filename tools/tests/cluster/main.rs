//! Nodes that are processes of their own, on a real Redis and over TLS, while they and it are killed,
//! paused and restarted: nothing acknowledged is lost, nothing is done twice, and who only wants to update
//! its nodes one after another fails no call.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "what a long run tells"
)]

mod callers;
mod lan;
mod nodes;

use std::time::Duration;

use callers::Callers;
use nodes::{LEASE, Nodes};

/// How many times everything goes wrong. A few by default; `QUARK_FULL=1` makes it many.
fn rounds() -> usize {
    match std::env::var_os("QUARK_FULL") {
        Some(_) => 20,
        None => 1,
    }
}

#[test]
fn nodes_that_are_killed_and_paused_lose_nothing_and_rolling_restarts_fail_no_call() {
    if std::env::var_os("QUARK_LOG").is_some() {
        quark_tools::cluster::log_to_stderr();
    }
    let mut nodes = Nodes::start(3);
    let callers = Callers::start(nodes.client());
    for round in 0..rounds() {
        callers.phase("calm");
        callers.wait_for(300);

        // The others take over, and it comes back to a cluster that has done without it.
        callers.phase("killed");
        nodes.kill("node-2");
        nodes.wait_for_owners(&["node-1", "node-3"]);
        callers.wait_for(300);
        nodes.start_again("node-2");
        nodes.wait_until_all_serve();

        // It is back before anybody has missed it.
        callers.phase("killed and back at once");
        nodes.kill("node-1");
        nodes.start_again("node-1");
        nodes.wait_until_all_serve();
        callers.wait_for(300);

        // It wakes up and believes that it still has its lease.
        callers.phase("paused");
        nodes.pause("node-3");
        std::thread::sleep(LEASE * 4);
        nodes.resume("node-3");
        nodes.wait_until_all_serve();
        callers.wait_for(300);

        // Shorter than the lease: nothing changes hands.
        callers.phase("paused briefly");
        nodes.pause("node-2");
        std::thread::sleep(LEASE / 4);
        nodes.resume("node-2");
        nodes.wait_until_all_serve();
        callers.wait_for(300);

        // The table and all states are on it; leases are not.
        callers.phase("Redis paused");
        nodes.pause_redis(LEASE * 2);
        callers.wait_for(300);

        callers.phase("Redis killed");
        nodes.restart_redis();
        nodes.wait_until_all_serve();
        callers.wait_for(300);

        callers.phase(callers::ROLLING);
        for node in ["node-1", "node-2", "node-3"] {
            nodes.end(node);
            callers.wait_for(100);
            nodes.start_again(node);
            nodes.wait_until_all_serve();
            callers.wait_for(100);
        }
        println!("round {round}: {}", callers.so_far());
    }
    // Those that began before its end.
    std::thread::sleep(Duration::from_millis(100));
    callers.end_and_check(&nodes.client());
    nodes.end_all();
}

/// In network namespaces, which takes root: one node's cable is pulled, it is killed while nobody can
/// reach it, and comes back.
#[test]
fn a_node_that_is_cut_off_then_killed_and_then_back_has_harmed_nobody() {
    let Some(lan) = lan::Lan::new(3) else { return };
    let mut nodes = Nodes::start_on(Some(lan), 3);
    let callers = Callers::start(nodes.client());
    for round in 0..rounds() {
        callers.phase("calm");
        callers.wait_for(300);

        callers.phase("cut off");
        nodes.cut("node-2");
        nodes.wait_for_owners(&["node-1", "node-3"]);
        callers.wait_for(300);

        callers.phase("killed while cut off");
        nodes.kill("node-2");
        callers.wait_for(300);
        nodes.heal("node-2");
        nodes.start_again("node-2");
        nodes.wait_until_all_serve();
        callers.wait_for(300);

        // It finds out by itself that it has been replaced, and joins again.
        callers.phase("cut off, and back");
        nodes.cut("node-3");
        nodes.wait_for_owners(&["node-1", "node-2"]);
        callers.wait_for(300);
        nodes.heal("node-3");
        nodes.wait_until_all_serve();
        callers.wait_for(300);
        println!("round {round}: {}", callers.so_far());
    }
    callers.phase("calm");
    callers.wait_for(100);
    callers.end_and_check(&nodes.client());
    nodes.end_all();
}
