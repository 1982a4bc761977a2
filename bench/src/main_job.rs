//! The main job, `quark-bench` without a command: the machine, the replay with its launch
//! report, then the latency table of every workload.

use std::io::{self, Write};

use crate::cli::{Format, Replay};
use crate::error::Error;
use crate::interrupt::Interrupt;
use crate::machine::{Machine, Steal};
use crate::output::Output;
use crate::workloads::{ALL, Setup, replay};

/// Runs it.
///
/// A workload that the machine is too small for is said so on stderr and left out.
///
/// # Errors
///
/// When the feed or the output cannot be used, no engine will launch at all, or a measurement
/// fails.
pub fn run(asked: &Replay, interrupt: &Interrupt, out: &mut impl Write) -> Result<(), Error> {
    let setup = Setup {
        options: asked.options.clone(),
        interrupt: interrupt.clone(),
    };
    let text = asked.options.format == Format::Text;
    let steal = Steal::begin();
    if text {
        writeln!(out, "{}", Machine::read())?;
        out.flush()?;
    }
    let report = replay::replay(asked, &setup, out)?;
    let mut output = Output::new(asked.options.format, &mut *out);
    output.report(&report)?;
    for workload in ALL {
        if interrupt.is_set() {
            break;
        }
        match workload.measure(&setup) {
            Ok(report) => output.report(&report)?,
            Err(too_small @ (Error::Launch(_) | Error::Usage(_))) => {
                writeln!(io::stderr(), "{}: {too_small}", workload.name)?;
            }
            Err(error) => return Err(error),
        }
    }
    if text {
        let Machine { load, .. } = Machine::read();
        let stolen = steal.percent();
        writeln!(
            out,
            "\nload {load:.2} at the end, {stolen:.1} % of the time stolen"
        )?;
    }
    Ok(out.flush()?)
}
