//! Keepers on one simulated shard: what drives a node's part, against the table's store.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use quark_shards::driver::sim::{SimConfig, SimWorld};
use quark_shards::idle::IdlePolicy;
use quark_shards::mesh::{Credits, mesh};
use quark_shards::shard::{Shard, ShardConfig};
use quark_shards::slots::NodeId;
use quark_shards::time::Time;

use super::super::*;
use super::cases::newcomer;

type Known = Rc<RefCell<BTreeMap<String, Rc<Keeper<Here>>>>>;

/// Messages come a moment later; turns are over at once.
struct Here {
    name: String,
    shard: Rc<Shard>,
    known: Known,
    was_replaced: Cell<bool>,
}

impl Surroundings for Here {
    fn say(&self, from: NodeId, to: &Member, message: Message) {
        let (known, to) = (self.known.clone(), to.name.clone());
        let micros = 100 + self.shard.random() % 2_000;
        let late = self.shard.sleep(Duration::from_micros(micros));
        self.shard.spawn(async move {
            late.await;
            let keeper = known.borrow().get(&to).cloned();
            if let Some(keeper) = keeper {
                keeper.hear(from, message);
            }
        });
    }

    fn changed(&self, membership: &Membership, _: Time) {
        let version = membership.table().map_or(0, |table| table.version());
        let keeper = self.known.borrow().get(&self.name).cloned();
        self.shard.spawn(async move {
            if let Some(keeper) = keeper {
                keeper.let_go(version);
            }
        });
    }

    fn leased(&self, _: Time) {}

    fn replaced(&self) {
        self.was_replaced.set(true);
    }
}

/// A store that may be out.
struct Outable {
    memory: MemoryTable,
    is_out: AtomicBool,
}

impl Outable {
    fn answer<T: Send + 'static>(&self, answer: StoreAnswer<T>) -> StoreAnswer<T> {
        if self.is_out.load(Ordering::Relaxed) {
            return Box::pin(async { Err(TableStoreError("it is out".to_owned())) });
        }
        answer
    }
}

impl TableStore for Outable {
    fn read(&self) -> StoreAnswer<Option<Arc<Table>>> {
        self.answer(self.memory.read())
    }

    fn write(&self, behind: u64, table: Arc<Table>) -> StoreAnswer<bool> {
        if self.is_out.load(Ordering::Relaxed) {
            return self.answer(Box::pin(async { Ok(false) }));
        }
        self.memory.write(behind, table)
    }

    fn watch(&self, changed: Box<dyn Fn() + Send + Sync>) {
        self.memory.watch(changed);
    }
}

struct Nodes {
    sim: SimWorld,
    shard: Rc<Shard>,
    store: Arc<Outable>,
    known: Known,
}

impl Nodes {
    fn new() -> Self {
        let sim = SimWorld::new(7, SimConfig::default());
        let config = ShardConfig {
            idle: IdlePolicy::Park,
            ..ShardConfig::default()
        };
        let end = mesh(1, Credits::default(), true).remove(0);
        Nodes {
            shard: Shard::new(end, config, Box::new(sim.driver(0))),
            sim,
            store: Arc::new(Outable {
                memory: MemoryTable::default(),
                is_out: AtomicBool::new(false),
            }),
            known: Known::default(),
        }
    }

    fn start(&self, name: &str, incarnation: u64) -> Rc<Keeper<Here>> {
        let who = Newcomer {
            incarnation,
            ..newcomer(name)
        };
        let here = Here {
            name: name.to_owned(),
            shard: self.shard.clone(),
            known: self.known.clone(),
            was_replaced: Cell::new(false),
        };
        let membership = Membership::new(who, Timing::default());
        let keeper = Keeper::new(
            self.shard.clone(),
            self.store.clone(),
            membership,
            Duration::from_millis(200),
            here,
        );
        let mut known = self.known.borrow_mut();
        known.insert(name.to_owned(), keeper.clone());
        self.shard.spawn(keeper.clone().run());
        keeper
    }

    fn kill(&self, name: &str) {
        let keeper = self.known.borrow_mut().remove(name).expect("it runs");
        keeper.end();
    }

    /// Runs until every slot is served by one of `names`; says how long that took.
    fn until_served_by(&self, names: &[&str]) -> Duration {
        let begun = self.sim.now();
        while !self.are_serving(names) {
            let long = self.sim.now().since(begun);
            assert!(long < Duration::from_secs(60), "not in a minute");
            self.run_for(Duration::from_millis(5));
        }
        self.sim.now().since(begun)
    }

