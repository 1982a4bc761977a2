//! The world's clock, its queue of events and its shards.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;

use super::SimConfig;
use super::disk::Disk;
use super::flight::{Flight, OpenFile};
use super::network::Network;
use super::nodes::Nodes;
use crate::driver::random::{SplitMix64, fold};
use crate::driver::{Bell, Completion, Handle, Op, Outcome, Token};
use crate::time::Time;

/// All there is, behind one `RefCell`.
pub(super) struct World {
    pub(super) config: SimConfig,
    pub(super) random: SplitMix64,
    pub(super) trace: u64,
    pub(super) delays: u64,
    pub(super) network: Network,
    pub(super) nodes: Nodes,
    /// Operations not yet ended, by their number.
    pub(super) flights: BTreeMap<u64, Flight>,
    seed: u64,
    now: Time,
    frozen: bool,
    /// Numbers operations, events and drivers.
    count: u64,
    next_handle: i32,
    events: BTreeMap<(Time, u64), Event>,
    pub(super) shards: BTreeMap<u16, Shard>,
    pub(super) disks: BTreeMap<u16, Disk>,
    pub(super) files: BTreeMap<Handle, OpenFile>,
    /// By node: how fast its time of day is, in nanoseconds.
    pub(super) skews: BTreeMap<u16, i64>,
}

/// The time of day at [`Time::ZERO`]: the beginning of 2026.
const WALL_START: Duration = Duration::from_secs(1_767_225_600);

/// What happens at a time.
pub(super) enum Event {
    /// An operation has taken its time.
    Due(u64),
    /// Bytes reach this end of a connection.
    Arrive(Handle, Bytes),
    /// The other end was closed.
    Fin(Handle),
    /// The other end is gone.
    Reset(Handle),
    /// Messages held up on the mesh may be taken by this shard.
    Mesh(u16),
}

pub(super) struct Shard {
    pub(super) node: u16,
    /// Which driver is the live one.
    life: u64,
    bell: Arc<SimBell>,
    random: SplitMix64,
    parked: Option<Option<Time>>,
    ready: VecDeque<Completion>,
    pub(super) flying: usize,
    /// By peer: until when its messages are held up.
    held: BTreeMap<u16, Time>,
}

/// Marks its shard as rung.
#[derive(Debug, Default)]
pub(super) struct SimBell(AtomicBool);

impl Bell for SimBell {
    fn ring(&self) {
        self.0.store(true, Ordering::Release);
    }
}

impl World {
    pub(super) fn new(seed: u64, config: SimConfig) -> Self {
        World {
            config,
            random: SplitMix64::new(seed),
            trace: fold(0, seed),
            delays: 0,
            network: Network::default(),
            nodes: Nodes::default(),
            flights: BTreeMap::new(),
            seed,
            now: Time::ZERO,
            frozen: false,
            count: 0,
            next_handle: 3,
            events: BTreeMap::new(),
            shards: BTreeMap::new(),
            disks: BTreeMap::new(),
            files: BTreeMap::new(),
            skews: BTreeMap::new(),
        }
    }

    /// A new life for `shard`; its number names the live driver.
    pub(super) fn start(&mut self, node: u16, shard: u16) -> u64 {
        self.end(shard);
        let life = self.number();
        self.note_all(&[b's'.into(), node.into(), shard.into()]);
        let state = Shard {
            node,
            life,
            bell: Arc::default(),
            random: SplitMix64::stream(self.seed, u64::from(shard) ^ life << 16),
            parked: None,
            ready: VecDeque::new(),
            flying: 0,
            held: BTreeMap::new(),
        };
        self.shards.insert(shard, state);
        life
    }

    /// Ends `shard`'s life as a dropped driver does: nothing completes, everything is closed.
    pub(super) fn end(&mut self, shard: u16) {
        if self.shards.remove(&shard).is_none() {
            return;
        }
        self.flights.retain(|_, flight| flight.shard != shard);
        self.files.retain(|_, file| file.shard != shard);
        for handle in self.network.handles_of(shard) {
            self.close_socket(handle);
        }
    }

    pub(super) fn is_alive(&self, shard: u16, life: u64) -> bool {
        self.shards
            .get(&shard)
            .is_some_and(|state| state.life == life)
    }

    pub(super) fn now(&self) -> Time {
        self.now
    }

    pub(super) fn next_event(&self) -> Option<Time> {
        let event = self.events.keys().next().map(|(time, _)| *time);
        let parks = self
            .shards
            .values()
            .filter(|shard| !self.nodes.is_paused(shard.node))
            .filter_map(|shard| shard.parked.flatten());
        event.into_iter().chain(parks).min()
    }

    pub(super) fn set_frozen(&mut self, frozen: bool) -> bool {
        let before = std::mem::replace(&mut self.frozen, frozen);
        if frozen {
            // Who parks until something held up arrives has to look now.
            self.shards.values().for_each(|shard| shard.bell.ring());
        }
        before
    }

