//! How far the rounds have come, on standard error.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use crate::contender::Contender;
use crate::figures;

pub(crate) struct Progress {
    begun: Instant,
    done: usize,
    all: usize,
    /// A terminal gets one line that changes; a file gets one a workload.
    terminal: bool,
    last: String,
}

/// Besides the timed loops: to start, to warm up, to end, to measure the floor.
const AROUND_S: f64 = 0.25;
/// A million actors, twice; two idle seconds.
const SLOW_S: f64 = 4.0;

impl Progress {
    pub(crate) fn begin(turns: &[(u32, &str)], contenders: usize, seconds: f64) -> Self {
        let usual = |workload| match figures::is_slow(workload) {
            true => SLOW_S,
            false => AROUND_S + seconds * f64::from(figures::loops(workload)),
        };
        let round: f64 = turns.iter().map(|(_, workload)| usual(workload)).sum();
        eprintln!(
            "== {} runs of {contenders} set-ups: about {}",
            turns.len() * contenders,
            minutes(Duration::from_secs_f64(round * contenders as f64)),
        );
        Progress {
            begun: Instant::now(),
            done: 0,
            all: turns.len() * contenders,
            terminal: io::stderr().is_terminal(),
            last: String::new(),
        }
    }

    /// The next run.
    pub(crate) fn next(&mut self, round: u32, workload: &str, contender: &Contender) {
        let step = format!("round {round}, {workload}");
        let share = self.done as f64 / self.all.max(1) as f64;
        let left = match self.done {
            0 => String::new(),
            _ => {
                let left = self.begun.elapsed().as_secs_f64() * (1.0 / share - 1.0);
                format!(", {} left", minutes(Duration::from_secs_f64(left)))
            }
        };
        let percent = share * 100.0;
        if self.terminal {
            let who = contender.title();
            eprint!("\r\x1b[K{percent:3.0} %{left}: {step}, {who}");
            let _ = io::stderr().flush();
        } else if self.last != step {
            eprintln!("{percent:3.0} %{left}: {step}");
        }
        self.last = step;
        self.done += 1;
    }

    /// Says what went wrong; the table will say it too.
    pub(crate) fn trouble(&self, workload: &str, contender: &Contender, why: &str) {
        self.clear();
        eprintln!("{}, {workload}: {why}", contender.title());
    }

    /// Says that there is no time for this round.
    pub(crate) fn cut_short(&self, round: u32) {
        self.clear();
        eprintln!("== no time for round {round} and later; --minutes gives more");
    }

    pub(crate) fn end(&self) {
        self.clear();
        eprintln!("== done in {}", minutes(self.begun.elapsed()));
    }

    fn clear(&self) {
        if self.terminal {
            eprint!("\r\x1b[K");
        }
    }
}

fn minutes(time: Duration) -> String {
    let seconds = time.as_secs();
    format!("{} min {:02} s", seconds / 60, seconds % 60)
}
