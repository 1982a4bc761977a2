//! The result of a workload, as the contract of `--format json` has it.

use std::time::Duration;

use quark::{Engine, IdlePolicy};
use serde::{Serialize, Serializer};

use crate::cli::Idle;
use crate::floors::{Bracketed, Floor, Sides};
use crate::latency::{Latency, Summary};
use crate::plot::Limit;
use crate::workloads::Workload;

/// The result of one workload.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The workload's name.
    pub workload: &'static str,
    /// What it ran on.
    #[serde(flatten)]
    pub ground: Ground,
    /// How many of the workload's units were done.
    pub count: u64,
    /// In how many seconds.
    pub seconds: f64,
    /// Units per second.
    pub rate_per_s: f64,
    /// Latency of a unit, where that has a meaning.
    pub latency_ns: Option<Summary>,
    /// What the machine itself can do, where that has a meaning.
    pub floor: Option<Floor>,
    /// The figure held against the floor, divided by it.
    pub ratio: Option<f64>,
    /// What was measured besides.
    pub figures: Figures,
    /// The unit of `count`, in the plural; for people.
    #[serde(skip)]
    pub unit: &'static str,
    /// Every latency that was recorded, whole: for files and pictures.
    #[serde(skip)]
    pub recorded: Vec<Recorded>,
    /// What latencies should not exceed; for pictures.
    #[serde(skip)]
    pub limits: Vec<Limit>,
    /// The floor's two readings.
    #[serde(skip)]
    readings: Option<(f64, f64)>,
}

/// What a workload runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Ground {
    /// How many shards.
    pub shards: usize,
    /// Their idle policy.
    pub idle: Idle,
    /// The name of their driver.
    pub driver: &'static str,
}

impl Ground {
    /// What `engine` runs on.
    #[must_use]
    pub fn of(engine: &Engine) -> Self {
        let report = engine.report();
        Ground {
            shards: usize::from(engine.shards()),
            idle: match report.idle {
                IdlePolicy::Spin => Idle::Spin,
                IdlePolicy::Adaptive { .. } => Idle::Adaptive,
                IdlePolicy::Park => Idle::Park,
            },
            driver: report.driver.name,
        }
    }
}

/// A latency distribution, whole.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// Of which part of the workload, where there are several.
    pub part: Option<&'static str>,
    /// The latencies.
    pub latency: Latency,
}

/// Readings of a floor this much apart are of two different machines.
const DRIFT: f64 = 1.3;

impl Report {
    /// `count` units in `elapsed`; nothing else yet.
    #[must_use]
    pub fn new(workload: &Workload, ground: Ground, count: u64, elapsed: Duration) -> Self {
        let seconds = elapsed.as_secs_f64();
        Report {
            workload: workload.name,
            ground,
            count,
            seconds,
            rate_per_s: if seconds > 0.0 {
                count as f64 / seconds
            } else {
                0.0
            },
            latency_ns: None,
            floor: None,
            ratio: None,
            figures: Figures::default(),
            unit: workload.unit,
            recorded: Vec::new(),
            limits: Vec::new(),
            readings: None,
        }
    }

    /// With the latencies recorded.
    #[must_use]
    pub fn latency(mut self, latency: &Latency) -> Self {
        self.latency_ns = latency.summary();
        self.recorded.push(Recorded {
            part: None,
            latency: latency.clone(),
        });
        self
    }

    /// With the latencies of one part more, beside those of the whole.
    #[must_use]
    pub fn part(mut self, part: &'static str, latency: Latency) -> Self {
        self.recorded.push(Recorded {
            part: Some(part),
            latency,
        });
        self
    }

    /// With a limit that pictures show.
    #[must_use]
    pub fn limit(mut self, label: &str, limit: Duration) -> Self {
        self.limits.push(Limit {
            label: label.to_owned(),
            ns: limit.as_nanos() as f64,
        });
        self
    }

