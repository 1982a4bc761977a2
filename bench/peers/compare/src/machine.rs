//! The machine, and how disturbed it was.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::process;

/// What to write beside figures.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Machine {
    pub(crate) cpu: String,
    pub(crate) kernel: String,
    pub(crate) cores: usize,
    pub(crate) load: f64,
}

impl Machine {
    pub(crate) fn read() -> Self {
        let kernel = read("/proc/sys/kernel/osrelease");
        Machine {
            cpu: cpu_model(&read("/proc/cpuinfo")),
            kernel: kernel.trim().to_owned(),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            load: load(),
        }
    }
}

/// Load average over one minute; 0 if the system does not say.
pub(crate) fn load() -> f64 {
    let text = read("/proc/loadavg");
    let first = text.split_whitespace().next();
    first.and_then(|load| load.parse().ok()).unwrap_or(0.0)
}

/// Time that the machine's host kept for itself, since this began.
pub(crate) struct Steal {
    begun: (u64, u64),
}

impl Steal {
    pub(crate) fn begin() -> Self {
        Steal {
            begun: ticks(&read("/proc/stat")),
        }
    }

    /// Of all cores' time.
    pub(crate) fn percent(&self) -> f64 {
        let (all, stolen) = ticks(&read("/proc/stat"));
        let all = all.saturating_sub(self.begun.0);
        let stolen = stolen.saturating_sub(self.begun.1);
        if all == 0 {
            return 0.0;
        }
        stolen as f64 / all as f64 * 100.0
    }
}

/// What a tool says of its version.
pub(crate) fn version(tool: &str, arguments: &[&str]) -> String {
    let said = process::first_line(Path::new(tool), arguments, Duration::from_secs(20));
    said.unwrap_or_else(|_| "unknown".to_owned())
}

/// Ticks of all cores since the start, and those stolen: the eighth column of the first line. The
/// two after it are counted in others already.
fn ticks(stat: &str) -> (u64, u64) {
    let first = stat.lines().next().unwrap_or_default();
    let columns = first.split_whitespace().skip(1).take(8);
    let columns: Vec<u64> = columns.map(|text| text.parse().unwrap_or(0)).collect();
    let all = columns
        .iter()
        .fold(0, |sum: u64, one| sum.saturating_add(*one));
    (all, columns.get(7).copied().unwrap_or(0))
}

fn cpu_model(cpuinfo: &str) -> String {
    let field = |name: &str| {
        let mut lines = cpuinfo.lines();
        let line = lines.find(|line| line.split(':').next().map(str::trim) == Some(name))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    match (field("model name"), field("cpu family"), field("model")) {
        (Some(name), Some(family), Some(model)) => {
            format!("{name} (family {family}, model {model})")
        }
        (Some(name), ..) => name,
        _ => "unknown processor".to_owned(),
    }
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stolen_time_is_the_eighth_column() {
        assert_eq!(
            ticks("cpu  100 0 50 800 10 0 0 40 5 0\ncpu0 1"),
            (1_000, 40)
        );
        assert_eq!(ticks(""), (0, 0));
        assert_eq!(ticks("cpu x y"), (0, 0));
    }

    #[test]
    fn a_processor_has_a_name() {
        let text = "model\t\t: 2\nmodel name\t: AMD EPYC\ncpu family\t: 26\n";
        assert_eq!(cpu_model(text), "AMD EPYC (family 26, model 2)");
        assert_eq!(cpu_model("model name: X\n"), "X");
        assert_eq!(cpu_model(""), "unknown processor");
    }
}
