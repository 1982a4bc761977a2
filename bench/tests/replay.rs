//! The main job as a user meets it: what comes out is the same however it is run.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use quark_bench::bbo;
use quark_bench::feed::{Source, source};
use serde_json::Value;

fn quark_bench(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quark-bench"));
    command
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Runs a replay, which must succeed, and gives its report.
fn replay(arguments: &[&str]) -> Value {
    let mut all = vec!["replay", "--format", "json", "--oversubscribe"];
    all.extend(arguments);
    reported(quark_bench(&all).output().expect("the program starts"))
}

fn reported(output: Output) -> Value {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {stderr}", output.status);
    assert_eq!(stderr, "");
    let text = String::from_utf8(output.stdout).expect("text");
    assert_eq!(text.lines().count(), 1, "{text}");
    serde_json::from_str(&text).expect("a JSON object")
}

/// A file that is removed when the test ends.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
        Scratch(folder.join(format!("replay-{}-{name}", std::process::id())))
    }

    fn path(&self) -> &str {
        self.0.to_str().expect("a plain path")
    }

    fn text(&self) -> String {
        std::fs::read_to_string(&self.0).expect("the program has written it")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// What the feed's changes are when its events are applied one after the other, without actors.
fn expected(source: &Source) -> String {
    let feed = source.load(1, false).expect("the feed loads");
    let mut text = Vec::new();
    let (log, _) = bbo::replay(&feed);
    log.write(&feed, &mut text).expect("memory can be written");
    String::from_utf8(text).expect("text")
}

/// Replays one lap and a bit with every number of shards, idle policy and pace, and compares.
fn comes_out_the_same(name: &str, feed: &str, events: u64, expected: &str) -> Value {
    let count = (events + events / 3).to_string();
    let mut last = Value::Null;
    for shards in ["1", "2"] {
        for (idle, rate) in [("spin", None), ("park", None), ("adaptive", Some("200000"))] {
            let bbo = Scratch::new(&format!("{name}-{shards}-{idle}"));
            let mut arguments = vec!["--feed", feed, "--shards", shards, "--idle", idle];
            arguments.extend(["--bbo", bbo.path(), "--count", &count]);
            arguments.extend(rate.iter().flat_map(|rate| ["--rate", rate]));
            last = replay(&arguments);
            // Not assert_eq: a difference would print both, whole.
            assert!(bbo.text() == expected, "{arguments:?}: {last}");
            assert_eq!(last["count"].to_string(), count);
            assert_eq!(last["shards"].to_string(), shards);
            assert_eq!(last["idle"], idle);
            assert_eq!(last["figures"]["laps"], 2);
            assert_eq!(last["figures"]["crossed"], 0);
            assert_eq!(last["figures"]["refused"], 0);
            let latency = &last["latency_ns"];
            assert!(latency["p50"].as_u64() > Some(0), "{last}");
            assert!(
                latency["p50"].as_u64() <= latency["p999"].as_u64(),
                "{last}"
            );
        }
    }
    last
}

#[test]
fn a_made_up_feed_comes_out_the_same_however_it_is_run() {
    let expected = expected(&Source::Synthetic(30_000));
    assert!(expected.lines().count() > 1_000);
    comes_out_the_same("made-up", "synthetic:30000", 30_000, &expected);
}

#[test]
fn the_real_feed_comes_out_the_same_however_it_is_run() {
    let known = "AAPL_2012-06-21_34200000_37800000_message_50.csv";
    let Some(path) = source::find().filter(|path| path.ends_with(known)) else {
        // Said on stderr, since a test that quietly passes elsewhere would mislead.
        let note = "the real feed is not here (QUARK_LOBSTER, shared/data/lobster)\n";
        std::io::stderr().write_all(note.as_bytes()).unwrap();
        return;
    };
    let expected = expected(&Source::File(path.clone()));
    assert_eq!(expected.lines().count(), 23_457);
    let feed = path.to_str().expect("a plain path");
    let report = comes_out_the_same("real", feed, 91_997, &expected);
    assert_eq!(report["figures"]["bbo_changes"], 23_457);
    assert_eq!(report["figures"]["unknown_orders"], 84);
}

#[test]
fn a_feed_shorter_than_the_window_goes_round() {
    let report = replay(&["--feed", "synthetic:3", "--count", "1000"]);
    assert_eq!(report["count"], 1_000);
    assert_eq!(report["figures"]["laps"], 334);
}

#[test]
fn a_cut_feed_ends_where_it_is_cut() {
    let bbo = Scratch::new("cut");
    let report = replay(&[
        "--feed",
        "synthetic:5000",
        "--count",
        "1234",
        "--bbo",
        bbo.path(),
    ]);
    assert_eq!(
        (&report["count"], &report["figures"]["laps"]),
        (&1_234.into(), &1.into())
    );
    let whole = expected(&Source::Synthetic(5_000));
    let cut = bbo.text();
    assert!(whole.starts_with(&cut) && cut.lines().count() > 100 && cut.len() < whole.len());
}

#[test]
fn time_ends_a_run_too() {
    let report = replay(&["--feed", "synthetic:1000", "--seconds", "0.3"]);
    let seconds = report["seconds"].as_f64().expect("a number");
    assert!((0.29..30.0).contains(&seconds), "{report}");
    // Open loop: no more than the schedule has, at whatever speed.
    let paced = replay(&[
        "--feed",
        "synthetic:1000",
        "--seconds",
        "0.3",
        "--rate",
        "1000",
    ]);
    let count = paced["count"].as_u64().expect("a number") as f64;
    let seconds = paced["seconds"].as_f64().expect("a number");
    assert!(count >= 1.0 && count <= seconds * 1_000.0 + 2.0, "{paced}");
}

#[test]
fn odd_events_are_counted_and_malformed_lines_skipped_if_asked() {
    let feed = Scratch::new("odd");
    let lines = "34200.1,1,1,10,100,1\n\
                 34200.2,9,2,10,100,1\n\
                 34200.3,1,2,10,110,-1\n\
                 nonsense\n\
                 34200.4,3,99,10,100,1\n\
                 34200.5,1,3,4000000000,100,1\n";
    std::fs::write(&feed.0, lines).expect("the folder is writable");
    let bbo = Scratch::new("odd-bbo");
    let report = replay(&[
        "--feed",
        feed.path(),
        "--lenient",
        "--count",
        "4",
        "--bbo",
        bbo.path(),
    ]);
    let figures = &report["figures"];
    assert_eq!(figures["skipped_lines"], 2);
    assert_eq!(figures["unknown_orders"], 1);
    // Four billion shares pass no risk check.
    assert_eq!(figures["refused"], 1);
    assert_eq!(bbo.text(), "34200.1,,,100,10\n34200.3,110,10,100,10\n");
}

#[test]
fn people_get_the_launch_report_and_a_table() {
    let output = quark_bench(&["replay", "--feed", "synthetic:1000", "--count", "1000"]).output();
    let output = output.expect("the program starts");
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).expect("text");
    let driver = std::env::var("QUARK_DRIVER").unwrap_or_else(|_| "uring".into());
    for said in [
        "shard 0: ",
        "idle: ",
        &format!("driver: {driver}"),
        "feed: synthetic",
        "events/s",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
}

#[test]
fn an_engine_that_cannot_be_is_refused_in_one_line() {
    for (arguments, said) in [
        (&["--shards", "4096"][..], "4096"),
        (&["--shards", "0"], "at least 1 shard"),
        (&["--cpus", "60000"], "60000"),
        (&["--cpus", ""], "cpu"),
        (&["--cpus", "x"], "neither a cpu number nor a range"),
        (
            &["--bbo", "/nonexistent/bbo.csv"],
            "cannot write /nonexistent/bbo.csv",
        ),
    ] {
        let mut all = vec!["replay", "--feed", "synthetic:10"];
        all.extend(arguments);
        let output = quark_bench(&all).env("RUST_BACKTRACE", "1").output();
        let output = output.expect("the program starts");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {stderr}");
        assert_eq!(output.stdout, b"", "{arguments:?}");
        assert_eq!(stderr.lines().count(), 1, "{arguments:?}: {stderr}");
        assert!(
            stderr.starts_with("quark-bench: ") && stderr.contains(said),
            "{arguments:?}: {stderr}"
        );
    }
}

/// Presses Ctrl-C on a run that would take an hour, once it is under way.
fn interrupted(arguments: &[&str]) -> Output {
    let mut all = vec!["replay", "--feed", "synthetic:2000", "--seconds", "3600"];
    all.extend(arguments);
    let mut child = quark_bench(&all).spawn().expect("the program starts");
    let began = Instant::now();
    // The launch report is printed when all is up, just before the replay.
    let mut begin = Vec::new();
    let stdout = child.stdout.as_mut().expect("a pipe");
    let mut byte = [0];
    while !begin.ends_with(b"\n\n") {
        assert_eq!(stdout.read(&mut byte).expect("a pipe"), 1, "{begin:?}");
        begin.extend(byte);
    }
    std::thread::sleep(Duration::from_millis(200));
    press_ctrl_c(&child);
    let output = child.wait_with_output().expect("the program ends");
    assert!(began.elapsed() < Duration::from_secs(60));
    output
}

fn press_ctrl_c(child: &Child) {
    let pid = rustix::process::Pid::from_child(child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("it runs");
}

#[test]
fn ctrl_c_ends_a_run_with_what_was_measured() {
    for arguments in [
        &["--shards", "1"][..],
        &["--idle", "park", "--rate", "2000"],
        &["--rate", "0.001"],
    ] {
        let Output {
            status,
            stdout,
            stderr,
        } = interrupted(arguments);
        let text = String::from_utf8_lossy(&stdout);
        assert!(status.success(), "{arguments:?}: {status}");
        assert_eq!(stderr, b"", "{arguments:?}");
        assert!(text.contains("interrupted yes"), "{arguments:?}: {text}");
        assert!(text.contains("events in"), "{arguments:?}: {text}");
    }
}
