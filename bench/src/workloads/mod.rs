//! The workloads: one file each, in the field's terms.

pub mod activate;
pub(crate) mod actors;
pub mod ask_cross;
pub mod ask_local;
mod asks;
pub mod durable;
pub mod durable_servers;
pub mod fan_in;
pub mod fan_out;
pub mod game;
pub mod idle;
pub mod moves;
pub mod ping_pong;
pub mod port;
pub mod recover;
pub(crate) mod relay;
pub mod reminders;
pub mod remote_ask;
pub mod remote_load;
pub mod replay;
pub mod ring;
pub(crate) mod saves;
pub mod tell_cross;
pub mod tell_local;
pub mod timers;
pub mod wake;
pub mod workers;

use std::fmt;

use crate::cli::Options;
use crate::error::Error;
use crate::interrupt::Interrupt;
use crate::report::Report;

/// One thing to measure.
pub struct Workload {
    /// What it is called on the command line.
    pub name: &'static str,
    /// What it does, in a sentence.
    pub about: &'static str,
    /// What it counts, in the plural.
    pub unit: &'static str,
    /// What it is held against, in words.
    pub floor: Option<&'static str>,
    /// Runs it: floor, workload, floor. Ends early, with what was measured, once interrupted.
    pub run: fn(&Setup) -> Result<Report, Error>,
}

/// What a workload is given.
#[derive(Clone, Debug)]
pub struct Setup {
    /// What was asked for on the command line.
    pub options: Options,
    /// Set when the run should end.
    pub interrupt: Interrupt,
}

/// Runs of one workload at most, while its floor drifts.
const ATTEMPTS: usize = 3;
/// Nobody waits longer than this for a second attempt, in seconds.
const LONG: f64 = 10.0;

impl Workload {
    /// Whether it can be run: some are behind cargo features.
    #[must_use]
    pub fn is_built_in(&self) -> bool {
        match self.name {
            "durable-redis" => cfg!(feature = "redis"),
            "durable-postgres" => cfg!(feature = "postgres"),
            _ => true,
        }
    }

    /// Runs the workload, again where its floor was another after it than before: the cores of
    /// a rented machine move apart and together, and a figure held against the wrong distance
    /// means nothing.
    ///
    /// # Errors
    ///
    /// What the workload says.
    pub fn measure(&self, setup: &Setup) -> Result<Report, Error> {
        let mut report = (self.run)(setup)?;
        for _ in 1..ATTEMPTS {
            if !report.has_drifted() || report.seconds > LONG || setup.interrupt.is_set() {
                break;
            }
            report = (self.run)(setup)?;
        }
        Ok(report)
    }
}

/// Every workload of `run`, in the order they are listed and run.
pub const ALL: &[&Workload] = &[
    &ask_local::WORKLOAD,
    &ask_cross::WORKLOAD,
    &tell_local::WORKLOAD,
    &tell_cross::WORKLOAD,
    &fan_in::WORKLOAD,
    &fan_out::WORKLOAD,
    &ring::WORKLOAD,
    &ping_pong::WORKLOAD,
    &activate::WORKLOAD,
    &timers::WORKLOAD,
    &port::WORKLOAD,
    &wake::WORKLOAD,
    &workers::WORKLOAD,
    &idle::WORKLOAD,
    &moves::WORKLOAD,
    &durable::WORKLOAD,
    &durable::MEMORY,
    &durable_servers::REDIS,
    &durable_servers::POSTGRES,
    &recover::WORKLOAD,
    &reminders::WORKLOAD,
    &remote_ask::WORKLOAD,
    &remote_load::WORKLOAD,
];

/// The workload called `name`.
#[must_use]
pub fn find(name: &str) -> Option<&'static Workload> {
    ALL.iter().copied().find(|workload| workload.name == name)
}

