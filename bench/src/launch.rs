//! From the command line to a running engine.

use quark::{Engine, EngineBuilder, IdlePolicy, LaunchReport, Topology};

use crate::cli::{Idle, Options};
use crate::error::Error;

/// The machine, as far as `options` allow to use it.
///
/// # Errors
///
/// [`Error::Launch`] when it can't be read.
pub fn topology(options: &Options) -> Result<Topology, Error> {
    let topology = Topology::detect().map_err(launch_error)?;
    let topology = topology.oversubscribe(options.oversubscribe);
    Ok(match &options.cpus {
        Some(cpus) => topology.cpus(cpus.iter()),
        None => topology,
    })
}

/// A builder of what `options` ask for, on `topology`.
#[must_use = "nothing runs until it is launched"]
pub fn builder(topology: Topology, idle: Option<Idle>, options: &Options) -> EngineBuilder {
    let builder = Engine::builder().topology(topology).seed(options.seed);
    match idle {
        None => builder,
        Some(Idle::Spin) => builder.idle(IdlePolicy::Spin),
        Some(Idle::Adaptive) => builder.idle(IdlePolicy::ADAPTIVE),
        Some(Idle::Park) => builder.idle(IdlePolicy::Park),
    }
}

/// The idle policy that is in use.
#[must_use]
pub fn idle_of(report: &LaunchReport) -> Idle {
    match report.idle {
        IdlePolicy::Spin => Idle::Spin,
        IdlePolicy::Adaptive { .. } => Idle::Adaptive,
        IdlePolicy::Park => Idle::Park,
    }
}

/// The engine's or the machine's refusal, as this program's.
pub fn launch_error(error: impl std::fmt::Display) -> Error {
    Error::Launch(error.to_string())
}
