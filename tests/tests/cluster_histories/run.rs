//! One run: nodes, clients that call them, and what goes wrong meanwhile.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ops::AddAssign;
use std::rc::Rc;
use std::time::Duration;

use quark::testing::{SimCluster, SimOptions};
use quark::{CallError, Client, Engine, Time};

use quark_tools::cluster::history::{Kind, Op, check};

use super::actors::Counter;
use super::faults::{FaultCounts, Nodes};
use super::store;

/// How long calls wait.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long faults go on.
const FAULTS: Duration = Duration::from_secs(12);
/// How long the cluster may take to be whole again once they have stopped.
const HEALS_WITHIN: Duration = Duration::from_secs(15);
/// Every run is as long as this at least.
const PASSES_LEAST: u64 = 10_000;
const KEYS: u64 = 12;
/// Clients are nodes of these numbers.
const CLIENTS: [u16; 2] = [100, 101];
const WORKERS: u64 = 4;

/// What has come of runs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Done {
    pub added: u64,
    pub read: u64,
    pub unknown: u64,
    pub never_ran: u64,
    pub passes: u64,
    pub healed_within_ms: u64,
    pub faults: FaultCounts,
}

impl AddAssign for Done {
    fn add_assign(&mut self, other: Self) {
        self.added += other.added;
        self.read += other.read;
        self.unknown += other.unknown;
        self.never_ran += other.never_ran;
        self.passes += other.passes;
        self.healed_within_ms = self.healed_within_ms.max(other.healed_within_ms);
        self.faults += other.faults;
    }
}

/// What callers have seen, each with its key.
#[derive(Default)]
struct History {
    ops: RefCell<Vec<(u64, Op)>>,
    stops: Cell<bool>,
}

pub fn run(seed: u64) -> Done {
    store::begin();
    let options = SimOptions {
        shards: 1 + (seed % 2) as u16,
        ..SimOptions::default()
    };
    let mut world = SimCluster::new(seed, options);
    let mut nodes = Nodes::new(&world);
    for node in 1..=nodes.count {
        nodes.launch(&mut world, node);
        world.run_for(Duration::from_millis(world.random() % 100));
    }
    let history = Rc::new(History::default());
    for (client, meets) in CLIENTS.into_iter().zip(1..) {
        let builder = Client::builder().timeout(PATIENCE);
        let at = SimCluster::addr(meets);
        world.connect(client, builder, at).expect("it launches");
        for worker in 0..WORKERS {
            start_worker(&world, client, worker, &history);
        }
    }
    for node in 1..=nodes.count {
        start_worker(&world, node, 0, &history);
    }
    let until = world.now() + FAULTS;
    while world.now() < until {
        world.run_for(Duration::from_millis(20 + world.random() % 300));
        if let Some(fresh) = nodes.strike(&mut world) {
            // Callers that live with what they call.
            start_worker(&world, fresh, 0, &history);
        }
    }
    nodes.mend_all(&mut world);
    let mended = world.now();
    while !nodes.are_whole(&world) {
        world.run_for(Duration::from_millis(20));
        assert!(
            world.now().since(mended) < HEALS_WITHIN,
            "it does not heal: {:#?}",
            (1..=nodes.count)
                .map(|node| world.status(node))
                .collect::<Vec<_>>()
        );
    }
    let healed = world.now().since(mended);
    world.run_for(Duration::from_millis(500));
    history.stops.set(true);
    // What still waits is answered by then.
    world.run_for(PATIENCE + Duration::from_secs(1));
    let answered = Rc::strong_count(&history) == 1;
    assert!(answered, "a call was not answered within its deadline");
    read_all(&world, &history);
    if let Some(broken) = store::broken() {
        panic!("{broken}");
    }
    let passes = world.passes();
    assert!(passes >= PASSES_LEAST, "only {passes} passes");
    let mut done = Done {
        passes,
        healed_within_ms: u64::try_from(healed.as_millis()).unwrap_or(u64::MAX),
        faults: nodes.counts,
        ..Done::default()
    };
    for (key, ops) in &history.by_key() {
        if let Err(why) = check(ops) {
            let mut ops = ops.clone();
            ops.sort_by_key(|op| op.began);
            panic!("counter {key}: {why}\n{ops:#?}");
        }
        for op in ops {
            match op.kind {
                Kind::Added(_) => done.added += 1,
                Kind::Read(_) => done.read += 1,
                Kind::Unknown => done.unknown += 1,
                Kind::Nothing => done.never_ran += 1,
            }
        }
    }
    done
}

