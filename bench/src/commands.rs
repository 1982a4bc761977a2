//! What each command does, in order.

use std::cell::LazyCell;
use std::io::{self, Write};

use crate::cli::{Command, Replay};
use crate::error::Error;
use crate::interrupt::Interrupt;
#[cfg(feature = "redis")]
use crate::launch::launch_error;
use crate::load::{command, serve};
use crate::main_job;
use crate::output::Output;
use crate::records::{self, Records};
use crate::workloads::{self, Setup, game, replay};

/// Carries a command out.
pub(crate) fn run(command: &Command) -> Result<(), Error> {
    // A node takes signals over itself.
    let interrupt = &LazyCell::new(Interrupt::on_ctrl_c);
    let mut out = io::stdout().lock();
    match command {
        Command::Main => main_job::run(&Replay::default(), interrupt, &mut out),
        Command::List => list(&mut out),
        Command::Replay(asked) => replay::command(asked, interrupt, &mut out),
        Command::Run(asked) => {
            let mut records = Records::new(&asked.options)?;
            let mut output = Output::new(asked.options.format, out);
            let setup = Setup {
                options: asked.options.clone(),
                interrupt: Interrupt::clone(interrupt),
            };
            for workload in &asked.workloads {
                if interrupt.is_set() {
                    break;
                }
                let report = workload.measure(&setup)?;
                output.report(&report)?;
                records.take(&report)?;
            }
            records.finish()
        }
        Command::Game(asked) => game::command(asked, interrupt, &mut out),
        Command::Serve(asked) => serve::command(asked, interrupt, &mut out),
        Command::Load(asked) => command::command(asked, interrupt, &mut out),
        #[cfg(feature = "redis")]
        Command::Node(asked) => quark_tools::cluster::run_node(asked)
            .map(drop)
            .map_err(launch_error),
        Command::Plot(asked) => records::plot(asked),
    }
}

fn list(out: &mut impl Write) -> Result<(), Error> {
    for workload in workloads::ALL {
        writeln!(out, "{:<16} {}", workload.name, workload.about)?;
        let floor = workload.floor.map(|floor| format!("; floor: {floor}"));
        writeln!(
            out,
            "                 counts {}{}",
            workload.unit,
            floor.unwrap_or_default()
        )?;
        if !workload.is_built_in() {
            writeln!(out, "                 not built in")?;
        }
    }
    writeln!(
        out,
        "\ncommands of their own: replay, the main job (quark-bench replay --help), game, a \
         world of players (quark-bench game --help), and serve and load, remote-load by two \
         processes (quark-bench load --help)"
    )?;
    Ok(out.flush()?)
}
