//! The program as a user meets it: what it prints, where, and how it exits.

use std::path::PathBuf;
use std::process::{Command, Output};

fn quark_bench(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_quark-bench"))
        .args(arguments)
        .output()
        .expect("the program starts")
}

/// Bad input: one clear line on stderr, nothing on stdout, exit code 2, no backtrace.
fn refused(arguments: &[&str], said: &str) {
    let Output {
        status,
        stdout,
        stderr,
    } = Command::new(env!("CARGO_BIN_EXE_quark-bench"))
        .args(arguments)
        .env("RUST_BACKTRACE", "1")
        .output()
        .expect("the program starts");
    let stderr = String::from_utf8_lossy(&stderr);
    assert_eq!(status.code(), Some(2), "{arguments:?}: {stderr}");
    assert_eq!(stdout, b"", "{arguments:?}");
    assert_eq!(stderr.lines().count(), 1, "{arguments:?}: {stderr}");
    assert!(
        stderr.starts_with("quark-bench: ") && stderr.contains(said),
        "{stderr}"
    );
}

struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str, text: &[u8]) -> Self {
        let path = std::env::temp_dir().join(format!("quark-bench-{}-{name}", std::process::id()));
        std::fs::write(&path, text).expect("the temporary folder is writable");
        Scratch(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().expect("a plain path")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn list_names_every_workload() {
    let Output { status, stdout, .. } = quark_bench(&["list"]);
    assert!(status.success());
    let text = String::from_utf8(stdout).expect("text");
    for name in [
        "ask-local",
        "ask-cross",
        "tell-local",
        "tell-cross",
        "fan-in",
        "fan-out",
        "ring",
        "ping-pong",
        "activate",
        "timers",
        "port",
        "wake",
        "workers",
        "idle",
        "moves",
        "durable",
        "durable-memory",
        "durable-redis",
        "durable-postgres",
        "recover",
        "reminders",
    ] {
        assert!(
            text.lines()
                .any(|line| line.split(' ').next() == Some(name)),
            "{name}: {text}"
        );
    }
}

#[test]
fn a_small_world_is_played_and_measured() {
    let mut arguments = vec!["game", "--players", "300", "--count", "10", "--rate", "100"];
    arguments.extend(["--shards", "2", "--oversubscribe", "--format", "json"]);
    let output = quark_bench(&arguments);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("a JSON object");
    assert_eq!(
        (&report["workload"], &report["count"]),
        (&"game".into(), &10.into())
    );
    assert_eq!(report["figures"]["players"], 300);
    assert!(report["latency_ns"]["p999"].as_u64() > Some(0), "{report}");
    assert!(
        report["figures"]["crossings_per_s"].as_f64() > Some(0.0),
        "{report}"
    );
}

#[test]
fn help_goes_to_stdout() {
    let Output {
        status,
        stdout,
        stderr,
    } = quark_bench(&["--help"]);
    assert!(status.success());
    assert!(String::from_utf8_lossy(&stdout).contains("replay"));
    assert_eq!(stderr, b"");
}

#[test]
fn bad_flags_are_refused() {
    refused(&["--bogus"], "unexpected argument '--bogus'");
    refused(&["run", "ring", "--shards", "0"], "at least 1 shard");
    refused(&["run", "rign"], "a similar value exists: 'ring'");
    refused(
        &["replay", "--feed", "synthetic:0"],
        "a number of events from 1",
    );
}

#[test]
fn a_feed_that_cannot_be_read_is_refused() {
    refused(
        &["replay", "--feed", "/nonexistent/feed.csv"],
        "cannot read the feed",
    );
    refused(&["replay", "--feed", "/"], "cannot read the feed /");
}

#[test]
fn a_malformed_feed_is_refused_with_its_line() {
    let feed = Scratch::new("malformed", b"34200.1,1,1,10,100,1\n34200.2,9,2,10,100,1\n");
    refused(
        &["replay", "--feed", feed.path()],
        "line 2, column 9: expected an event type",
    );
    let empty = Scratch::new("empty", b"");
    refused(&["replay", "--feed", empty.path()], "holds no events");
    let bytes: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    let garbage = Scratch::new("garbage", &bytes);
    refused(
        &["replay", "--feed", garbage.path()],
        "line 1, column 1: expected a time",
    );
}

#[test]
fn two_processes_serve_and_load() {
    use std::io::{BufRead, BufReader};
    use std::process::Stdio;

    for is_shielded in [false, true] {
        let authority = Scratch::new("ca.pem", b"");
        let mut arguments = vec!["serve", "--listen", "127.0.0.1:0", "--idle", "park"];
        if is_shielded {
            arguments.extend(["--tls-ca-out", authority.path()]);
        }
        let mut server = Command::new(env!("CARGO_BIN_EXE_quark-bench"))
            .args(&arguments)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut line = String::new();
        let mut said = BufReader::new(server.stdout.take().expect("it is piped"));
        said.read_line(&mut line).expect("it says where it is");
        let (_, at) = line.split_once("serves at ").expect("where it is");
        let (at, _) = at.split_once(';').expect("how it ends");
        let mut arguments = vec!["load", "--connect", at, "--count", "2000"];
        arguments.extend(["--connections", "5", "--format", "json"]);
        if is_shielded {
            arguments.extend(["--tls-ca", authority.path()]);
        }
        let Output {
            status,
            stdout,
            stderr,
        } = quark_bench(&arguments);
        assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
        let told: serde_json::Value = serde_json::from_slice(&stdout).expect("JSON");
        assert_eq!(told["count"], 2_000);
        assert!(told["latency_ns"]["p50"].as_u64() > Some(0), "{told}");
        let id = rustix::process::Pid::from_child(&server);
        rustix::process::kill_process(id, rustix::process::Signal::INT).expect("it is there");
        assert!(server.wait().expect("it ends").success());
    }
}

#[test]
fn a_server_that_is_not_there_is_told() {
    let Output { status, stderr, .. } = quark_bench(&["load", "--connect", "127.0.0.1:1"]);
    assert_eq!(status.code(), Some(1));
    let stderr = String::from_utf8_lossy(&stderr);
    assert!(
        stderr.contains("the connection to the server failed"),
        "{stderr}"
    );
    refused(
        &[
            "load",
            "--connect",
            "127.0.0.1:1",
            "--tls-ca",
            "no-such.pem",
        ],
        "no-such.pem",
    );
}
