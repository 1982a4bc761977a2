//! What a killed process has acknowledged: a durable replay is killed at random moments, and every
//! event that it has acknowledged is in the book that is recovered from its log, which is what a
//! plain book makes of the same events.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use quark_bench::feed::{Event, Kind, Side, synthetic};
use quark_bench::rng::Rng;

/// The sequences of events, and their orders.
type Lines = BTreeMap<u64, u64>;

const LONGEST_MS: u64 = 400;
/// Events in the feed that is replayed, lap after lap.
const FEED: u64 = 20_000;

/// What is recovered from a log.
#[derive(Debug)]
struct Found {
    events: Lines,
    book: PlainBook,
}

/// A book by the simplest means.
#[derive(Debug, Default, PartialEq)]
struct PlainBook {
    /// Direction, shares and price of each order that rests.
    rests: BTreeMap<u64, (i8, u32, i64)>,
    trades: u64,
    shares: u64,
}

impl PlainBook {
    /// Of events, in their order; and the orders that were on it and are not any more.
    fn of(events: &[Event]) -> (Self, BTreeMap<u64, Kind>) {
        let (mut book, mut gone) = (PlainBook::default(), BTreeMap::new());
        for event in events {
            let Event {
                order,
                price,
                size,
                kind,
                side,
            } = *event;
            if matches!(kind, Kind::Execute | Kind::ExecuteHidden) {
                book.trades += 1;
                book.shares += u64::from(size);
            }
            let direction = if side == Side::Buy { 1 } else { -1 };
            match kind {
                Kind::New => {
                    book.rests.entry(order).or_insert((direction, size, price));
                }
                Kind::Delete => {
                    book.rests.insert(order, (direction, 0, price));
                }
                Kind::Cancel | Kind::Execute => {
                    if let Some(rests) = book.rests.get_mut(&order) {
                        rests.1 = rests.1.saturating_sub(size);
                    }
                }
                Kind::ExecuteHidden | Kind::Halt => {}
            }
            if book.rests.get(&order).is_some_and(|rests| rests.1 == 0) {
                book.rests.remove(&order);
                gone.insert(order, kind);
            }
        }
        (book, gone)
    }

    /// Of the lines that follow the events'.
    fn read(lines: &[&str]) -> Self {
        let mut book = PlainBook::default();
        for line in lines {
            let words: Vec<&str> = line.split(' ').collect();
            let number = |at: usize| words[at].parse().expect("a number");
            match words[0] {
                "order" => {
                    let price = words[4].parse().expect("a price");
                    let direction = words[2].parse().expect("a direction");
                    let size = u32::try_from(number(3)).expect("shares");
                    book.rests.insert(number(1), (direction, size, price));
                }
                "trades" => (book.trades, book.shares) = (number(1), number(2)),
                "tally" => {}
                other => panic!("a line of {other}"),
            }
        }
        book
    }
}

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
fn recovered(folder: &str, shards: &str) -> Found {
    let output = replay(&["--book", folder, "--shards", shards]).output();
    let output = output.expect("the program starts");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {stderr}", output.status);
    let text = String::from_utf8(output.stdout).expect("text");
    let found = lines(&text);
    let others: Vec<&str> = text.lines().skip(found.len()).collect();
    assert!(
        found.windows(2).all(|two| two[0].0 < two[1].0),
        "the book is in order"
    );
    Found {
        events: found.into_iter().collect(),
        book: PlainBook::read(&others),
    }
}

/// Holds what was recovered against `feed`: `firsts` has the first sequence of each replay. All that
/// was acknowledged has to be there, and the book has to be what a plain one is after the same
/// events.
fn is_right(found: &Found, acknowledged: &Lines, firsts: &[u64], feed: &[Event]) {
    let event_of = |sequence: u64| {
        let first = firsts.iter().rev().find(|first| **first <= sequence);
        let number = sequence - first.expect("a replay it is of");
        let at = (number % FEED) as usize;
        (at, &feed[at])
    };
    for (at, (sequence, order)) in found.events.iter().enumerate() {
        assert_eq!(*sequence, at as u64, "there are no gaps");
        assert_eq!(event_of(*sequence).1.order, *order, "event {sequence}");
    }
    for (sequence, order) in acknowledged {
        let there = found.events.get(sequence);
        assert_eq!(there, Some(order), "{sequence} was acknowledged");
    }
    let Some((last, _)) = found.events.last_key_value() else {
        return assert_eq!(found.book, PlainBook::default());
    };
    let (at, _) = event_of(*last);
    let (book, gone) = PlainBook::of(&feed[..=at]);
    assert_eq!(found.book, book, "after event {last}, {at} of its lap");
    let lap = last - at as u64;
    for (sequence, order) in acknowledged.range(lap..) {
        if event_of(*sequence).1.kind == Kind::New {
            let is_there = found.book.rests.contains_key(order) || gone.contains_key(order);
            assert!(is_there, "order {order} was acknowledged at {sequence}");
        }
    }
}

/// Replays, kills it, and gives what it has acknowledged until then.
fn killed(folder: &str, shards: &str, rng: &mut Rng) -> Vec<(u64, u64)> {
    let mut arguments = vec!["--durable", "--dir", folder, "--acks", "-"];
    let feed = format!("synthetic:{FEED}");
    arguments.extend(["--feed", &feed, "--seconds", "3600"]);
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
    let feed = synthetic::feed(FEED, 1).events;
    let (mut acknowledged, mut firsts) = (Lines::new(), Vec::new());
    let mut next = 0;
    let mut report = format!("QUARK_SEED={seed}, {kills} kills:");
    for kill in 0..kills {
        let shards = ["1", "2"][rng.below(2) as usize];
        let acks = killed(folder.path(), shards, &mut rng);
        report += &format!(" {}", acks.len());
        for (sequence, order) in acks {
            let before = acknowledged.insert(sequence, order);
            assert_eq!(before, None, "kill {kill}: {sequence} acknowledged twice");
        }
        firsts.push(next);
        let found = recovered(folder.path(), shards);
        let _ = writeln!(
            std::io::stderr(),
            "kill {kill}, seed {seed}: {} events",
            found.events.len()
        );
        is_right(&found, &acknowledged, &firsts, &feed);
        next = found.events.len() as u64;
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
        let book = recovered(&dir, "2").events;
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