    pub(super) fn is_frozen(&self) -> bool {
        self.frozen
    }

    pub(super) fn advance_to(&mut self, time: Time) {
        // What is due now may happen, and no more.
        let time = if self.frozen { self.now } else { time };
        while let Some(next) = self.events.first_entry() {
            let (at, _) = *next.key();
            if at > time {
                break;
            }
            let event = next.remove();
            self.now = self.now.max(at);
            self.happen(event);
        }
        self.now = self.now.max(time);
    }

    pub(super) fn pick(&mut self) -> Option<u16> {
        let runnable = |shard: &u16| self.is_runnable(*shard);
        let count = self.shards.keys().filter(|shard| runnable(shard)).count();
        let last = (count as u64).checked_sub(1)?;
        let nth = self.random.within(0..=last) as usize;
        let runnable = |shard: &u16| self.is_runnable(*shard);
        let picked = self.shards.keys().copied().filter(runnable).nth(nth)?;
        self.note_all(&[b'p'.into(), picked.into()]);
        self.take_rung(picked);
        self.shards.get_mut(&picked)?.parked = None;
        Some(picked)
    }

    pub(super) fn is_runnable(&self, shard: u16) -> bool {
        self.shards
            .get(&shard)
            .is_some_and(|state| match state.parked {
                _ if self.nodes.is_paused(state.node) => false,
                None => true,
                Some(until) => {
                    until.is_some_and(|until| until <= self.now)
                        || !state.ready.is_empty()
                        || self.is_rung(shard)
                }
            })
    }

    pub(super) fn is_parked(&self, shard: u16) -> bool {
        self.shards
            .get(&shard)
            .is_some_and(|state| state.parked.is_some())
    }

    pub(super) fn is_rung(&self, shard: u16) -> bool {
        self.shards
            .get(&shard)
            .is_some_and(|state| state.bell.0.load(Ordering::Acquire))
    }

    pub(super) fn take_rung(&mut self, shard: u16) -> bool {
        self.shards
            .get(&shard)
            .is_some_and(|state| state.bell.0.swap(false, Ordering::AcqRel))
    }

    pub(super) fn bell(&self, shard: u16) -> Arc<SimBell> {
        self.shards
            .get(&shard)
            .map_or_else(Arc::default, |state| state.bell.clone())
    }

    pub(super) fn park(&mut self, shard: u16, until: Option<Time>) {
        let node = self.node_of(shard);
        let until = until.map(|until| self.nodes.true_time(node, until));
        let word = until.map_or(u64::MAX, Time::as_nanos);
        self.note_all(&[b'k'.into(), shard.into(), word]);
        if let Some(state) = self.shards.get_mut(&shard) {
            state.parked = Some(until);
        }
    }

    /// The time of day on `shard`'s node.
    pub(super) fn wall_time(&mut self, shard: u16) -> Duration {
        let honest = WALL_START + self.now.since(Time::ZERO);
        let node = self.shards.get(&shard).map_or(0, |state| state.node);
        let skew = self.skews.get(&node).copied().unwrap_or(0);
        let by = Duration::from_nanos(skew.unsigned_abs());
        if skew < 0 {
            honest.saturating_sub(by)
        } else {
            honest.saturating_add(by)
        }
    }

    /// What `look` says of `node`'s disk.
    pub(super) fn on_disk<T>(&mut self, node: u16, look: impl FnOnce(&mut Disk) -> T) -> T {
        look(self.disks.entry(node).or_default())
    }

    pub(super) fn shard_random(&mut self, shard: u16) -> u64 {
        self.shards
            .get_mut(&shard)
            .map_or(0, |state| state.random.next())
    }

    /// Whether what `peer` has sent to `shard` is held up at this moment.
    pub(super) fn mesh_is_held(&self, shard: u16, peer: u16) -> bool {
        let held = self
            .shards
            .get(&shard)
            .and_then(|state| state.held.get(&peer));
        !self.frozen && held.is_some_and(|until| self.now < *until)
    }

    pub(super) fn is_busy(&self) -> bool {
        !self.events.is_empty()
    }

    pub(super) fn calm(&mut self) {
        self.config.mesh_delay_probability = 0.0;
        for state in self.shards.values_mut() {
            state.held.clear();
        }
    }

