//! Tasks of a tokio runtime of one thread that write beside each other, and nothing round them.

use std::sync::Arc;

use tokio::runtime::Builder;
use tokio::task::JoinSet;

use super::{Floor, FloorError};
use crate::latency::Latency;
use crate::pace::{Measured, Pace};
use crate::workloads::saves::{BYTES, SAVERS};

/// The unit it is measured in.
const UNIT: &str = "saves/s";

/// A client that tasks share.
pub(super) trait Lane: Send + Sync + 'static {
    type Error: std::error::Error + Send;

    /// Writes what task number `task` keeps.
    fn write(
        &self,
        task: usize,
        text: &str,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;
}

/// Writes in a second by [`SAVERS`] tasks, each the next when the last is answered; the lanes go
/// round.
pub(super) fn saves_per_s<L: Lane>(
    name: &'static str,
    place: &'static str,
    pace: &Pace,
    open: impl AsyncFnOnce() -> Result<Vec<L>, L::Error>,
) -> Result<Floor, FloorError> {
    let (measured, latency) = ask(place, async || {
        let lanes: Vec<Arc<L>> = open().await?.into_iter().map(Arc::new).collect();
        let share = pace.shared(SAVERS as u64);
        let mut tasks = JoinSet::new();
        for (task, lane) in (0..SAVERS).zip(lanes.iter().cycle()) {
            tasks.spawn(write(task, Arc::clone(lane), share.clone()));
        }
        let mut all: Option<Measured> = None;
        let mut latencies = Latency::new();
        while let Some(ended) = tasks.join_next().await {
            let ended = ended.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
            let (measured, latency) = ended?;
            latencies.merge(&latency);
            all = Some(match all {
                None => measured,
                Some(all) => all.and(measured),
            });
        }
        Ok::<_, L::Error>((all, latencies))
    })?;
    Ok(Floor {
        name,
        value: measured.map_or(0.0, |measured| measured.per_s()),
        unit: UNIT,
        p99: latency.summary().map(|summary| summary.p99 as f64),
    })
}

/// What a server answers.
pub(super) fn ask<T, E: std::error::Error>(
    place: &'static str,
    ask: impl AsyncFnOnce() -> Result<T, E>,
) -> Result<T, FloorError> {
    let failed = |reason: String| FloorError::Server { place, reason };
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| failed(error.to_string()))?;
    runtime.block_on(ask()).map_err(|error| {
        let source = error.source().map(|source| format!(": {source}"));
        failed(format!("{error}{}", source.unwrap_or_default()))
    })
}

async fn write<L: Lane>(
    task: usize,
    lane: Arc<L>,
    pace: Pace,
) -> Result<(Measured, Latency), L::Error> {
    let mut latency = Latency::new();
    let mut laps = pace.start();
    let clock = laps.clock();
    let mut number = 0_u64;
    while laps.next(1).is_some() {
        number += 1;
        let text = format!("{number:0BYTES$}");
        let begun = clock.now();
        lane.write(task, &text).await?;
        latency.record(clock.now() - begun);
    }
    Ok((laps.end(), latency))
}
