//! What a killed process has acknowledged: a durable replay is killed at random moments, and every
//! event that it has acknowledged is in the book that is recovered from its log.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use quark_bench::rng::Rng;

/// The sequences of events, and their orders.
type Lines = BTreeMap<u64, u64>;

const LONGEST_MS: u64 = 400;

fn replay(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quark-bench"));
    command
        .args(["replay", "--oversubscribe", "--format", "json"])
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// A folder that is removed when the test ends well.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
        let folder = folder.join(format!("durable-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("the folder is writable");
        Folder(folder)
    }

    fn path(&self) -> &str {
        self.0.to_str().expect("a plain path")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }
}

/// The whole lines of `text` that are of two numbers; the last may have been cut off.
fn lines(text: &str) -> Vec<(u64, u64)> {
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let pair = |line: &str| {
        let (sequence, order) = line.split_once(' ')?;
        Some((sequence.parse().ok()?, order.parse().ok()?))
    };
    whole.lines().filter_map(pair).collect()
}

/// What the log in `folder` has accepted, recovered on so many shards.
fn recovered(folder: &str, shards: &str) -> Lines {
    let output = replay(&["--book", folder, "--shards", shards]).output();
    let output = output.expect("the program starts");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {stderr}", output.status);
    let text = String::from_utf8(output.stdout).expect("text");
    let found = lines(&text);
    assert_eq!(found.len(), text.lines().count(), "nothing but entries");
    assert!(
        found.windows(2).all(|two| two[0].0 < two[1].0),
        "the book is in order"
    );
    found.into_iter().collect()
}

/// Replays, kills it, and gives what it has acknowledged until then.
fn killed(folder: &str, shards: &str, rng: &mut Rng) -> Vec<(u64, u64)> {
    let mut arguments = vec!["--durable", "--dir", folder, "--acks", "-"];
    arguments.extend(["--feed", "synthetic:20000", "--seconds", "3600"]);
    arguments.extend(["--shards", shards]);
    let mut child = replay(&arguments).spawn().expect("the program starts");
    let mut stdout = child.stdout.take().expect("a pipe");
    let (first, first_came) = std::sync::mpsc::channel();
    let reader = std::thread::spawn(move || {
        let mut text = Vec::new();
        let mut some = [0; 4_096];
        loop {
            match stdout.read(&mut some).expect("a pipe") {
                0 => return text,
                len => text.extend(&some[..len]),
            }
            let _ = first.send(());
        }
    });
    // Some die while they recover, most while they replay.
    if !rng.chance(1, 4) {
        let _ = first_came.recv_timeout(Duration::from_secs(60));
    }
    std::thread::sleep(Duration::from_millis(rng.below(LONGEST_MS)));
    child.kill().expect("it runs");
    let mut stderr = String::new();
    let mut pipe = child.stderr.take().expect("a pipe");
    pipe.read_to_string(&mut stderr).expect("text");
    let status = child.wait().expect("it was started");
    assert_eq!(status.code(), None, "it ended by itself: {stderr}");
    let text = reader.join().expect("the reader does not panic");
    lines(&String::from_utf8_lossy(&text))
}

#[test]
fn what_was_acknowledged_is_in_the_book_after_a_kill() {
    let full = std::env::var_os("QUARK_FULL").is_some();
    let kills = if full { 50 } else { 3 };
    let seed = std::env::var("QUARK_SEED").ok();
    let seed = seed.and_then(|seed| seed.parse().ok()).unwrap_or(1);
    let mut rng = Rng::new(seed);
    let folder = Folder::new("kills");
    let mut acknowledged = Lines::new();
    let mut report = format!("QUARK_SEED={seed}, {kills} kills:");
    for kill in 0..kills {
        let shards = ["1", "2"][rng.below(2) as usize];
        let acks = killed(folder.path(), shards, &mut rng);
        report += &format!(" {}", acks.len());
        for (sequence, order) in acks {
            let before = acknowledged.insert(sequence, order);
            assert_eq!(before, None, "kill {kill}: {sequence} acknowledged twice");
        }
        let book = recovered(folder.path(), shards);
        for (sequence, order) in &acknowledged {
            assert_eq!(
                book.get(sequence),
                Some(order),
                "kill {kill}, seed {seed}: {sequence} was acknowledged"
            );
        }
    }
    assert!(acknowledged.len() > 100, "{report}");
    let _ = writeln!(std::io::stderr(), "{report} events acknowledged");
}

#[test]
fn a_replay_goes_on_where_the_last_ended() {
    let folder = Folder::new("goes-on");
    let dir = folder.path().to_owned() + "/log";
    let acks = folder.path().to_owned() + "/acks";
    for part in 0..2_u64 {
        let mut arguments = vec!["--durable", "--dir", &dir, "--acks", &acks];
        arguments.extend(["--feed", "synthetic:3000", "--count", "1000"]);
        let output = replay(&arguments).output().expect("the program starts");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{stderr}");
        let report: serde_json::Value =
            serde_json::from_slice(&output.stdout).expect("a JSON object");
        assert_eq!(report["figures"]["durable"], true, "{report}");
        assert_eq!(report["figures"]["first_sequence"], part * 1_000);
        let text = std::fs::read_to_string(&acks).expect("acknowledgements");
        let told: Vec<u64> = lines(&text).into_iter().map(|line| line.0).collect();
        assert_eq!(told, Vec::from_iter(part * 1_000..(part + 1) * 1_000));
        let book = recovered(&dir, "2");
        assert_eq!(book.len() as u64, (part + 1) * 1_000);
        assert!(lines(&text).iter().all(|line| book[&line.0] == line.1));
    }
}

#[test]
fn a_book_that_is_not_there_is_refused() {
    let output = replay(&["--book", "/nonexistent/log"]).output();
    let output = output.expect("the program starts");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("cannot read /nonexistent/log"), "{stderr}");
}
