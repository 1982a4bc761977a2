//! The machine a figure was taken on, and how disturbed it was meanwhile.

use std::fmt;
use std::fs;

/// What to write beside a figure.
#[derive(Clone, Debug, PartialEq)]
pub struct Machine {
    /// The processor's model name.
    pub cpu: String,
    /// The kernel's release.
    pub kernel: String,
    /// Processors this process may run on.
    pub cpus: usize,
    /// Load average over one minute.
    pub load: f64,
}

impl Machine {
    /// Reads it; what the system will not say is "unknown" or 0.
    #[must_use]
    pub fn read() -> Self {
        let text = |path| fs::read_to_string(path).unwrap_or_default();
        Machine {
            cpu: cpu_model(&text("/proc/cpuinfo"))
                .unwrap_or("unknown")
                .to_owned(),
            kernel: match text("/proc/sys/kernel/osrelease").trim() {
                "" => "unknown".to_owned(),
                release => release.to_owned(),
            },
            cpus: std::thread::available_parallelism().map_or(0, usize::from),
            load: text("/proc/loadavg")
                .split_whitespace()
                .next()
                .and_then(|load| load.parse().ok())
                .unwrap_or(0.0),
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Machine {
            cpu,
            kernel,
            cpus,
            load,
        } = self;
        write!(f, "{cpu}, {cpus} cpus, Linux {kernel}, load {load:.2}")
    }
}

/// Measures how much CPU time the hypervisor kept from this machine.
#[derive(Clone, Copy, Debug)]
pub struct Steal(Ticks);

impl Steal {
    /// Begins to measure.
    #[must_use]
    pub fn begin() -> Self {
        Steal(now())
    }

    /// Percent of all processors' time that was stolen since.
    #[must_use]
    pub fn percent(&self) -> f64 {
        share(self.0, now())
    }
}

/// Clock ticks of all processors together since the machine started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Ticks {
    all: u64,
    stolen: u64,
}

fn now() -> Ticks {
    ticks(&fs::read_to_string("/proc/stat").unwrap_or_default())
}

fn share(from: Ticks, to: Ticks) -> f64 {
    let all = to.all.saturating_sub(from.all);
    let stolen = to.stolen.saturating_sub(from.stolen);
    if all == 0 {
        0.0
    } else {
        100.0 * stolen as f64 / all as f64
    }
}

/// `cpu user nice system idle iowait irq softirq steal guest guest_nice`; the guests' time is in
/// user and nice already.
fn ticks(stat: &str) -> Ticks {
    let first = stat.lines().next().unwrap_or_default();
    let columns = first
        .strip_prefix("cpu ")
        .unwrap_or_default()
        .split_whitespace();
    let mut ticks = Ticks::default();
    for (index, column) in columns.take(8).enumerate() {
        let column = column.parse().unwrap_or(0);
        ticks.all = ticks.all.saturating_add(column);
        if index == 7 {
            ticks.stolen = column;
        }
    }
    ticks
}

fn cpu_model(cpuinfo: &str) -> Option<&str> {
    let line = cpuinfo
        .lines()
        .find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steal_is_the_eighth_column() {
        let from = ticks("cpu  100 0 50 800 10 0 0 40 5 0\ncpu0 1 2 3\n");
        assert_eq!(
            from,
            Ticks {
                all: 1_000,
                stolen: 40
            }
        );
        let to = ticks("cpu  150 0 50 840 10 0 0 50 5 0\n");
        assert!((share(from, to) - 10.0).abs() < 1e-9);
        assert_eq!(share(to, to), 0.0);
    }

    #[test]
    fn odd_files_are_no_trouble() {
        assert_eq!(ticks(""), Ticks::default());
        assert_eq!(ticks("cpu x y"), Ticks::default());
        assert_eq!(cpu_model("processor: 0\n"), None);
        assert_eq!(cpu_model("model name\t: Epyc 9 \n"), Some("Epyc 9"));
    }

    #[test]
    fn this_machine_is_read() {
        let machine = Machine::read();
        assert!(machine.cpus >= 1);
        assert_ne!(machine.kernel, "unknown");
        assert!((0.0..=100.0).contains(&Steal::begin().percent()));
    }
}
