//! Counters inside a tokio program: its tasks await calls to actors, which live on the engine's
//! own threads.
#![allow(missing_docs, clippy::print_stdout)]

use std::error::Error;
use std::time::Duration;

use quark::prelude::*;

const VISITORS: u64 = 32;
const PAGES: [&str; 3] = ["index", "docs", "download"];

/// Counts the visits of one page.
#[derive(Default)]
pub struct Counter {
    visits: u64,
}

#[actor]
impl Counter {
    /// One visit more; how many there are now. No lock: an actor takes one message at a time.
    pub fn visit(&mut self) -> u64 {
        self.visits += 1;
        self.visits
    }

    pub fn visits(&self) -> u64 {
        self.visits
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    // Launching reads the machine and waits for its shards, so not on a thread of tokio's.
    let engine = tokio::task::spawn_blocking(|| Engine::launch(Topology::detect()?))
        .await
        .map_err(Box::new)??;

    // References go anywhere; calls are futures like any other.
    let mut visitors = tokio::task::JoinSet::new();
    for _ in 0..VISITORS {
        let pages = PAGES.map(|page| engine.actor::<Counter>(page));
        visitors.spawn(async move {
            let mut last = 0;
            for page in &pages {
                last = page.visit().timeout(Duration::from_secs(10)).await?;
            }
            Ok::<u64, CallError>(last)
        });
    }
    let mut places: Vec<u64> = Vec::new();
    while let Some(visitor) = visitors.join_next().await {
        places.push(visitor??);
    }

    // Everyone was counted once: the last page's answers are 1 to 32, in whatever order.
    places.sort_unstable();
    assert!(places.iter().copied().eq(1..=VISITORS));
    for page in PAGES {
        let visits = engine.actor::<Counter>(page).visits().await?;
        println!("{page}: {visits} visits");
        assert_eq!(visits, VISITORS);
    }
    tokio::task::spawn_blocking(|| engine.shutdown()).await?;
    Ok(())
}
