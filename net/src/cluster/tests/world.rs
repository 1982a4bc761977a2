//! Nodes, their clocks, what lies between them and the table's store, all by chance of one seed.

mod counts;
mod faults;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use quark_shards::slots::NodeId;
use quark_shards::time::Time;

pub(super) use self::counts::Counts;
use super::super::*;

/// Nanoseconds of true time.
type Nanos = u64;

const MILLI: Nanos = 1_000_000;
const SECOND: Nanos = 1_000 * MILLI;

/// The store, among nodes.
const STORE: usize = usize::MAX;

/// Slots that are looked at.
const WATCHED: [u16; 8] = [0, 1, 777, 9_999, 20_000, 33_333, 50_001, 65_535];

struct Node {
    name: usize,
    /// While its process runs.
    process: Option<Process>,
    /// How much faster its clock runs than true time, in millionths.
    skew: i64,
}

struct Process {
    membership: Membership,
    incarnation: u64,
    begun: Nanos,
    /// Nothing happens in it until then.
    paused_until: Nanos,
    store_busy: bool,
    /// The version that it lives by.
    version: u64,
    is_leaving: bool,
    /// What is being let go of, by the version that took it: slots whose turns run yet, and until
    /// when they may.
    letting_go: BTreeMap<u64, (Time, Vec<u16>)>,
}

enum Event {
    Tick {
        incarnation: u64,
    },
    Deliver {
        incarnation: u64,
        from: NodeId,
        message: Message,
    },
    Read {
        incarnation: u64,
        table: Option<Arc<Table>>,
    },
    Written {
        incarnation: u64,
    },
    StoreWrite {
        write: Write,
        incarnation: u64,
    },
    StoreRead {
        incarnation: u64,
    },
    LetGo {
        incarnation: u64,
        version: u64,
    },
    Start,
    Fault,
    Look,
}

/// What is to be written into the store.
enum Write {
    Found(Table),
    Change { behind: u64, change: Change },
}

