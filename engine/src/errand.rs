//! Errands: what any thread has shards do.
//!
//! Runs on threads outside, which may block: the wait here is never a shard's.
#![allow(clippy::disallowed_methods)]

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use quark_shards::shard::Shard;

use crate::engine::Engine;
use crate::runtime::{RUNTIME, Runtime};

/// Asks every shard; `None` if one does not answer.
pub(crate) fn ask_all<R: Send + 'static>(
    engine: &Engine,
    question: impl Fn(&Shard, &Runtime) -> R + Clone + Send + 'static,
) -> Option<Vec<R>> {
    const PATIENCE: Duration = Duration::from_secs(5);
    if engine.settings().simulated {
        // The shards would have to answer in this very thread.
        return None;
    }
    let asked: Vec<_> = (0..engine.shards())
        .map(|shard| {
            let (answer, answers) = mpsc::sync_channel(1);
            let question = question.clone();
            run_on(engine, shard, move |shard, runtime| {
                let _ = answer.try_send(question(shard, runtime));
            });
            answers
        })
        .collect();
    asked
        .into_iter()
        .map(|answers| answers.recv_timeout(PATIENCE).ok())
        .collect()
}

/// Has `errand` run on a shard; waits for room in its inbox.
pub(crate) fn run_on(
    engine: &Engine,
    shard: u16,
    errand: impl FnOnce(&Shard, &Runtime) + Send + 'static,
) {
    let Some(handle) = engine.mesh().handle(shard) else {
        return;
    };
    let mut errand: quark_shards::shard::Errand = Box::new(move |shard: &Shard| {
        if let Some(runtime) = shard.attached(&RUNTIME) {
            errand(shard, runtime);
        }
    });
    while let Err(back) = handle.inbox.push(errand) {
        if engine.clear_if_ended() {
            return;
        }
        errand = back;
        thread::yield_now();
    }
    engine.clear_if_ended();
}
