//! A turn that holds its core is reported, by name.
#![allow(missing_docs)]

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use quark::prelude::*;
use quark_tests::{in_time, key_on, small};

#[derive(Default)]
pub struct Sloth;

#[actor]
impl Sloth {
    /// Computes, where it should not for so long.
    pub fn compute(&self, millis: u64) {
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_millis(millis) {
            std::hint::spin_loop();
        }
    }

    /// Blocks its whole shard.
    pub async fn block(&mut self, millis: u64) {
        thread::sleep(Duration::from_millis(millis));
    }

    /// Takes as long, and holds nobody up.
    pub async fn wait(&self, millis: u64) {
        quark::sleep(Duration::from_millis(millis)).await;
    }
}

#[test]
fn a_turn_that_holds_its_core_is_reported_by_name() {
    in_time(Duration::from_secs(60), || {
        let (report, reported) = mpsc::channel();
        let engine = small().on_stall(move |stall| report.send(*stall).unwrap());
        let engine = engine.launch().unwrap();
        let sloth =
            |shard| engine.actor::<Sloth>(key_on(shard, |key| engine.home_of::<Sloth>(key)));
        for (shard, method) in [(0, "compute"), (1, "block")] {
            // Sixty may be over between two looks of a busy machine's watcher; so again.
            let begin = Instant::now();
            let stall = loop {
                match method {
                    "compute" => sloth(shard).compute(60).wait().unwrap(),
                    _ => sloth(shard).block(60).wait().unwrap(),
                }
                let found = reported.try_iter().find(|stall: &quark::Stall| {
                    stall.shard == shard && stall.label.is_some_and(|turn| turn.method == method)
                });
                if let Some(stall) = found {
                    break stall;
                }
                assert!(
                    begin.elapsed() < Duration::from_secs(20),
                    "{method} was never reported"
                );
            };
            assert_eq!(stall.label.unwrap().to_string(), format!("Sloth::{method}"));
            assert!(stall.lasted >= Duration::from_millis(25), "{stall:?}");
        }
        for _ in 0..5 {
            sloth(0).wait(60).wait().unwrap();
        }
        let blamed = reported
            .try_iter()
            .find(|stall| stall.label.is_some_and(|turn| turn.method == "wait"));
        assert_eq!(blamed, None, "who waits does not hold its core");
    });
}
