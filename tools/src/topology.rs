//! `quark topology`: the machine, and where shards would run on it.

use std::{error::Error, path::PathBuf, process::ExitCode, str::FromStr};

use clap::Args;
use quark_numa::{CpuList, Housekeeping, Topology};
use quark_tools::say;

/// What to place; without any option, what a launch does by itself.
#[derive(Args)]
pub(crate) struct Options {
    /// Place this many shards [default: one for each usable core].
    #[arg(long, value_name = "N")]
    shards: Option<usize>,

    /// Put shards on these cpus, such as 0-3,8.
    #[arg(long, value_name = "LIST")]
    cpus: Option<CpuList>,

    /// Put shards on the SMT siblings of cores too.
    #[arg(long)]
    smt: bool,

    /// Which cpu to leave free of shards.
    #[arg(long, value_name = "auto|none|CPU", default_value = "auto")]
    housekeeping: Keep,

    /// Let more shards than cores share them.
    #[arg(long)]
    oversubscribe: bool,

    /// Read a copy of another machine's /sys and /proc in this folder.
    #[arg(long, value_name = "FOLDER")]
    root: Option<PathBuf>,
}

#[derive(Clone, Copy)]
struct Keep(Housekeeping);

pub(crate) fn run(options: &Options) -> Result<ExitCode, Box<dyn Error>> {
    let mut machine = match &options.root {
        Some(root) => Topology::from_root(root)?,
        None => Topology::detect()?,
    };
    machine = machine
        .skip_smt(!options.smt)
        .housekeeping(options.housekeeping.0)
        .oversubscribe(options.oversubscribe);
    if let Some(shards) = options.shards {
        machine = machine.shards(shards);
    }
    if let Some(cpus) = &options.cpus {
        machine = machine.cpus(cpus.iter());
    }
    say(&format!("{machine}\n"))?;
    say(&machine.place()?.to_string())?;
    Ok(ExitCode::SUCCESS)
}

impl FromStr for Keep {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self(Housekeeping::Auto)),
            "none" => Ok(Self(Housekeeping::None)),
            cpu => cpu
                .parse()
                .map(|cpu| Self(Housekeeping::Cpu(cpu)))
                .map_err(|_| "write auto, none or the number of a cpu".to_owned()),
        }
    }
}