    /// How many messages `shard` may take from `peer` now.
    pub(super) fn mesh_budget(&mut self, shard: u16, peer: u16) -> usize {
        let Some(state) = self.shards.get_mut(&shard) else {
            return 0;
        };
        let open = match state.held.get(&peer) {
            _ if self.frozen => true,
            Some(until) if *until > self.now => false,
            // One delay at a time: what has waited goes through.
            Some(_) => {
                state.held.remove(&peer);
                true
            }
            None if self.random.chance(self.config.mesh_delay_probability) => {
                let max = nanos(self.config.mesh_delay_max).max(1);
                let until = self.now + Duration::from_nanos(self.random.within(1..=max));
                state.held.insert(peer, until);
                self.delays += 1;
                self.schedule(until, Event::Mesh(shard));
                false
            }
            None => true,
        };
        let most = self.config.mesh_budget_max.max(1) as u64;
        let budget = if open {
            self.random.within(1..=most) as usize
        } else {
            0
        };
        self.note_all(&[b'm'.into(), shard.into(), peer.into(), budget as u64]);
        budget
    }

    /// Operations submitted whose completions have not been taken.
    pub(super) fn in_flight(&self, shard: u16) -> usize {
        self.shards
            .get(&shard)
            .map_or(0, |state| state.flying + state.ready.len())
    }

    pub(super) fn take_ready(&mut self, shard: u16, done: &mut Vec<Completion>) {
        self.advance_to(self.now);
        if let Some(state) = self.shards.get_mut(&shard) {
            done.extend(state.ready.drain(..));
        }
    }

    /// Loses `node`'s power.
    pub(super) fn crash(&mut self, node: u16) {
        self.note_all(&[b'c'.into(), node.into()]);
        let disk = self.disks.entry(node).or_default();
        for flight in self.flights.values() {
            if let (
                Op::Write { buffer, offset, .. } | Op::WriteDurable { buffer, offset, .. },
                Some(file),
            ) = (&flight.op, flight.file)
                && file.node == node
            {
                disk.interrupt(file.target.file, buffer.clone(), *offset, &self.config);
            }
        }
        disk.crash(&mut self.random);
        let dead = |(shard, state): (&u16, &Shard)| (state.node == node).then_some(*shard);
        let dead: Vec<u16> = self.shards.iter().filter_map(dead).collect();
        for shard in dead {
            for handle in self.network.handles_of(shard) {
                self.reset_peer(handle);
            }
            self.end(shard);
        }
    }

    /// Gives `shard` what became of its operation.
    pub(super) fn complete(&mut self, shard: u16, token: Token, result: io::Result<Outcome>) {
        if let Some(state) = self.shards.get_mut(&shard) {
            state.flying -= 1;
        }
        self.tell(shard, Completion::last(token, result));
    }

    /// Gives `shard` one of the completions of its operation.
    pub(super) fn tell(&mut self, shard: u16, completion: Completion) {
        let word = match &completion.result {
            Ok(Outcome::Opened(handle)) => handle.0 as u64,
            Ok(Outcome::Filled(buffer)) => buffer.len() as u64,
            Ok(Outcome::Received(bytes)) => bytes.len() as u64,
            Ok(Outcome::Wrote(count) | Outcome::Sent { count, .. }) => *count as u64,
            Ok(Outcome::Size(size)) => *size,
            Ok(Outcome::Names(names)) => names.len() as u64,
            Ok(Outcome::Done) => 0,
            Err(error) => 1 << 32 | error.raw_os_error().unwrap_or(0) as u64,
        };
        let kind = if completion.more { b'D' } else { b'd' };
        self.note_all(&[kind.into(), shard.into(), completion.token.0, word]);
        if let Some(state) = self.shards.get_mut(&shard) {
            state.ready.push_back(completion);
        }
    }

    /// Folds `word` into the trace, with the time.
    pub(super) fn note(&mut self, word: u64) {
        self.note_all(&[word]);
    }

    pub(super) fn schedule(&mut self, time: Time, event: Event) {
        let number = self.number();
        self.events.insert((time, number), event);
    }

    /// A duration between the bounds that `of` names.
    pub(super) fn draw(
        &mut self,
        of: impl FnOnce(&SimConfig) -> &std::ops::RangeInclusive<Duration>,
    ) -> Duration {
        let range = of(&self.config);
        let (low, high) = (nanos(*range.start()), nanos(*range.end()));
        Duration::from_nanos(self.random.within(low..=high.max(low)))
    }

    pub(super) fn handle(&mut self) -> Handle {
        self.next_handle += 1;
        Handle(self.next_handle - 1)
    }

    pub(super) fn number(&mut self) -> u64 {
        self.count += 1;
        self.count
    }

    fn note_all(&mut self, words: &[u64]) {
        self.trace = fold(self.trace, self.now.as_nanos());
        for &word in words {
            self.trace = fold(self.trace, word);
        }
    }

    fn happen(&mut self, event: Event) {
        let Some(event) = self.held_up(event) else {
            return;
        };
        match event {
            Event::Due(number) => self.due(number),
            Event::Arrive(to, bytes) => self.arrive(to, bytes),
            Event::Fin(to) => self.fin(to),
            Event::Reset(to) => self.reset(to),
            Event::Mesh(shard) => self.bell(shard).ring(),
        }
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
