//! The figures that are compared: where each program says them, and how large a lead is asked.

use serde_json::Value;

use crate::units::Unit;

/// One figure.
#[derive(Debug)]
pub(crate) struct Figure {
    pub(crate) workload: &'static str,
    /// Its row in the tables.
    pub(crate) title: &'static str,
    pub(crate) unit: Unit,
    /// What is asked of Quark.
    pub(crate) lead: Lead,
    /// Whether it depends on how far apart two cores are.
    pub(crate) crosses: bool,
    peer: At,
    quark: At,
}

/// A lead asked of Quark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lead {
    /// Twice as good as anyone.
    Twice,
    /// Twice as good as those whose actors are found by key too; better than the others.
    TwiceByKey,
    /// Better than anyone.
    Ahead,
    /// The same; but where AetherFlow spins, it is at the cache line's round trip already, and to
    /// be level with it is enough.
    AheadOrLevel,
    /// Shown, not asked for.
    None,
}

/// Where a line has a figure.
#[derive(Clone, Copy, Debug)]
enum At {
    /// Beside the workload.
    Top(&'static str),
    /// Among the figures.
    Figure(&'static str),
    /// Among the latencies.
    Latency(&'static str),
}

/// A part of the tables.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) title: &'static str,
    pub(crate) figures: &'static [Figure],
}

impl Figure {
    /// What `line` says of it, if it does.
    pub(crate) fn of(&self, line: &Value, is_quark: bool) -> Option<f64> {
        let value = match if is_quark { self.quark } else { self.peer } {
            At::Top(name) => line.get(name),
            At::Figure(name) => line.get("figures")?.get(name),
            At::Latency(name) => line.get("latency_ns")?.get(name),
        };
        let value = value?.as_f64()?;
        value.is_finite().then_some(value)
    }

    /// How many times as good `quark` is as `peer`.
    pub(crate) fn ratio(&self, quark: f64, peer: f64) -> Option<f64> {
        let ratio = if self.unit.small_is_better() {
            peer / quark
        } else {
            quark / peer
        };
        (ratio.is_finite() && ratio > 0.0).then_some(ratio)
    }
}

/// All workloads, in the tables' order.
pub(crate) fn workloads() -> Vec<&'static str> {
    let mut names: Vec<_> = all().map(|figure| figure.workload).collect();
    names.dedup();
    names
}

/// All figures, in the tables' order.
pub(crate) fn all() -> impl Iterator<Item = &'static Figure> {
    GROUPS.iter().flat_map(|group| group.figures)
}

/// Whether a workload takes its own time, not that of a timed loop.
pub(crate) fn is_slow(workload: &str) -> bool {
    matches!(workload, "activate" | "idle")
}

/// In how many rounds a workload comes at most: what the slow ones count differs little.
pub(crate) fn most_rounds(workload: &str) -> u32 {
    match workload {
        "activate" => 3,
        "idle" => 2,
        _ => u32::MAX,
    }
}

/// How many timed loops a workload has.
pub(crate) fn loops(workload: &str) -> u32 {
    match workload {
        "ask-cross" => 3,
        "tell-local" | "tell-cross" | "ring" => 1,
        _ => 2,
    }
}

