//! Shards that flood each other with asks, nested ones too, through next to no credit.
#![allow(missing_docs)]

use std::thread;
use std::time::Duration;

use quark::{Credits, IdlePolicy, prelude::*};
use quark_tests::{in_time, key_on, small};

#[derive(Default)]
pub struct Node;

#[actor(mailbox = 64)]
impl Node {
    /// Asks the other side, which asks back, `depth` levels deep, again and again. What is refused
    /// is tried again, until every ask was answered. Says how often that was.
    pub async fn flood(&self, cx: &Cx<Self>, there: u64, here: u64, depth: u64, asks: u64) -> u64 {
        let other = cx.actor::<Node>(there);
        let mut refused = 0;
        for _ in 0..asks {
            loop {
                match other.nest(here, there, depth).await {
                    Ok(true) => break,
                    Ok(false) | Err(CallError::Overloaded | CallError::MailboxFull) => refused += 1,
                    Err(error) => panic!("{error}"),
                }
                // Not all at once again.
                quark::sleep(Duration::from_micros(20 + cx.random() % 100)).await;
            }
        }
        refused
    }

    /// Whether the way down was free.
    pub async fn nest(&self, cx: &Cx<Self>, there: u64, here: u64, depth: u64) -> bool {
        if depth == 0 {
            return true;
        }
        match cx.actor::<Node>(there).nest(here, there, depth - 1).await {
            Ok(free) => free,
            Err(CallError::Overloaded | CallError::MailboxFull) => false,
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn shards_flooding_each_other_make_progress() {
    let tiny = Credits {
        ask_slots: 8,
        reserve_slots: 4,
        tell_slots: 8,
    };
    for (credits, idle) in [
        (tiny, IdlePolicy::Park),
        (tiny, IdlePolicy::ADAPTIVE),
        (Credits::default(), IdlePolicy::Park),
    ] {
        in_time(Duration::from_secs(120), move || {
            let engine = small().idle(idle).credits(credits);
            let engine = engine.timeout(Duration::from_secs(100)).launch().unwrap();
            let key =
                |shard, from: u64| from + key_on(shard, |key| engine.home_of::<Node>(from + key));
            let mut refused = 0;
            thread::scope(|scope| {
                let floods: Vec<_> = (0..16)
                    .map(|flood| {
                        let (mine, theirs) = (flood % 2, 1 - flood % 2);
                        let here = key(mine, 10_000 * u64::from(flood));
                        let there = key(theirs, 10_000 * u64::from(flood) + 5000);
                        let node = engine.actor::<Node>(here);
                        // Nested to every depth that has a reserve, and beyond.
                        let depth = u64::from(flood / 2) * 2;
                        scope.spawn(move || node.flood(there, here, depth, 100).wait().unwrap())
                    })
                    .collect();
                for flood in floods {
                    refused += flood.join().unwrap();
                }
            });
            if credits == tiny {
                assert!(refused > 0, "there was credit for all: no flood");
            }
            // When the flood is over everything is free again.
            let node = engine.actor::<Node>(key(0, 0));
            assert_eq!(node.flood(key(1, 0), key(0, 0), 8, 10).wait(), Ok(0));
        });
    }
}
