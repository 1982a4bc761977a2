//! A program run to its end, or to the end of one's patience.

use std::io::{self, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

/// No program has more to say than this.
const MOST_OUTPUT: u64 = 1 << 20;
/// From the end of its output to its own.
const LEAVING: Duration = Duration::from_secs(3);
/// Of a complaint, as much as a footnote holds.
const LONGEST_COMPLAINT: usize = 120;

/// The first line that a program prints, or in a few words why there is none.
///
/// Nothing runs here meanwhile: the cores are the program's.
pub(crate) fn first_line(
    program: &Path,
    arguments: &[impl AsRef<std::ffi::OsStr>],
    patience: Duration,
) -> Result<String, String> {
    let begun = Instant::now();
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("did not start: {error}"))?;
    let output = gathered(child.stdout.take());
    let complaints = gathered(child.stderr.take());
    let said = match output.recv_timeout(patience) {
        Ok(said) => said,
        Err(RecvTimeoutError::Timeout) => {
            end(&mut child);
            return Err(format!("timed out after {} s", patience.as_secs()));
        }
        Err(RecvTimeoutError::Disconnected) => String::new(),
    };
    let left = patience.saturating_sub(begun.elapsed()).min(LEAVING);
    let status = leave(&mut child, left).map_err(|error| format!("was lost: {error}"))?;
    match status {
        None => Err("did not end".to_owned()),
        Some(status) if !status.success() => {
            let complaint = complaints.recv_timeout(LEAVING).unwrap_or_default();
            Err(format!("failed: {}", gist(&complaint, status)))
        }
        Some(_) => match said.lines().find(|line| !line.trim().is_empty()) {
            Some(line) => Ok(line.to_owned()),
            None => Err("said nothing".to_owned()),
        },
    }
}

/// What a pipe gives until it closes, read beside us, so that neither waits for the other.
fn gathered(pipe: Option<impl Read + Send + 'static>) -> Receiver<String> {
    let (whole, gathered) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            // What was read before an error is still worth having.
            let _ = pipe.by_ref().take(MOST_OUTPUT).read_to_end(&mut bytes);
            // A program must not wait for a full pipe.
            let _ = io::copy(&mut pipe, &mut io::sink());
        }
        let _ = whole.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    gathered
}

/// Waits for the end of a child whose output has ended; ends it if that takes long.
fn leave(
    child: &mut Child,
    patience: Duration,
) -> Result<Option<std::process::ExitStatus>, io::Error> {
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if begun.elapsed() > patience {
            end(child);
            return Ok(None);
        }
        thread::sleep(Duration::from_millis(1));
    }
}

fn end(child: &mut Child) {
    // It may have ended by itself just now.
    let _ = child.kill();
    let _ = child.wait();
}

/// The first line of a complaint that says something.
fn gist(complaint: &str, status: std::process::ExitStatus) -> String {
    let lines = complaint.lines().map(str::trim);
    let mut lines = lines.filter(|line| !line.is_empty() && !line.starts_with("note:"));
    let first = lines.next().unwrap_or_default();
    // Of a panic, the place comes first, then what happened.
    let said = match (first.contains(" panicked at "), lines.next()) {
        (true, Some(second)) => second,
        _ => first,
    };
    if said.is_empty() {
        return status.to_string();
    }
    said.chars().take(LONGEST_COMPLAINT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHELL: &str = "/bin/sh";

    fn shell(script: &str, patience: Duration) -> Result<String, String> {
        first_line(Path::new(SHELL), &["-c", script], patience)
    }

    #[test]
    fn the_first_line_is_what_counts() {
        let said = shell("echo; echo one; echo two", LEAVING);
        assert_eq!(said.as_deref(), Ok("one"));
    }

    #[test]
    fn failures_say_why() {
        assert_eq!(shell("true", LEAVING).unwrap_err(), "said nothing");
        let failed = shell("echo half; echo no such mode >&2; exit 2", LEAVING);
        assert_eq!(failed.unwrap_err(), "failed: no such mode");
        let panicked = shell(
            "echo \"thread 'main' panicked at x.rs:1:\" >&2; echo lost >&2; exit 1",
            LEAVING,
        );
        assert_eq!(panicked.unwrap_err(), "failed: lost");
        let none = first_line(Path::new("/nowhere/none"), &[""; 0], LEAVING);
        assert!(none.unwrap_err().starts_with("did not start"));
    }

    #[test]
    fn nobody_is_waited_for_without_end() {
        let begun = Instant::now();
        let slow = shell("exec sleep 30", Duration::from_millis(200));
        assert!(slow.unwrap_err().starts_with("timed out"));
        let silent = shell("exec >&- 2>&-; exec sleep 30", Duration::from_millis(300));
        assert_eq!(silent.unwrap_err(), "did not end");
        assert!(begun.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn a_torrent_does_not_stop_anyone() {
        let said = shell(
            "echo first; head -c 3000000 /dev/zero",
            Duration::from_secs(20),
        );
        assert_eq!(said.as_deref(), Ok("first"));
    }
}
