//! Arbiters as homes.

use std::future::Future;

use actix::{Arbiter, ArbiterHandle, System, SystemRunner};
use peers_common::tokio_modes::{Cores, Home, Stage};
use peers_common::{CALLEE_CORE, CALLER_CORE, pin};
use tokio::runtime::Builder;

/// Refers to an arbiter.
#[derive(Clone)]
pub struct On(ArbiterHandle);

/// What arbiters need to live.
struct Life {
    arbiters: Vec<Arbiter>,
    _system: SystemRunner,
}

/// An arbiter for each core in use.
pub fn stage(cores: Cores) -> Stage<On> {
    // Arbiters belong to a system. It has nothing to do, and this thread only waits.
    let system = System::new();
    let mut arbiters = vec![arbiter(CALLER_CORE)];
    if cores == Cores::Two {
        arbiters.push(arbiter(CALLEE_CORE));
    }
    let caller = On(arbiters[0].handle());
    let callee = On(arbiters[arbiters.len() - 1].handle());
    let life = Life {
        arbiters,
        _system: system,
    };
    Stage::new(caller, callee, life)
}

impl Home for On {
    fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        assert!(self.0.spawn(future), "the arbiter lives");
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        for arbiter in self.arbiters.drain(..) {
            arbiter.stop();
            // A panic there has been told of already.
            let _ = arbiter.join();
        }
    }
}

/// Without tokio's driver for sockets, which arbiters have if nobody says: they would ask the system
/// for news of sockets every 61 messages.
fn arbiter(core: usize) -> Arbiter {
    Arbiter::with_tokio_rt(move || {
        pin(core);
        Builder::new_current_thread()
            .enable_time()
            .build()
            .expect("the system has room for a runtime")
    })
}
