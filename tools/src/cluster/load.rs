//! Callers, so that there is something to see.

use std::error::Error;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use quark::{Client, IdlePolicy};

use super::DEFAULT_CLUSTER;
use super::ca::tls_of;
use super::counter::Counter;

/// Callers that add to counters. They call no more once this is dropped.
pub(super) struct Load {
    is_over: Arc<AtomicBool>,
}

/// How many counters there are.
const KEYS: u64 = 1000;
/// How long a caller rests after a call that has failed.
const REST: Duration = Duration::from_millis(20);

impl Load {
    /// Whose certificate callers show.
    pub(super) const NAME: &str = "load";

    /// Starts `callers` of them, by the node at `addr`.
    pub(super) fn start(
        folder: &Path,
        addr: SocketAddr,
        callers: u16,
    ) -> Result<Self, Box<dyn Error>> {
        let client = Client::builder()
            .cluster(DEFAULT_CLUSTER)
            .tls(tls_of(folder, Self::NAME)?, DEFAULT_CLUSTER)
            .idle(IdlePolicy::Park)
            .timeout(Duration::from_secs(10))
            .connect(addr)?;
        let is_over = Arc::new(AtomicBool::new(false));
        for caller in 0..u64::from(callers) {
            let (client, is_over) = (client.clone(), is_over.clone());
            thread::spawn(move || {
                let mut key = caller;
                while !is_over.load(Ordering::Relaxed) {
                    // A stride that has no factor in common with their number reaches all.
                    key = (key + 7) % KEYS;
                    if client.actor::<Counter>(key).add(1).wait().is_err() {
                        thread::sleep(REST);
                    }
                }
            });
        }
        Ok(Load { is_over })
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}
