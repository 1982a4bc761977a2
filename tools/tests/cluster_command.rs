//! `quark cluster` as a user runs it.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

const SOON: Duration = Duration::from_secs(30);

/// `quark cluster start` in a folder of its own. Killed with this, and all that it has started.
struct Cluster {
    folder: TempDir,
    process: Child,
}

impl Cluster {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder is made");
        let mut command = Command::new(env!("CARGO_BIN_EXE_quark"));
        command.args(["cluster", "start", "--load", "1"]);
        command.args(["--lease", "600", "--ask-every", "50", "--silence", "400"]);
        command.arg("--dir").arg(folder.path());
        command.stdout(Stdio::null());
        let process = command.spawn().expect("quark runs");
        let cluster = Cluster { folder, process };
        cluster.wait_for(|status| status.matches("serving").count() == 3);
        cluster
    }

    fn quark(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_quark"));
        command.arg("cluster").args(arguments);
        command.arg("--dir").arg(self.folder.path());
        command.output().expect("quark runs")
    }

    /// Waits until its status is so.
    fn wait_for(&self, is_so: impl Fn(&str) -> bool) {
        let until = Instant::now() + SOON;
        loop {
            let output = self.quark(&["status"]);
            let status = text(&output.stdout);
            if is_so(&status) {
                return;
            }
            let said = text(&output.stderr);
            assert!(Instant::now() < until, "{status}{said}{}", self.logs());
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn logs(&self) -> String {
        let files = fs::read_dir(self.folder.path()).into_iter().flatten();
        let paths = files.flatten().map(|file| file.path());
        let logs = paths.filter(|path| path.extension().is_some_and(|it| it == "log"));
        logs.filter_map(|path| fs::read_to_string(path).ok())
            .collect()
    }

    fn children(&self) -> Vec<String> {
        let id = self.process.id();
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children"));
        let children = children.expect("it runs");
        children.split_whitespace().map(str::to_owned).collect()
    }

    fn signal(&self, what: Signal) {
        kill_process(Pid::from_child(&self.process), what).expect("it is there");
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn nodes_are_killed_paused_and_ended_by_commands() {
    let mut cluster = Cluster::start();
    let again = cluster.quark(&["start"]);
    assert_eq!(again.status.code(), Some(2));
    assert!(text(&again.stderr).contains("runs in"), "{again:?}");
    let missing = cluster.quark(&["kill", "4"]);
    assert!(
        text(&missing.stderr).contains("they are 1 to 3"),
        "{missing:?}"
    );

    assert!(cluster.quark(&["kill", "2"]).status.success());
    // The others have taken over what it had.
    cluster.wait_for(|status| {
        cell(status, "node-2", 3) == Some("killed")
            && cell(status, "node-2", 4) == Some("0")
            && cell(status, "node-1", 4) == Some("32768")
            && cell(status, "node-3", 4) == Some("32768")
    });
    let twice = cluster.quark(&["kill", "2"]);
    assert!(
        text(&twice.stderr).contains("does not run: killed"),
        "{twice:?}"
    );

    assert!(cluster.quark(&["pause", "1"]).status.success());
    cluster.wait_for(|status| status.contains("paused"));
    assert!(cluster.quark(&["resume", "1"]).status.success());
    cluster.wait_for(|status| status.matches("serving").count() == 2);
    assert!(!cluster.quark(&["resume", "1"]).status.success());
    assert!(
        cluster
            .quark(&["pause", "3", "--for", "0.1"])
            .status
            .success()
    );
    cluster.wait_for(|status| status.matches("serving").count() == 2);

    let children = cluster.children();
    assert_eq!(children.len(), 3, "two nodes and a Redis: {children:?}");
    cluster.signal(Signal::TERM);
    let ended = cluster.process.wait().expect("it ends");
    assert!(ended.success(), "{ended}: {}", cluster.logs());
    assert!(children.iter().all(|child| is_gone(child)));
    assert_eq!(cluster.quark(&["status"]).status.code(), Some(2));
}

#[test]
fn nothing_outlives_a_cluster_that_is_killed() {
    let mut cluster = Cluster::start();
    assert!(cluster.quark(&["pause", "3"]).status.success());
    let children = cluster.children();
    assert_eq!(children.len(), 4, "three nodes and a Redis: {children:?}");
    cluster.process.kill().expect("it is killed");
    cluster.process.wait().expect("it ends");
    let until = Instant::now() + SOON;
    while !children.iter().all(|child| is_gone(child)) {
        assert!(Instant::now() < until, "{children:?}");
        thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(cluster.quark(&["status"]).status.code(), Some(2));
}

#[test]
fn without_a_redis_it_says_what_to_install() {
    let folder = tempfile::tempdir().expect("a folder is made");
    let mut command = Command::new(env!("CARGO_BIN_EXE_quark"));
    command
        .args(["cluster", "start", "--dir"])
        .arg(folder.path());
    let output = command
        .env("PATH", "/nowhere")
        .output()
        .expect("quark runs");
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("install the package redis-server"), "{said}");
}

/// What stands in the row of `node`, in the column of this number.
fn cell<'a>(status: &'a str, node: &str, column: usize) -> Option<&'a str> {
    let row = status.lines().find(|row| row.starts_with(node))?;
    row.split_whitespace().nth(column)
}

/// Whether a process has ended, be it that nobody has asked how.
fn is_gone(process: &str) -> bool {
    let stat = fs::read_to_string(Path::new("/proc").join(process).join("stat"));
    let state = stat.ok().and_then(|stat| {
        let (_, rest) = stat.rsplit_once(") ")?;
        rest.chars().next()
    });
    state.is_none_or(|state| state == 'Z')
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
