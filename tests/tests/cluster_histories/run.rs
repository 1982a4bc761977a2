//! One run: nodes, clients that call them, and what goes wrong meanwhile.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ops::AddAssign;
use std::rc::Rc;
use std::time::Duration;

use quark::testing::{SimCluster, SimOptions};
use quark::{CallError, Client, Engine, Time};

use super::actors::Counter;
use super::check::{Kind, Op, check};
use super::faults::{FaultCounts, Nodes};
use super::store;

/// How long calls wait.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long faults go on.
const FAULTS: Duration = Duration::from_secs(12);
/// How long the cluster may take to be whole again once they have stopped.
const HEALS_WITHIN: Duration = Duration::from_secs(15);
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

/// What the clients have seen, by key.
#[derive(Default)]
struct History {
    ops: RefCell<BTreeMap<u64, Vec<Op>>>,
    never_ran: Cell<u64>,
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
    let until = world.now() + FAULTS;
    while world.now() < until {
        world.run_for(Duration::from_millis(20 + world.random() % 300));
        nodes.strike(&mut world);
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
    let mut done = Done {
        never_ran: history.never_ran.get(),
        healed_within_ms: u64::try_from(healed.as_millis()).unwrap_or(u64::MAX),
        faults: nodes.counts,
        ..Done::default()
    };
    for (key, ops) in &*history.ops.borrow() {
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
            }
        }
    }
    done
}

/// One who adds and reads until he is told to stop.
fn start_worker(world: &SimCluster, client: u16, worker: u64, history: &Rc<History>) {
    let engine = world.engine(client).expect("it runs").clone();
    let (clock, history) = (world.world().clone(), history.clone());
    let mut draw = world.random() ^ worker;
    world.spawn_on(client, 0, async move {
        while !history.stops.get() {
            draw = draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let (key, adds) = ((draw >> 33) % KEYS, (draw >> 17) % 4 != 0);
            let began = clock.now();
            let outcome = call(&engine, key, adds).await;
            let ended = clock.now();
            assert!(
                ended.since(began) < PATIENCE + Duration::from_millis(50),
                "a call has taken {:?}",
                ended.since(began)
            );
            history.note(key, adds, began, ended, outcome);
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
    fn note(
        &self,
        key: u64,
        adds: bool,
        began: Time,
        ended: Time,
        outcome: Result<u64, CallError>,
    ) {
        let kind = match outcome {
            Ok(count) if adds => Kind::Added(count),
            Ok(count) => Kind::Read(count),
            Err(error) if error.never_ran() || !adds => {
                self.never_ran.set(self.never_ran.get() + 1);
                return;
            }
            Err(_) => Kind::Unknown,
        };
        let mut all = self.ops.borrow_mut();
        all.entry(key).or_default().push(Op { kind, began, ended });
    }
}

/// In the end every counter can be read, and says so much.
fn read_all(world: &SimCluster, history: &Rc<History>) {
    let engine = world.engine(CLIENTS[0]).expect("it runs").clone();
    let (clock, notes) = (world.world().clone(), history.clone());
    world.spawn_on(CLIENTS[0], 0, async move {
        for key in 0..KEYS {
            let began = clock.now();
            let read = call(&engine, key, false).await;
            assert!(
                read.is_ok(),
                "counter {key} can't be read in the end: {read:?}"
            );
            notes.note(key, false, began, clock.now(), read);
        }
    });
    world.run_for(Duration::from_secs(5));
    assert_eq!(Rc::strong_count(history), 1, "the last readings don't end");
}
