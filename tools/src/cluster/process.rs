//! Processes that end with the one that started them, however that ends.

use std::error::Error;
use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{self, Command, ExitCode, ExitStatus};
use std::time::{Duration, Instant};
use std::{fs, thread};

use clap::Args;
use rustix::process::{
    Pid, Signal, getppid, kill_process, set_parent_process_death_signal, test_kill_process,
};

/// `quark leashed`: becomes another program, which is killed when whoever started it ends.
#[derive(Args)]
pub struct Leashed {
    /// Who starts it.
    #[arg(long)]
    parent: i32,
    /// What to become, and its arguments.
    #[arg(trailing_var_arg = true, required = true, allow_hyphen_values = true)]
    command: Vec<OsString>,
}

/// A command that runs `program` on the leash of the calling thread: both end together. It gets no
/// signals of the terminal; `quark` is this very program.
///
/// The kernel offers that to a process itself only, and keeps it over `exec`: hence the detour.
pub fn leashed(quark: &Path, program: impl Into<OsString>) -> Command {
    let mut command = Command::new(quark);
    command.args(["leashed", "--parent", &process::id().to_string(), "--"]);
    command.arg(program.into()).process_group(0);
    command
}

/// Runs `quark leashed`.
///
/// # Errors
/// If the program can't be run; there is no other end.
pub fn become_leashed(leashed: &Leashed) -> Result<ExitCode, Box<dyn Error>> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    // It may have ended before.
    if getppid().map(Pid::as_raw_pid) != Some(leashed.parent) {
        return Err("whoever started this has ended already".into());
    }
    let Some((program, arguments)) = leashed.command.split_first() else {
        return Err("no program to become".into());
    };
    let error = Command::new(program).args(arguments).exec();
    Err(format!("{}: {error}", program.display()).into())
}

/// Sends a signal; false if there is no such process.
pub(super) fn signal(process: u32, signal: Signal) -> io::Result<bool> {
    let Some(pid) = pid(process) else {
        return Ok(false);
    };
    match kill_process(pid, signal) {
        Ok(()) => Ok(true),
        Err(rustix::io::Errno::SRCH) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Whether it runs, or is stopped, and can be signalled.
pub(super) fn is_alive(process: u32) -> bool {
    pid(process).is_some_and(|pid| test_kill_process(pid).is_ok())
}

/// Whether SIGSTOP has stopped it.
pub(super) fn is_paused(process: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // The name in parentheses may hold anything.
    let state = stat.rsplit_once(')').map(|(_, rest)| rest.trim_start());
    state.is_some_and(|state| state.starts_with('T'))
}

/// Whether `argument` is among those that it was started with. A number is given again to others.
pub(super) fn was_started_with(process: u32, argument: &str) -> bool {
    let arguments = fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
    let mut arguments = arguments.split(|byte| *byte == 0);
    arguments.any(|one| one == argument.as_bytes())
}

/// Waits until a child ends; kills it if it does not by `deadline`.
pub(super) fn wait_or_kill(
    child: &mut process::Child,
    deadline: Instant,
) -> io::Result<ExitStatus> {
    const LOOK_EVERY: Duration = Duration::from_millis(10);
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        thread::sleep(LOOK_EVERY);
    }
    child.kill()?;
    child.wait()
}

fn pid(process: u32) -> Option<Pid> {
    i32::try_from(process).ok().and_then(Pid::from_raw)
}