impl fmt::Debug for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Workload").field(&self.name).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;
    use crate::cli::Idle;
    use crate::floors;
    use crate::report::Figure;
    use crate::report::tests::sample_between;

    /// A few units on shards that sleep, and may share a core.
    fn few(name: &str, options: Options) -> Report {
        let setup = Setup {
            options: Options {
                idle: Some(Idle::Park),
                oversubscribe: true,
                ..options
            },
            interrupt: Interrupt::default(),
        };
        let workload = find(name).unwrap();
        let report = workload.measure(&setup).unwrap();
        assert_eq!((report.workload, report.ground.idle), (name, Idle::Park));
        if let Some(floor) = &report.floor {
            let usual = match name {
                // Held against sleepers where it sleeps.
                "ask-cross" => Some(floors::Kind::Park.name()),
                _ => workload.floor,
            };
            assert_eq!(Some(floor.name), usual);
            assert!(report.ratio.is_some_and(|ratio| ratio > 0.0), "{report:?}");
        }
        report
    }

    fn count(count: u64) -> Options {
        Options {
            count: Some(count),
            ..Options::default()
        }
    }

    fn figure(report: &Report, name: &str) -> f64 {
        let found = report.figures.0.iter().find(|figure| figure.0 == name);
        match found {
            Some((_, Figure::Real(value))) => *value,
            other => panic!("{name} is {other:?}"),
        }
    }

    #[test]
    fn asks_are_all_answered_and_timed() {
        for name in ["ask-local", "ask-cross", "port", "remote-ask"] {
            let report = few(name, count(3_001));
            assert_eq!(report.count, 3_001);
            let latency = report.latency_ns.unwrap();
            assert!(latency.mean > 0.0 && latency.p50 <= latency.max, "{name}");
        }
    }

    #[test]
    fn a_schedule_is_kept() {
        for name in ["ask-local", "ask-cross", "port"] {
            let options = Options {
                rate: Some(10_000.0),
                ..count(500)
            };
            let report = few(name, options);
            assert_eq!(report.count, 500);
            // The last is due 49.9 ms after the first.
            assert!(report.seconds >= 0.049, "{name}: {report:?}");
            assert!(report.latency_ns.is_some());
        }
    }

    #[test]
    fn tells_all_arrive() {
        for name in ["tell-local", "tell-cross"] {
            assert_eq!(few(name, count(10_000)).count, 10_000);
        }
        let report = few("fan-in", count(10_000));
        assert_eq!(report.count, 10_000);
        assert!(figure(&report, "local_messages_per_s") > 0.0);
    }

    #[test]
    fn many_calls_outstanding_are_all_answered() {
        let report = few("fan-out", count(6_400));
        assert_eq!(report.count, 6_400);
        assert!(figure(&report, "cross_asks_per_s_256") > 0.0);
    }

    #[test]
    fn messages_are_passed_on_to_the_end_of_a_lap() {
        assert_eq!(few("ring", count(1_050)).count, 1_100);
        assert_eq!(few("ping-pong", count(999)).count, 1_000);
    }

    #[test]
    fn keys_are_activated_and_weighed() {
        let report = few("activate", count(20_000));
        assert_eq!(report.count, 20_000);
        assert!(figure(&report, "bytes_per_idle_actor") < 2_000.0);
    }

    #[test]
    fn timers_fire_after_they_are_due() {
        let report = few("timers", count(2_000));
        assert_eq!(report.count, 2_000);
        assert!(figure(&report, "arm_cancel_ns") > 0.0);
        // The engine has a few of its own.
        let armed = report.figures.0.iter().find(|figure| figure.0 == "armed");
        assert!(
            matches!(armed, Some((_, Figure::Count(1_000_000..1_000_100)))),
            "{armed:?}"
        );
    }

    #[test]
    fn workers_serve_all_calls_and_are_compared_with_one() {
        let report = few("workers", count(512));
        assert_eq!(report.count, 512);
        // A call takes 200 µs at least, whoever serves it.
        assert!(
            report
                .latency_ns
                .is_some_and(|latency| latency.p50 >= 200_000)
        );
        let alone = figure(&report, "alone_calls_per_s");
        assert!(
            alone <= 5_000.0 && alone * 2.0 < report.rate_per_s,
            "{report:?}"
        );
        let parts: Vec<_> = report.recorded.iter().map(|one| one.part).collect();
        assert_eq!(parts, [None, Some("alone")]);
        let options = Options {
            rate: Some(2_560.0),
            ..count(512)
        };
        // The last of two calls of each caller is due 100 ms after the first.
        assert!(few("workers", options).seconds >= 0.1);
    }

    #[test]
    fn saves_are_durable_and_loaded_again() {
        let report = few("durable", on_disk(count(640)));
        assert_eq!(report.count, 640);
        assert!(figure(&report, "load_p99_us") > 0.0);
        assert!((1.0..=64.0).contains(&figure(&report, "saves_per_batch")));
        assert!(report.floor.is_some());
        let report = few("durable-memory", count(640));
        assert!(report.count == 640 && report.floor.is_none());
    }

    #[cfg(any(feature = "redis", feature = "postgres"))]
    #[test]
    fn saves_on_servers_are_held_against_their_clients() {
        for name in [
            #[cfg(feature = "redis")]
            "durable-redis",
            #[cfg(feature = "postgres")]
            "durable-postgres",
        ] {
            let report = few(name, count(640));
            assert_eq!(report.count, 640);
            assert!(figure(&report, "load_p99_us") > 0.0);
            assert!(report.floor.is_some());
        }
    }

    #[test]
    fn a_load_is_kept_up_and_answered() {
        // Five parts of as many each, long enough for the CPU time of Redis, which is told by ticks.
        let report = few("remote-load", on_disk(count(60_003)));
        assert_eq!(report.count, 60_005);
        assert!(report.latency_ns.is_some_and(|latency| latency.p50 > 0));
        assert!(figure(&report, "calls_per_core_s") > 0.0);
        assert!(figure(&report, "tls_share") > 0.0);
        let redis = report.figures.0.iter().find(|figure| figure.0 == "redis");
        let Some((_, Figure::Text(redis))) = redis else {
            panic!("{redis:?}");
        };
        match &report.floor {
            Some(_) => assert!(redis.contains("appendonly no"), "{redis}"),
            None => assert!(redis.starts_with("not measured: "), "{redis}"),
        }
    }

    #[test]
    fn what_is_not_built_in_is_told() {
        for workload in [durable_servers::REDIS, durable_servers::POSTGRES] {
            let feature = workload.name.trim_start_matches("durable-");
            if !workload.is_built_in() {
                let setup = Setup {
                    options: Options::default(),
                    interrupt: Interrupt::default(),
                };
                let error = workload.measure(&setup).unwrap_err();
                assert!(error.to_string().contains(feature), "{error}");
                assert_eq!(error.exit_code(), 2);
            }
        }
    }

    /// In a folder that is certainly there.
    fn on_disk(options: Options) -> Options {
        Options {
            dir: Some(std::env::temp_dir()),
            ..options
        }
    }

    #[test]
    fn keys_are_recovered() {
        let report = few("recover", on_disk(count(2_000)));
        assert_eq!(report.count, 2_000);
        assert!(figure(&report, "launch_ms") > 0.0 && figure(&report, "empty_launch_ms") > 0.0);
    }

    #[test]
    fn reminders_are_all_called() {
        let options = Options {
            rate: Some(2_000.0),
            ..count(400)
        };
        let report = few("reminders", on_disk(options));
        assert_eq!(report.count, 400);
        // The last of 20 of each sleeper is due 190 ms after the first.
        assert!(report.seconds >= 0.19 && report.latency_ns.is_some());
    }

    #[test]
    fn sleepers_wake_and_idlers_idle() {
        let report = few("wake", count(20));
        assert_eq!(report.count, 20);
        assert!(report.seconds >= 0.02);
        let options = Options {
            seconds: Some(Duration::from_millis(200)),
            ..Options::default()
        };
        let report = few("idle", options);
        assert!(report.seconds >= 0.2 && figure(&report, "cpu_percent") < 400.0);
    }

    #[test]
    fn a_drifting_floor_is_measured_again() {
        const DRIFTING: Workload = Workload {
            run: |_| {
                RUNS.fetch_add(1, Ordering::Relaxed);
                let after = if RUNS.load(Ordering::Relaxed) == 2 {
                    101.0
                } else {
                    500.0
                };
                Ok(sample_between(100.0, after))
            },
            ..ask_cross::WORKLOAD
        };
        static RUNS: AtomicU64 = AtomicU64::new(0);
        let setup = Setup {
            options: Options::default(),
            interrupt: Interrupt::default(),
        };
        assert!(!DRIFTING.measure(&setup).unwrap().has_drifted());
        assert_eq!(RUNS.load(Ordering::Relaxed), 2);
        assert!(DRIFTING.measure(&setup).unwrap().has_drifted());
        assert_eq!(RUNS.load(Ordering::Relaxed), 5);
    }

    #[test]
    fn an_interrupted_run_ends_with_what_was_measured() {
        let setup = Setup {
            options: Options {
                idle: Some(Idle::Park),
                oversubscribe: true,
                dir: Some(std::env::temp_dir()),
                ..Options::default()
            },
            interrupt: Interrupt::default(),
        };
        setup.interrupt.set();
        for workload in ALL.iter().filter(|workload| workload.is_built_in()) {
            let report = (workload.run)(&setup).unwrap();
            assert_eq!(report.count, 0, "{}", workload.name);
            assert!(
                report
                    .figures
                    .0
                    .contains(&("interrupted", Figure::Flag(true)))
            );
        }
    }

    #[test]
    fn the_workloads_of_the_contract_are_all_here() {
        let names: Vec<&str> = ALL.iter().map(|workload| workload.name).collect();
        assert_eq!(
            names,
            [
                "ask-local",
                "ask-cross",
                "tell-local",
                "tell-cross",
                "fan-in",
                "fan-out",
                "ring",
                "ping-pong",
                "activate",
                "timers",
                "port",
                "wake",
                "workers",
                "idle",
                "moves",
                "durable",
                "durable-memory",
                "durable-redis",
                "durable-postgres",
                "recover",
                "reminders",
                "remote-ask",
                "remote-load",
            ]
        );
    }

    #[test]
    fn names_find_their_workload() {
        for workload in ALL {
            assert_eq!(
                find(workload.name).map(|found| found.name),
                Some(workload.name)
            );
        }
        assert!(find("replay").is_none());
    }

    #[test]
    fn about_and_unit_are_fit_to_print() {
        for Workload {
            name, about, unit, ..
        } in ALL
        {
            assert!(about.ends_with('.') && about.len() < 90, "{name}");
            assert!(unit.ends_with('s'), "{name}");
        }
    }
}