    /// In how much time the units were done.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        Duration::try_from_secs_f64(self.seconds).unwrap_or_default()
    }

    /// With the mean of a loop without stamps, which cost more than many a unit does.
    #[must_use]
    pub fn mean(mut self, ns: f64) -> Self {
        if let Some(latency) = &mut self.latency_ns {
            latency.mean = ns;
        }
        self
    }

    /// Held against a floor: `measured` is in the floor's unit. Both readings of the floor become
    /// figures, since a figure counts only where they agree.
    #[must_use]
    pub fn against(mut self, floor: Bracketed, measured: f64) -> Self {
        let Bracketed {
            best,
            before,
            after,
        } = floor;
        self.ratio = (best.value > 0.0).then(|| measured / best.value);
        if let (Some(floor), Some(latency)) = (best.p99, self.latency_ns) {
            self = self
                .figure("floor_p99", floor)
                .figure("p99_ratio", latency.p99 as f64 / floor);
        }
        self.floor = Some(best);
        self.readings = Some((before, after));
        self.figure("floor_before", before)
            .figure("floor_after", after)
    }

    /// Held against a floor taken by turns with it.
    #[must_use]
    pub fn beside(mut self, sides: Sides) -> Self {
        self.ratio = Some(sides.ratio);
        if let Some(floor) = sides.floor.p99 {
            self = self.figure("floor_p99", floor);
        }
        self.floor = Some(sides.floor);
        self.figure("ratio_lowest", sides.ratios.0)
            .figure("ratio_highest", sides.ratios.1)
            .figure("floor_lowest", sides.range.0)
            .figure("floor_highest", sides.range.1)
    }

    /// Whether the floor was another after the workload than before.
    #[must_use]
    pub fn has_drifted(&self) -> bool {
        self.readings
            .is_some_and(|(before, after)| before.max(after) > before.min(after) * DRIFT)
    }

    /// With one figure more.
    #[must_use]
    pub fn figure(mut self, name: &'static str, value: impl Into<Figure>) -> Self {
        self.figures.0.push((name, value.into()));
        self
    }
}

/// Named figures, in the order they were added.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures(pub Vec<(&'static str, Figure)>);

impl Serialize for Figures {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

/// One figure; its unit is in its name.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Figure {
    /// A whole number.
    Count(u64),
    /// A measured number.
    Real(f64),
    /// A fact.
    Flag(bool),
    /// A name.
    Text(String),
}

impl From<u64> for Figure {
    fn from(value: u64) -> Self {
        Figure::Count(value)
    }
}

impl From<f64> for Figure {
    fn from(value: f64) -> Self {
        Figure::Real(value)
    }
}

impl From<bool> for Figure {
    fn from(value: bool) -> Self {
        Figure::Flag(value)
    }
}

impl From<String> for Figure {
    fn from(value: String) -> Self {
        Figure::Text(value)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::workloads;

    /// So many shards on the usual driver.
    pub(crate) fn ground(shards: usize, idle: Idle) -> Ground {
        Ground {
            shards,
            idle,
            driver: "uring",
        }
    }

    pub(crate) fn sample() -> Report {
        sample_between(101.0, 100.0)
    }

    /// A report whose floor read so before and after.
    pub(crate) fn sample_between(before: f64, after: f64) -> Report {
        let mut latency = Latency::new();
        for ns in [100, 120, 140, 160] {
            latency.record(ns);
        }
        let floor = Floor {
            name: "cache-line round trip",
            value: 100.0,
            unit: "ns",
            p99: None,
        };
        let workload = workloads::find("ask-cross").unwrap();
        Report::new(
            workload,
            ground(2, Idle::Spin),
            4_000,
            Duration::from_millis(500),
        )
        .latency(&latency)
        .against(
            Bracketed {
                best: floor,
                before,
                after,
            },
            120.0,
        )
        .figure("unanswered", 0_u64)
    }

    #[test]
    fn rate_and_ratio_follow_from_what_was_measured() {
        let report = sample();
        assert_eq!(report.rate_per_s, 8_000.0);
        assert_eq!(report.ratio, Some(1.2));
        assert_eq!(report.figures.0[0], ("floor_before", Figure::Real(101.0)));
    }

    #[test]
    fn no_time_is_no_rate() {
        let workload = workloads::find("ring").unwrap();
        let report = Report::new(workload, ground(1, Idle::Park), 0, Duration::ZERO);
        assert_eq!(report.rate_per_s, 0.0);
        assert_eq!(report.ratio, None);
    }
}
