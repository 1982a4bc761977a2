//! What a workload has given, and the JSON line that says so.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::cli::{Job, Peer};
use crate::laps::Measured;
use crate::stamps::Stamps;
use crate::workload::Workload;

/// What a workload has given.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    count: u64,
    seconds: f64,
    latency: Option<Summary>,
    figures: BTreeMap<&'static str, f64>,
}

/// Why a peer can't do a workload, or not in this mode: a footnote of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dash(pub &'static str);

/// Latencies in nanoseconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Summary {
    /// The mean.
    pub mean: f64,
    /// Half were quicker.
    pub p50: u64,
    /// One in ten took longer.
    pub p90: u64,
    /// One in a hundred.
    pub p99: u64,
    /// One in a thousand.
    pub p999: u64,
    /// The longest.
    pub max: u64,
}

/// A line of output, with quark-bench's field names.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    peer: &'static str,
    version: &'static str,
    mode: &'static str,
    spins: bool,
    workload: Workload,
    count: u64,
    seconds: f64,
    rate_per_s: f64,
    latency_ns: Option<Summary>,
    figures: BTreeMap<&'static str, f64>,
    /// Why there are no figures.
    dash: Option<&'static str>,
}

impl Answer {
    /// What the workload's main loop measured.
    #[must_use]
    pub fn of(measured: &Measured) -> Self {
        Answer {
            count: measured.count,
            seconds: measured.seconds,
            ..Answer::default()
        }
    }

    /// With one figure more; its unit is in its name.
    #[must_use]
    pub fn figure(mut self, name: &'static str, value: f64) -> Self {
        self.figures.insert(name, value);
        self
    }

    /// With the latencies of single units.
    #[must_use]
    pub fn latency(mut self, stamps: &Stamps) -> Self {
        self.latency = stamps.summary();
        self
    }
}

impl Line {
    pub(crate) fn new(peer: &Peer, job: &Job, answer: Result<Answer, Dash>) -> Self {
        let (answer, dash) = match answer {
            Ok(answer) => (answer, None),
            Err(Dash(why)) => (Answer::default(), Some(why)),
        };
        Line {
            peer: peer.name,
            version: peer.version,
            mode: job.mode.name,
            spins: job.mode.spins,
            workload: job.workload,
            count: answer.count,
            seconds: answer.seconds,
            rate_per_s: if answer.seconds > 0.0 {
                answer.count as f64 / answer.seconds
            } else {
                0.0
            },
            latency_ns: answer.latency,
            figures: answer.figures,
            dash,
        }
    }
}