/// One who adds and reads until he is told to stop.
fn start_worker(world: &SimCluster, on: u16, worker: u64, history: &Rc<History>) {
    let is_client = CLIENTS.contains(&on);
    let engine = world.engine(on).expect("it runs").clone();
    let (clock, history) = (world.world().clone(), history.clone());
    let mut draw = world.random() ^ worker;
    world.spawn_on(on, 0, async move {
        while !history.stops.get() {
            draw = draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let (key, adds) = ((draw >> 33) % KEYS, !(draw >> 17).is_multiple_of(4));
            let (began, place) = (clock.now(), history.begin(key, adds, clock.now()));
            let outcome = call(&engine, key, adds).await;
            let ended = clock.now();
            // A node that stands still answers nobody in time.
            let is_late = ended.since(began) >= PATIENCE + Duration::from_millis(60);
            assert!(
                !is_client || !is_late,
                "a call has taken {:?}",
                ended.since(began)
            );
            history.end(place, adds, ended, outcome);
            quark::sleep(Duration::from_micros((draw >> 40) % 30_000)).await;
        }
    });
}

async fn call(engine: &Engine, key: u64, adds: bool) -> Result<u64, CallError> {
    let counter = engine.actor::<Counter>(key);
    if adds {
        counter.add().await
    } else {
        counter.read().await
    }
}

impl History {
    /// Somebody begins. If nobody ever says how it ended, that is unknown.
    fn begin(&self, key: u64, adds: bool, began: Time) -> usize {
        let mut all = self.ops.borrow_mut();
        let kind = if adds { Kind::Unknown } else { Kind::Nothing };
        let ended = Time::MAX;
        all.push((key, Op { kind, began, ended }));
        all.len() - 1
    }

    fn end(&self, place: usize, adds: bool, ended: Time, outcome: Result<u64, CallError>) {
        let (_, op) = &mut self.ops.borrow_mut()[place];
        op.ended = ended;
        op.kind = match outcome {
            Ok(count) if adds => Kind::Added(count),
            Ok(count) => Kind::Read(count),
            Err(error) if error.never_ran() || !adds => Kind::Nothing,
            Err(_) => Kind::Unknown,
        };
    }

    /// What has happened to each counter.
    fn by_key(&self) -> BTreeMap<u64, Vec<Op>> {
        let mut keys: BTreeMap<u64, Vec<Op>> = BTreeMap::new();
        for (key, op) in &*self.ops.borrow() {
            keys.entry(*key).or_default().push(*op);
        }
        keys
    }
}

/// In the end every counter can be read, and says so much.
fn read_all(world: &SimCluster, history: &Rc<History>) {
    let engine = world.engine(CLIENTS[0]).expect("it runs").clone();
    let (clock, notes) = (world.world().clone(), history.clone());
    world.spawn_on(CLIENTS[0], 0, async move {
        for key in 0..KEYS {
            let place = notes.begin(key, false, clock.now());
            let read = call(&engine, key, false).await;
            assert!(
                read.is_ok(),
                "counter {key} can't be read in the end: {read:?}"
            );
            notes.end(place, false, clock.now(), read);
        }
    });
    world.run_for(Duration::from_secs(5));
    assert_eq!(Rc::strong_count(history), 1, "the last readings don't end");
}
