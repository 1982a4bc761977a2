//! The workloads: one file each, in the field's terms.

pub mod activate;
pub(crate) mod actors;
pub mod ask_cross;
pub mod ask_local;
mod asks;
pub mod fan_in;
pub mod fan_out;
pub mod idle;
pub mod ping_pong;
pub mod port;
pub(crate) mod relay;
pub mod replay;
pub mod ring;
pub mod tell_cross;
pub mod tell_local;
pub mod timers;
pub mod wake;

use std::fmt;

use crate::cli::Options;
use crate::error::Error;
use crate::floors;
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
    /// What it is held against.
    pub floor: Option<floors::Kind>,
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
    &idle::WORKLOAD,
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

/// Stands where a workload waits for the engine.
fn pending(_: &Setup) -> Result<Report, Error> {
    Err(Error::Launch(
        "this build has no engine to measure".to_owned(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

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
                "idle",
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
