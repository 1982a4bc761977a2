use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

use quark::{CallError, Client, Time};
use quark_tools::cluster::Counter;
use quark_tools::cluster::history::{Kind, Op, check};

/// While this goes on, no call may fail.
pub(crate) const ROLLING: &str = "restarted one after another";

const KEYS: u64 = 200;
const SOON: Duration = Duration::from_secs(30);

/// Threads that add to counters, and remember what they were told.
pub(crate) struct Callers {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<Told>>,
}

struct Shared {
    begun: Instant,
    is_over: AtomicBool,
    done: AtomicU64,
    phase: Mutex<&'static str>,
    /// By the phase in which the call began, and what it was told.
    failed: Mutex<BTreeMap<(&'static str, String), u64>>,
    /// The longest that a call has taken, by the phase in which it began.
    longest: Mutex<BTreeMap<&'static str, Duration>>,
}

/// What one caller was told, by counter.
#[derive(Default)]
struct Told {
    tallies: BTreeMap<u64, Tally>,
    ops: BTreeMap<u64, Vec<Op>>,
}

/// What one caller knows of one counter.
#[derive(Clone, Copy, Default)]
struct Tally {
    acknowledged: u64,
    unknown: u64,
    last: u64,
}

impl Callers {
    pub(crate) fn start(client: Client) -> Self {
        let shared = Arc::new(Shared {
            begun: Instant::now(),
            is_over: AtomicBool::new(false),
            done: AtomicU64::new(0),
            phase: Mutex::new("calm"),
            failed: Mutex::default(),
            longest: Mutex::default(),
        });
        let callers = match std::env::var_os("QUARK_FULL") {
            Some(_) => 24,
            None => 6,
        };
        let threads = (1..=callers).map(|caller| {
            let (client, shared) = (client.clone(), shared.clone());
            thread::spawn(move || call(&client, &shared, caller))
        });
        let threads = threads.collect();
        Callers { shared, threads }
    }

    /// What the nodes go through from now on.
    pub(crate) fn phase(&self, phase: &'static str) {
        *self.shared.phase.lock().expect("no panic") = phase;
    }

    /// Waits until so many more calls have been answered.
    pub(crate) fn wait_for(&self, calls: u64) {
        let goal = self.shared.done.load(Ordering::Relaxed) + calls;
        let until = Instant::now() + SOON;
        while self.shared.done.load(Ordering::Relaxed) < goal {
            let failed = self.shared.failed.lock().expect("no panic").clone();
            assert!(
                Instant::now() < until,
                "nothing is answered any more: {failed:#?}"
            );
            thread::sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn so_far(&self) -> String {
        let done = self.shared.done.load(Ordering::Relaxed);
        let failed = self.shared.failed.lock().expect("no panic");
        let longest = self.shared.longest.lock().expect("no panic");
        format!("{done} done, failed: {failed:#?}, longest: {longest:#?}")
    }

    /// Ends them, and compares what they were told with what there is.
    pub(crate) fn end_and_check(self, client: &Client) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        let mut all = BTreeMap::<u64, Tally>::new();
        let mut ops = BTreeMap::<u64, Vec<Op>>::new();
        for caller in self.threads {
            let told = caller.join().expect("results of a caller rise");
            for (key, told) in told.tallies {
                let tally = all.entry(key).or_default();
                tally.acknowledged += told.acknowledged;
                tally.unknown += told.unknown;
            }
            for (key, more) in told.ops {
                ops.entry(key).or_default().extend(more);
            }
        }
        assert_eq!(all.len() as u64, KEYS);
        for (key, told) in all {
            let counter = client.actor::<Counter>(key);
            let began = self.shared.now();
            let value = counter.count().wait().expect("all is calm now");
            let ops = ops.entry(key).or_default();
            ops.push(Op {
                kind: Kind::Read(value),
                began,
                ended: self.shared.now(),
            });
            if let Err(why) = check(ops) {
                panic!("counter {key}: {why}");
            }
            let Tally {
                acknowledged,
                unknown,
                ..
            } = told;
            assert!(
                (acknowledged..=acknowledged + unknown).contains(&value),
                "counter {key} is {value}; {acknowledged} were acknowledged, {unknown} are unknown"
            );
        }
        let failed = self.shared.failed.lock().expect("no panic");
        let rolling = failed.iter().filter(|((phase, _), _)| *phase == ROLLING);
        let rolling: Vec<_> = rolling.collect();
        assert!(rolling.is_empty(), "{rolling:#?}");
    }
}

impl Shared {
    fn now(&self) -> Time {
        let nanos = self.begun.elapsed().as_nanos();
        Time::from_nanos(u64::try_from(nanos).expect("a test is shorter"))
    }
}

fn call(client: &Client, shared: &Shared, caller: u64) -> Told {
    let mut all = Told::default();
    let mut random = caller;
    while !shared.is_over.load(Ordering::Relaxed) {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let key = (random >> 33) % KEYS;
        let phase = *shared.phase.lock().expect("no panic");
        let began = shared.now();
        let outcome = client.actor::<Counter>(key).add(1).wait();
        let ended = shared.now();
        let took = ended.since(began);
        let kind = match &outcome {
            Ok(count) => Kind::Added(*count),
            Err(error) if error.never_ran() => Kind::Nothing,
            Err(_) => Kind::Unknown,
        };
        let op = Op { kind, began, ended };
        all.ops.entry(key).or_default().push(op);
        let mut longest = shared.longest.lock().expect("no panic");
        let most = longest.entry(phase).or_default();
        *most = took.max(*most);
        drop(longest);
        let tally = all.tallies.entry(key).or_default();
        match outcome {
            Ok(count) => {
                assert!(
                    count > tally.last,
                    "counter {key}: {count} after {}",
                    tally.last
                );
                tally.last = count;
                tally.acknowledged += 1;
                shared.done.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) => {
                tally.unknown += u64::from(!error.never_ran());
                note(shared, phase, &error);
                if phase == ROLLING {
                    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
                    let now = now.unwrap_or_default().as_secs_f64();
                    eprintln!("{now:.3} counter {key} failed after {took:?}: {error:?}");
                }
                thread::sleep(Duration::from_millis(5));
            }
        }
    }
    all
}

fn note(shared: &Shared, phase: &'static str, error: &CallError) {
    let mut failed = shared.failed.lock().expect("no panic");
    let kind = format!("{error:?}").chars().take(160).collect();
    *failed.entry((phase, kind)).or_default() += 1;
}