    fn are_serving(&self, names: &[&str]) -> bool {
        let now = self.sim.now();
        let known = self.known.borrow();
        let served = known.iter().map(|(name, keeper)| {
            let served = keeper.with(|membership| {
                let holds = membership.lease_until() > now;
                if holds { membership.mine(now).len() } else { 0 }
            });
            assert!(served == 0 || membership_agrees(keeper, now));
            if names.contains(&name.as_str()) {
                served
            } else {
                assert!(served <= 65_536);
                0
            }
        });
        served.sum::<usize>() == 65_536
    }

    fn run_for(&self, long: Duration) {
        let until = self.sim.now() + long;
        while self.sim.now() < until {
            self.step(until);
        }
    }

    fn step(&self, until: Time) {
        if self.sim.pick().is_none() {
            let next = self.sim.next_event().expect("something is to happen");
            return self.sim.advance_to(next.min(until));
        }
        if self.shard.is_parked() {
            self.shard.unpark();
        }
        if !self.shard.guarded_pass() {
            self.shard.park();
        }
    }
}

/// What may be served all at once is what may be served slot by slot.
fn membership_agrees(keeper: &Keeper<Here>, now: Time) -> bool {
    keeper.with(|membership| {
        let mine = membership.mine(now);
        [0, 1, 777, 40_000, u16::MAX]
            .into_iter()
            .all(|slot| mine.contains(slot) == (membership.serve(slot, now) == Serve::Here))
    })
}

#[test]
fn nodes_come_fall_leave_and_come_back() {
    let nodes = Nodes::new();
    nodes.start("a", 1);
    assert!(nodes.until_served_by(&["a"]) < Duration::from_millis(100));
    nodes.start("b", 1);
    let c = nodes.start("c", 1);
    nodes.run_for(Duration::from_secs(1));
    let joined = nodes.until_served_by(&["a", "b", "c"]);
    assert!(joined < Duration::from_secs(1), "{joined:?}");
    assert!(c.with(|c| !c.mine(nodes.sim.now()).is_empty()));

    // Its slots are served when its silence and its lease are over.
    nodes.kill("b");
    let taken_over = nodes.until_served_by(&["a", "c"]);
    let timing = Timing::default();
    let least = timing.silence - timing.ask_every;
    let most = timing.silence + timing.settling() + 4 * timing.ask_every;
    assert!(least < taken_over && taken_over < most, "{taken_over:?}");

    // Who leaves hands over, and nobody waits for leases.
    c.leave();
    let handed_over = nodes.until_served_by(&["a"]);
    assert!(handed_over < timing.lease / 2, "{handed_over:?}");
    nodes.run_for(Duration::from_secs(1));
    assert_eq!(c.with(Membership::me), None, "it has left");

    let b = nodes.start("b", 2);
    nodes.run_for(Duration::from_secs(1));
    nodes.until_served_by(&["a", "b"]);
    assert!(b.with(|b| !b.mine(nodes.sim.now()).is_empty()));
}

#[test]
fn without_the_store_a_cluster_goes_on_and_cannot_change() {
    let nodes = Nodes::new();
    let a = nodes.start("a", 1);
    nodes.start("b", 1);
    nodes.run_for(Duration::from_secs(1));
    nodes.until_served_by(&["a", "b"]);
    nodes.store.is_out.store(true, Ordering::Relaxed);
    let c = nodes.start("c", 1);
    for _ in 0..20 {
        nodes.run_for(Duration::from_secs(1));
        assert!(nodes.are_serving(&["a", "b"]));
    }
    assert!(a.is_degraded() && c.with(Membership::me).is_none());
    nodes.store.is_out.store(false, Ordering::Relaxed);
    nodes.run_for(Duration::from_secs(1));
    nodes.until_served_by(&["a", "b", "c"]);
    assert!(!a.is_degraded() && c.with(Membership::me).is_some());
}

#[test]
fn a_name_taken_over_ends_the_first_who_had_it() {
    let nodes = Nodes::new();
    let first = nodes.start("a", 1);
    nodes.until_served_by(&["a"]);
    let second = nodes.start("a", 2);
    nodes.run_for(Duration::from_secs(1));
    assert!(first.surroundings().was_replaced.get());
    assert_eq!(first.with(Membership::me), None);
    nodes.until_served_by(&["a"]);
    assert_eq!(second.with(Membership::me), Some(NodeId(1)));
}