pub(crate) static GROUPS: [Group; 5] = [
    Group {
        title: "Asking",
        figures: &[
            Figure {
                workload: "ask-local",
                title: "ask on one core, median",
                unit: Unit::Ns,
                lead: Lead::Twice,
                crosses: false,
                peer: At::Figure("ask_ns"),
                quark: At::Figure("batch_median_ns"),
            },
            Figure {
                workload: "ask-local",
                title: "the same, p99 of stamped asks",
                unit: Unit::Ns,
                lead: Lead::None,
                crosses: false,
                peer: At::Latency("p99"),
                quark: At::Latency("p99"),
            },
            Figure {
                workload: "ask-cross",
                title: "ask across cores, p50",
                unit: Unit::Ns,
                lead: Lead::AheadOrLevel,
                crosses: true,
                peer: At::Figure("ask_ns"),
                quark: At::Latency("p50"),
            },
            Figure {
                workload: "ask-cross",
                title: "ask across cores, p99",
                unit: Unit::Ns,
                lead: Lead::None,
                crosses: true,
                peer: At::Latency("p99"),
                quark: At::Latency("p99"),
            },
            Figure {
                workload: "ask-cross",
                title: "asks across cores, 256 outstanding",
                unit: Unit::PerS,
                lead: Lead::Ahead,
                crosses: true,
                peer: At::Figure("asks_per_s_256"),
                quark: At::Figure("asks_per_s_256"),
            },
        ],
    },
    Group {
        title: "Telling",
        figures: &[
            Figure {
                workload: "tell-local",
                title: "messages on one core",
                unit: Unit::PerS,
                lead: Lead::Twice,
                crosses: false,
                peer: At::Figure("messages_per_s"),
                quark: At::Top("rate_per_s"),
            },
            Figure {
                workload: "tell-cross",
                title: "messages across cores",
                unit: Unit::PerS,
                lead: Lead::Twice,
                crosses: true,
                peer: At::Figure("messages_per_s"),
                quark: At::Top("rate_per_s"),
            },
            Figure {
                workload: "fan-in",
                title: "100 senders to 1 actor, across cores",
                unit: Unit::PerS,
                lead: Lead::Ahead,
                crosses: true,
                peer: At::Figure("messages_per_s"),
                quark: At::Top("rate_per_s"),
            },
            Figure {
                workload: "fan-in",
                title: "100 senders to 1 actor, on one core",
                unit: Unit::PerS,
                lead: Lead::Ahead,
                crosses: false,
                peer: At::Figure("local_messages_per_s"),
                quark: At::Figure("local_messages_per_s"),
            },
        ],
    },
    Group {
        title: "Fan-out",
        figures: &[
            Figure {
                workload: "fan-out",
                title: "asks to 1,000 actors on one core, 64 outstanding",
                unit: Unit::PerS,
                lead: Lead::Twice,
                crosses: false,
                peer: At::Figure("asks_per_s"),
                quark: At::Top("rate_per_s"),
            },
            Figure {
                workload: "fan-out",
                title: "asks to 1,000 actors across cores, 256 outstanding",
                unit: Unit::PerS,
                lead: Lead::Twice,
                crosses: true,
                peer: At::Figure("cross_asks_per_s"),
                quark: At::Figure("cross_asks_per_s_256"),
            },
        ],
    },
    Group {
        title: "Passing on",
        figures: &[
            Figure {
                workload: "ring",
                title: "hop in a ring of 100 actors on one core",
                unit: Unit::Ns,
                lead: Lead::Ahead,
                crosses: false,
                peer: At::Figure("hop_ns"),
                quark: At::Figure("hop_ns"),
            },
            Figure {
                workload: "ping-pong",
                title: "ping-pong across cores, a message",
                unit: Unit::Ns,
                lead: Lead::AheadOrLevel,
                crosses: true,
                peer: At::Figure("message_ns"),
                quark: At::Figure("message_ns"),
            },
            Figure {
                workload: "ping-pong",
                title: "ping-pong on one core, a message",
                unit: Unit::Ns,
                lead: Lead::Ahead,
                crosses: false,
                peer: At::Figure("local_message_ns"),
                quark: At::Figure("local_message_ns"),
            },
        ],
    },
    Group {
        title: "New actors, and idle ones",
        figures: &[
            Figure {
                workload: "activate",
                title: "first asks to new actors",
                unit: Unit::PerS,
                lead: Lead::TwiceByKey,
                crosses: false,
                peer: At::Figure("activations_per_s"),
                quark: At::Top("rate_per_s"),
            },
            Figure {
                workload: "activate",
                title: "memory of an idle actor beyond its state",
                unit: Unit::Bytes,
                lead: Lead::Twice,
                crosses: false,
                peer: At::Figure("bytes_per_idle_actor"),
                quark: At::Figure("bytes_per_idle_actor"),
            },
            Figure {
                workload: "idle",
                title: "processor time of an idle system, of one core",
                unit: Unit::Percent,
                lead: Lead::None,
                crosses: false,
                peer: At::Figure("cpu_percent"),
                quark: At::Figure("cpu_percent"),
            },
        ],
    },
];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn figure(title: &str) -> &'static Figure {
        all().find(|figure| figure.title == title).unwrap()
    }

    #[test]
    fn quark_and_its_peers_call_the_same_figure_by_their_names() {
        let quark = json!({
            "workload": "ask-cross",
            "rate_per_s": 5.0,
            "latency_ns": {"p50": 170, "p99": 210},
            "figures": {"batch_median_ns": 173.5, "asks_per_s_256": 2e7},
        });
        let peer = json!({
            "workload": "ask-cross",
            "latency_ns": {"p50": 1, "p99": 900},
            "figures": {"ask_ns": 300.0, "asks_per_s_256": 1e7},
        });
        let ask = figure("ask across cores, p50");
        assert_eq!(ask.of(&quark, true), Some(170.0));
        assert_eq!(ask.of(&peer, false), Some(300.0));
        let many = figure("asks across cores, 256 outstanding");
        assert_eq!(many.of(&quark, true), Some(2e7));
        assert_eq!(many.of(&peer, false), Some(1e7));
        let tell = figure("messages on one core");
        assert_eq!(tell.of(&quark, true), Some(5.0));
        assert_eq!(
            tell.of(&json!({"figures": {"messages_per_s": 4}}), false),
            Some(4.0)
        );
    }

    #[test]
    fn odd_lines_have_no_figures() {
        for line in [
            json!(null),
            json!([]),
            json!("x"),
            json!({"figures": 3, "latency_ns": null, "rate_per_s": "fast"}),
            json!({"figures": {"ask_ns": null, "messages_per_s": [1]}}),
        ] {
            for figure in all() {
                assert_eq!(figure.of(&line, false), None, "{line}");
                assert_eq!(figure.of(&line, true), None, "{line}");
            }
        }
    }

    #[test]
    fn ratios_are_above_one_where_quark_is_better() {
        let time = figure("ask on one core, median");
        assert_eq!(time.ratio(20.0, 100.0), Some(5.0));
        let rate = figure("messages on one core");
        assert_eq!(rate.ratio(50e6, 25e6), Some(2.0));
        assert_eq!(rate.ratio(50e6, 0.0), None);
        assert_eq!(time.ratio(0.0, 100.0), None);
        assert_eq!(time.ratio(0.0, 0.0), None);
    }

    #[test]
    fn figures_of_a_workload_stand_together() {
        let names = workloads();
        for name in &names {
            assert_eq!(
                names.iter().filter(|other| *other == name).count(),
                1,
                "{name}"
            );
        }
        assert_eq!(names.len(), 10);
    }
}