pub(super) struct World {
    pub(super) counts: Counts,
    pub(super) timing: Timing,
    random: u64,
    now: Nanos,
    sequence: u64,
    queue: BinaryHeap<Reverse<(Nanos, u64, usize)>>,
    events: BTreeMap<u64, Event>,
    nodes: Vec<Node>,
    incarnations: u64,
    /// The process of each member's number, as the table says.
    store: Option<Arc<Table>>,
    store_out_until: Nanos,
    /// Pairs that can't hear: from, to, by node; and [`STORE`].
    cut: BTreeSet<(usize, usize)>,
    faults: bool,
    /// In thousandths.
    loss: u64,
    served_by: [Option<u64>; WATCHED.len()],
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        let timing = Timing {
            lease: Duration::from_millis(600),
            ask_every: Duration::from_millis(100),
            silence: Duration::from_millis(400),
            drift_per_mille: 50,
        };
        let mut world = World {
            counts: Counts::default(),
            timing,
            random: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5bf0_3635,
            now: 0,
            sequence: 0,
            queue: BinaryHeap::new(),
            events: BTreeMap::new(),
            nodes: Vec::new(),
            incarnations: 0,
            store: None,
            store_out_until: 0,
            cut: BTreeSet::new(),
            faults: true,
            loss: 0,
            served_by: [None; WATCHED.len()],
        };
        let count = 3 + world.below(5) as usize;
        world.loss = [0, 10, 100][world.below(3) as usize];
        for name in 0..count {
            let most = i64::from(timing.drift_per_mille) * 1000;
            let skew = [
                -most,
                most,
                0,
                world.below(2 * most as u64 + 1) as i64 - most,
            ];
            let skew = skew[world.below(4) as usize];
            world.nodes.push(Node {
                name,
                process: None,
                skew,
            });
            let at = world.below(SECOND / 2);
            world.after(at, name, Event::Start);
        }
        let at = SECOND;
        world.after(at, 0, Event::Fault);
        world.after(at, 0, Event::Look);
        world
    }

    fn below(&mut self, bound: u64) -> u64 {
        // SplitMix64, by Steele, Lea and Flood.
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    fn after(&mut self, nanos: Nanos, node: usize, event: Event) {
        self.sequence += 1;
        self.events.insert(self.sequence, event);
        self.queue
            .push(Reverse((self.now + nanos, self.sequence, node)));
    }

    /// Runs until there were so many events; faults end before the last part of them.
    pub(super) fn run(&mut self, events: u64) {
        while self.counts.events < events {
            self.step();
        }
    }

    fn step(&mut self) {
        let Reverse((at, sequence, node)) = self.queue.pop().expect("something always happens");
        let event = self.events.remove(&sequence).expect("it was put there");
        self.now = self.now.max(at);
        self.counts.events += 1;
        let paused_until = self.nodes[node]
            .process
            .as_ref()
            .map_or(0, |p| p.paused_until);
        if paused_until > self.now && event.is_of_the_process() {
            let wait = paused_until - self.now;
            return self.after(wait, node, event);
        }
        self.happen(node, event);
        self.look();
    }

    fn happen(&mut self, node: usize, event: Event) {
        match event {
            Event::Start => self.start(node),
            Event::Fault => self.fault(),
            Event::Look => {
                let at = 5 * MILLI + self.below(20 * MILLI);
                self.after(at, 0, Event::Look);
            }
            Event::StoreRead { incarnation } => {
                if self.reaches_store(node) {
                    let (table, delay) = (self.store.clone(), self.delay());
                    self.after(delay, node, Event::Read { incarnation, table });
                }
            }
            Event::StoreWrite { write, incarnation } => {
                if !self.reaches_store(node) {
                    return;
                }
                self.write(write);
                let delay = self.delay();
                self.after(delay, node, Event::Written { incarnation });
            }
            event => self.in_process(node, event),
        }
    }

    fn reaches_store(&mut self, node: usize) -> bool {
        self.now >= self.store_out_until && !self.cut.contains(&(node, STORE)) && !self.is_lost()
    }

    fn write(&mut self, write: Write) {
        let next = match (write, &self.store) {
            (Write::Found(table), None) => table,
            (Write::Change { behind, change }, Some(table)) if table.version() == behind => {
                let Ok(next) = table.changed(&change) else {
                    return;
                };
                self.counts.removals += u64::from(next.members().len() < table.members().len());
                next
            }
            _ => return,
        };
        self.counts.versions += 1;
        self.store = Some(Arc::new(next));
    }

    fn in_process(&mut self, node: usize, event: Event) {
        let now = self.local(node);
        let Some(process) = &mut self.nodes[node].process else {
            return;
        };
        let membership = &mut process.membership;
        let is_mine = |incarnation| incarnation == process.incarnation;
        match event {
            Event::Tick { incarnation } if is_mine(incarnation) => {
                membership.tick(now);
                let again = self.nodes[node].process.as_ref().map(|p| p.incarnation);
                if let Some(incarnation) = again {
                    let at = 10 * MILLI + self.below(30 * MILLI);
                    self.after(at, node, Event::Tick { incarnation });
                }
            }
            Event::Deliver {
                incarnation,
                from,
                message,
            } if is_mine(incarnation) => membership.receive(from, message, now),
            Event::Read { incarnation, table } if is_mine(incarnation) => {
                process.store_busy = false;
                return self.read(node, table, now);
            }
            Event::Written { incarnation } if is_mine(incarnation) => {
                // Whether it was written, the table says.
                process.store_busy = true;
                let delay = self.delay();
                return self.after(delay, node, Event::StoreRead { incarnation });
            }
            Event::LetGo {
                incarnation,
                version,
            } if is_mine(incarnation) => {
                process.letting_go.retain(|by, _| *by > version);
                // Only once all before it are done, too.
                membership.let_go(version, now);
            }
            _ => return,
        }
        self.go_on(node);
    }

    fn start(&mut self, node: usize) {
        if self.nodes[node].process.is_some() {
            return;
        }
        self.incarnations += 1;
        let incarnation = self.incarnations;
        let who = Newcomer {
            name: format!("node-{}", self.nodes[node].name),
            incarnation,
            address: Address {
                ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
                ports: vec![node as u16],
            },
        };
        self.nodes[node].process = Some(Process {
            membership: Membership::new(who, self.timing),
            incarnation,
            begun: self.now,
            paused_until: 0,
            store_busy: false,
            version: 0,
            is_leaving: false,
            letting_go: BTreeMap::new(),
        });
        self.after(0, node, Event::Tick { incarnation });
    }

    /// What a node reads on its own clock.
    fn local(&self, node: usize) -> Time {
        self.local_at(node, self.now)
    }

    fn local_at(&self, node: usize, at: Nanos) -> Time {
        let Some(process) = &self.nodes[node].process else {
            return Time::ZERO;
        };
        let lived = at - process.begun;
        let skewed = i128::from(lived) * i128::from(1_000_000 + self.nodes[node].skew) / 1_000_000;
        // No clock begins at zero.
        Time::from_nanos(SECOND + skewed as u64)
    }

    fn read(&mut self, node: usize, table: Option<Arc<Table>>, now: Time) {
        let Some(process) = &mut self.nodes[node].process else {
            return;
        };
        let before = process.membership.table().cloned();
        let was_member = process.membership.me();
        let serves: Vec<u16> = WATCHED
            .into_iter()
            .filter(|slot| process.membership.serve(*slot, now) == Serve::Here)
            .collect();
        let lease_until = process.membership.lease_until();
        let behind = table.as_ref().map_or(0, |table| table.version());
        let entry = process.membership.read(table, now);
        let incarnation = process.incarnation;
        match entry {
            Entry::Found(table) => {
                process.store_busy = true;
                let write = Write::Found(table);
                let delay = self.delay();
                self.after(delay, node, Event::StoreWrite { write, incarnation });
            }
            Entry::Enter(change) => {
                process.store_busy = true;
                let write = Write::Change { behind, change };
                let delay = self.delay();
                self.after(delay, node, Event::StoreWrite { write, incarnation });
            }
            Entry::Replaced => self.nodes[node].process = None,
            Entry::Asked if process.is_leaving && was_member.is_some() => {
                // It has left.
                self.nodes[node].process = None;
                let at = self.below(2 * SECOND);
                self.after(at, node, Event::Start);
                return;
            }
            Entry::Asked | Entry::Member => {}
        }
        let Some(process) = &mut self.nodes[node].process else {
            return;
        };
        let version = process
            .membership
            .table()
            .map_or(0, |table| table.version());
        let was = before.map_or(0, |table| table.version());
        if process.membership.me().is_none() || process.membership.me() != was_member {
            // Whoever is no member, or a new one, has nothing that could still run.
            process.letting_go.clear();
        }
        if process.membership.me().is_some() && version != was {
            process.version = version;
            // Turns that run in slots that are another's now run on for a while.
            let gone =
                |slot: &u16| matches!(process.membership.serve(*slot, now), Serve::Elsewhere(_));
            let running = serves.into_iter().filter(gone).collect();
            process.letting_go.insert(version, (lease_until, running));
            let incarnation = process.incarnation;
            let delay = match self.below(3) {
                0 => 0,
                1 => self.below(50 * MILLI),
                _ => self.below(400 * MILLI),
            };
            let event = Event::LetGo {
                incarnation,
                version,
            };
            self.after(delay, node, event);
        }
        self.go_on(node);
    }

    /// Sends what a node has to say, and does what it wants done at the store.
    fn go_on(&mut self, node: usize) {
        let Some(process) = &mut self.nodes[node].process else {
            return;
        };
        let outgoing = process.membership.take_outgoing();
        let me = process.membership.me();
        for (to, message) in outgoing {
            self.send(node, me, to, message);
        }
        self.ask_store(node);
    }

    fn ask_store(&mut self, node: usize) {
        let now = self.local(node);
        let chance = self.below(40);
        let Some(process) = &mut self.nodes[node].process else {
            return;
        };
        if process.store_busy {
            // An answer that was lost is waited for no longer than this.
            process.store_busy = chance != 0;
            return;
        }
        let incarnation = process.incarnation;
        let change = process.membership.change(now);
        let table = process.membership.table().cloned();
        let event = match (change, table) {
            (Some(change), Some(table)) => {
                let behind = table.version();
                let write = Write::Change { behind, change };
                Event::StoreWrite { write, incarnation }
            }
            _ if process.membership.wants_table() || chance < 4 => Event::StoreRead { incarnation },
            _ => return,
        };
        process.store_busy = true;
        let delay = self.delay();
        self.after(delay, node, event);
    }

    fn send(&mut self, node: usize, me: Option<NodeId>, to: NodeId, message: Message) {
        let Some(to) = self.node_of(node, to) else {
            return;
        };
        let from = me.unwrap_or(NodeId(0));
        if to == node {
            return;
        }
        if self.cut.contains(&(node, to)) || self.is_lost() {
            self.counts.lost += 1;
            return;
        }
        let copies = if self.faults && self.below(50) == 0 {
            self.counts.twice += 1;
            2
        } else {
            1
        };
        for _ in 0..copies {
            let delay = self.delay();
            let Some(process) = &self.nodes[to].process else {
                return;
            };
            let event = Event::Deliver {
                incarnation: process.incarnation,
                from,
                message: message.clone(),
            };
            self.after(delay, to, event);
        }
    }

    /// Where `id` is, as far as `node` knows.
    fn node_of(&self, node: usize, id: NodeId) -> Option<usize> {
        let process = self.nodes[node].process.as_ref()?;
        let member = process.membership.table()?.member(id)?;
        self.nodes
            .iter()
            .position(|node| member.name == format!("node-{}", node.name))
    }

    fn is_lost(&mut self) -> bool {
        let loss = self.loss;
        self.faults && self.below(1000) < loss
    }

    fn delay(&mut self) -> Nanos {
        if self.faults && self.below(30) == 0 {
            self.counts.late += 1;
            return self.below(SECOND);
        }
        MILLI / 10 + self.below(5 * MILLI)
    }

    /// Nobody serves what another does.
    fn look(&mut self) {
        for (place, slot) in WATCHED.into_iter().enumerate() {
            let mut server = None;
            for (node, known) in self.nodes.iter().enumerate() {
                let Some(process) = &known.process else {
                    continue;
                };
                let now = self.local(node);
                let membership = &process.membership;
                let mut letting_go = process.letting_go.values();
                let runs_on =
                    letting_go.any(|(until, slots)| now < *until && slots.contains(&slot));
                if membership.serve(slot, now) != Serve::Here && !runs_on {
                    continue;
                }
                if let Some((other, _)) = server {
                    panic!(
                        "slot {slot} is served by {other} and {node} at {} ns after {} events: {:#?}",
                        self.now,
                        self.counts.events,
                        self.tell()
                    );
                }
                server = Some((node, process.incarnation));
            }
            if let Some((_, incarnation)) = server
                && self.served_by[place] != Some(incarnation)
            {
                self.served_by[place] = Some(incarnation);
                self.counts.moves += 1;
            }
        }
    }

    /// Ends all faults, and says how long it takes until every slot is served and every node a
    /// member.
    pub(super) fn heal(&mut self) -> Duration {
        self.faults = false;
        self.cut.clear();
        self.store_out_until = 0;
        for node in 0..self.nodes.len() {
            if let Some(process) = &mut self.nodes[node].process {
                process.paused_until = 0;
            }
            self.after(0, node, Event::Start);
        }
        let begun = self.now;
        while !self.is_whole() {
            self.step();
            assert!(
                self.now - begun < 60 * SECOND,
                "it does not heal: {:?}, {:#?}",
                self.store
                    .as_ref()
                    .map(|table| (table.version(), table.members().to_vec())),
                self.tell()
            );
        }
        Duration::from_nanos(self.now - begun)
    }

    /// What each node thinks, for whoever looks into a failure.
    fn tell(&self) -> Vec<String> {
        let nodes = self.nodes.iter().enumerate();
        let told = nodes.map(|(node, known)| {
            let now = self.local(node);
            known.process.as_ref().map_or("-".to_owned(), |process| {
                let membership = &process.membership;
                format!(
                    "{} {:?} at {:?}, deeds {:?}, letting go {:?}, now {now:?}, lease until {:?}, leaving {}, busy {}, wants {:?}, slots {:?}",
                    process.incarnation,
                    membership.me(),
                    membership.table().map(|table| table.version()),
                    membership.table().map(|table| WATCHED.map(|slot| (table.deed(slot).since, table.deed(slot).from.map_or(0, |id| id.0)))),
                    process.letting_go,
                    membership.lease_until(),
                    process.is_leaving,
                    process.store_busy,
                    membership.change(now),
                    WATCHED.map(|slot| membership.serve(slot, now)),
                )
            })
        });
        told.collect()
    }

    fn is_whole(&self) -> bool {
        let all = self.nodes.iter().enumerate().all(|(node, known)| {
            let now = self.local(node);
            known.process.as_ref().is_some_and(|process| {
                let membership = &process.membership;
                membership.me().is_some() && membership.lease_until() > now && !process.is_leaving
            })
        });
        all && WATCHED.into_iter().all(|slot| {
            self.nodes.iter().enumerate().any(|(node, known)| {
                let now = self.local(node);
                let process = known.process.as_ref();
                process.is_some_and(|process| process.membership.serve(slot, now) == Serve::Here)
            })
        })
    }
}

impl Event {
    fn is_of_the_process(&self) -> bool {
        !matches!(
            self,
            Event::Start
                | Event::Fault
                | Event::Look
                | Event::StoreRead { .. }
                | Event::StoreWrite { .. }
        )
    }
}
