//! A node's process, as the one that has started it sees it.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::figures::Figures;
use super::process::{is_paused, signal, wait_or_kill};
use super::table::{Row, State};

/// One node.
pub(super) struct Member {
    number: u16,
    name: String,
    child: Child,
    /// What it has printed since.
    printed: Receiver<(Instant, Figures)>,
    latest: Option<(Instant, Figures)>,
    calls_per_second: f64,
    is_told_to_end: bool,
    ended: Option<(Instant, String)>,
}

/// Figures older than this are not its own any more.
const FRESH: Duration = Duration::from_secs(2);

impl Member {
    /// Starts `command`, which prints figures; what else it says goes to `log`.
    pub(super) fn start(
        number: u16,
        name: String,
        mut command: Command,
        log: File,
    ) -> Result<Self, Box<dyn Error>> {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log);
        let mut child = command.spawn()?;
        let Some(stdout) = child.stdout.take() else {
            return Err("its output is not ours".into());
        };
        let (says, printed) = mpsc::channel();
        thread::Builder::new()
            .name(format!("reads {name}"))
            .spawn(move || {
                for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                    let Ok(figures) = serde_json::from_str(&line) else {
                        continue;
                    };
                    if says.send((Instant::now(), figures)).is_err() {
                        return;
                    }
                }
            })?;
        Ok(Member {
            number,
            name,
            child,
            printed,
            latest: None,
            calls_per_second: 0.0,
            is_told_to_end: false,
            ended: None,
        })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Takes in what has become of it.
    pub(super) fn look(&mut self) {
        while let Ok((at, figures)) = self.printed.try_recv() {
            if let Some((before, old)) = &self.latest {
                let calls = figures.calls.saturating_sub(old.calls) as f64;
                let seconds = at.duration_since(*before).as_secs_f64();
                // Those that were printed at once, after a pause, say nothing about speed.
                if seconds > 0.1 {
                    self.calls_per_second = calls / seconds;
                }
            }
            self.latest = Some((at, figures));
        }
        if self.ended.is_none()
            && let Ok(Some(status)) = self.child.try_wait()
        {
            self.ended = Some((Instant::now(), how(status)));
        }
    }

    /// Since when it is no more.
    pub(super) fn ended(&self) -> Option<Instant> {
        self.ended.as_ref().map(|(at, _)| *at)
    }

    /// What it said last of itself and the cluster.
    pub(super) fn figures(&self) -> Option<&Figures> {
        self.latest.as_ref().map(|(_, figures)| figures)
    }

    /// What is shown of it; `owners`: how many slots each node owns.
    pub(super) fn row(&self, owners: &BTreeMap<String, usize>) -> Row {
        let is_alive = self.ended.is_none();
        let fresh = self
            .latest
            .as_ref()
            .filter(|(at, _)| is_alive && at.elapsed() < FRESH);
        let process = is_alive.then(|| self.child.id());
        let is_serving = self.figures().is_some_and(Figures::is_ready);
        let state = match (&self.ended, process) {
            (Some((_, how)), _) => State::Ended(how.clone()),
            (_, Some(process)) if is_paused(process) => State::Paused,
            _ if self.is_told_to_end => State::Leaving,
            _ if self.latest.is_none() => State::Starting,
            _ if is_serving => State::Serving,
            _ => State::Waiting,
        };
        let address = self.figures().and_then(|figures| figures.addresses.first());
        Row {
            number: self.number,
            name: self.name.clone(),
            process,
            address: address.map(ToString::to_string),
            state,
            slots: owners.get(&self.name).copied().unwrap_or(0),
            calls_per_second: fresh.map_or(0.0, |_| self.calls_per_second),
            actors: fresh.map_or(0, |(_, figures)| figures.actors),
        }
    }

    /// Has it hand its slots over and end.
    pub(super) fn tell_to_end(&mut self) {
        if self.ended.is_none() {
            self.is_told_to_end = true;
            // One that is paused would hear nothing.
            for what in [Signal::TERM, Signal::CONT] {
                let _ = signal(self.child.id(), what);
            }
        }
    }

    /// Waits for its end, which comes by `deadline` at the latest. True if that was its own.
    pub(super) fn wait(&mut self, deadline: Instant) -> bool {
        wait_or_kill(&mut self.child, deadline).is_ok_and(|status| status.success())
    }
}

fn how(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(0), _) => "ended".to_owned(),
        (Some(code), _) => format!("failed with {code}: its log says why"),
        (None, Some(9)) => "killed".to_owned(),
        (None, signal) => format!("ended by signal {}", signal.unwrap_or(0)),
    }
}
