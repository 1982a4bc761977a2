//! The command line.

use std::path::PathBuf;

use clap::Parser;

use crate::figures;

/// Runs Quark and its peers by turns and writes RESULTS.md, results.svg and runs.jsonl.
#[derive(Clone, Debug, Parser)]
#[command(name = "peer-compare", max_term_width = 100)]
pub(crate) struct Options {
    /// The peers' programs.
    #[arg(value_name = "PROGRAM")]
    pub(crate) programs: Vec<PathBuf>,
    /// Quark's program.
    #[arg(long, value_name = "FILE", required_unless_present = "from")]
    pub(crate) quark: Option<PathBuf>,
    /// Times that everyone's turn comes.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) rounds: u32,
    /// Only these workloads, separated by commas.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = workload)]
    pub(crate) workloads: Vec<&'static str>,
    /// How long each of a workload's loops takes.
    #[arg(long, value_name = "S", default_value_t = 0.3, value_parser = seconds)]
    pub(crate) seconds: f64,
    /// After the first, no round is begun that would end later than this.
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u64).range(0..=1440))]
    pub(crate) minutes: u64,
    /// A process that takes longer is ended; a peer's is not tried again.
    #[arg(long, value_name = "S", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) limit: u64,
    /// Where the files go.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) out: PathBuf,
    /// Write the tables anew from an earlier run's runs.jsonl, and measure nothing.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["quark", "programs"])]
    pub(crate) from: Option<PathBuf>,
}

impl Options {
    /// The workloads asked for, in the tables' order.
    pub(crate) fn workloads(&self) -> Vec<&'static str> {
        let mut asked = figures::workloads();
        asked.retain(|name| self.workloads.is_empty() || self.workloads.contains(name));
        asked
    }
}

fn workload(name: &str) -> Result<&'static str, String> {
    let known = figures::workloads();
    let found = known.iter().find(|known| **known == name);
    found
        .copied()
        .ok_or_else(|| format!("no such workload; there are {}", known.join(", ")))
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(seconds @ 0.01..=60.0) => Ok(seconds),
        _ => Err("expected seconds from 0.01 to 60".to_owned()),
    }
}
