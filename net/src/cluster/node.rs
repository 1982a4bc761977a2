use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use quark_shards::planted::{Bug, planted};
use quark_shards::slots::NodeId;
use quark_shards::time::Time;

use super::lease::Lease;
use super::message::{Ask, Message, Versions};
use super::settings::Timing;
use super::slot_set::SlotSet;
use super::table::{Change, Member, Newcomer, Status, Table};

/// One node's part in its cluster: what it may serve, and what it has to say to the others. Without
/// sockets and clocks.
///
/// Whoever drives it reads the table when [`wants_table`](Self::wants_table) says so, and now and
/// then anyway; carries messages; calls [`tick`](Self::tick) in time; and tries to write what
/// [`change`](Self::change) says.
pub struct Membership {
    who: Newcomer,
    timing: Timing,
    seat: Option<Seat>,
    /// The highest version that anyone has spoken of.
    newest: u64,
    /// Read while this side was no member.
    outside: Option<Arc<Table>>,
    round: u64,
    next_tick: Time,
    outgoing: Vec<(NodeId, Message)>,
    newcomers: Vec<Newcomer>,
    is_leaving: bool,
    /// Whether the last table that named it meant this process.
    was_member: bool,
    /// Seats that it took, or lost.
    seats: u64,
}

/// What there is to say about a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Serve {
    /// This node serves it.
    Here,
    /// Another one does.
    Elsewhere(NodeId),
    /// It is this node's, but its last owner may serve it yet.
    NotYet,
    /// This node is cut off from the majority, and may have been replaced.
    CutOff,
    /// This node is no member, or nobody owns slots.
    Outside,
}

/// How a node comes to be a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// There is no cluster: this is its first table.
    Found(Table),
    /// It was a member before, or everybody has left: this change of the table, behind the one that
    /// was read, is its own to write.
    Enter(Change),
    /// The members were asked to admit it.
    Asked,
    /// It is one.
    Member,
    /// Another process has taken its name over: this one has to end.
    Replaced,
}

/// Newcomers that are remembered at once.
const NEWCOMERS_MOST: usize = 64;

/// A member's place at one version of the table.
struct Seat {
    me: NodeId,
    table: Arc<Table>,
    lease: Lease,
    /// Slots whose deeds are of this version or an earlier one are held by nobody else.
    settled: u64,
    /// When which version will be settled, in order.
    settling: Vec<(u64, Time)>,
    /// Slots that their last owners have handed over.
    handed: SlotSet,
    let_go: Versions,
    /// When the last of it was let go of.
    let_go_at: Time,
    peers: BTreeMap<NodeId, Peer>,
    /// Of what is its own to serve, at this version.
    changes: u64,
    /// When it had this version.
    began: Time,
}

/// What is known of another member.
#[derive(Clone)]
struct Peer {
    known_since: Time,
    /// When it last said that it has a lease.
    alive: Time,
    /// When it last said anything.
    heard: Time,
    let_go: Versions,
    /// The last version at which it said that it is settled.
    settled: u64,
    silent: Vec<NodeId>,
}

impl Membership {
    /// A node that is no member yet.
    #[must_use]
    pub fn new(who: Newcomer, timing: Timing) -> Self {
        Membership {
            who,
            timing,
            seat: None,
            newest: 0,
            outside: None,
            round: 0,
            next_tick: Time::ZERO,
            outgoing: Vec::new(),
            newcomers: Vec::new(),
            is_leaving: false,
            was_member: false,
            seats: 0,
        }
    }

    /// Its number, while it is a member.
    #[must_use]
    pub fn me(&self) -> Option<NodeId> {
        self.seat.as_ref().map(|seat| seat.me)
    }

    /// The table by which it lives: the newest that it has read.
    #[must_use]
    pub fn table(&self) -> Option<&Arc<Table>> {
        let seat = self.seat.as_ref().map(|seat| &seat.table);
        seat.or(self.outside.as_ref())
    }

    /// What there is to say about a slot at this moment.
    #[inline]
    #[must_use]
    pub fn serve(&self, slot: u16, now: Time) -> Serve {
        let Some(seat) = &self.seat else {
            return Serve::Outside;
        };
        let Some(owner) = seat.table.owner(slot) else {
            return Serve::Outside;
        };
        if owner != seat.me {
            Serve::Elsewhere(owner)
        } else if !seat.lease.holds(now) && !planted(Bug::NoLease) {
            Serve::CutOff
        } else if seat.is_mine_alone(slot, now) {
            Serve::Here
        } else {
            Serve::NotYet
        }
    }

    /// Until when it serves, unless the lease is renewed.
    #[must_use]
    pub fn lease_until(&self) -> Time {
        self.seat
            .as_ref()
            .map_or(Time::ZERO, |seat| seat.lease.until())
    }

    /// The slots that it may serve while its lease holds. What [`serve`](Self::serve) says of each,
    /// until [`revision`](Self::revision) says another number.
    #[must_use]
    pub fn mine(&self, now: Time) -> SlotSet {
        let mut mine = SlotSet::new();
        if let Some(seat) = &self.seat {
            (0..=u16::MAX)
                .filter(|slot| seat.table.owner(*slot) == Some(seat.me))
                .filter(|slot| seat.is_mine_alone(*slot, now))
                .for_each(|slot| mine.insert(slot));
        }
        mine
    }

    /// Another number whenever the table or the slots that it may serve have changed.
    #[must_use]
    pub fn revision(&self) -> (u64, u64) {
        let changes = self.seat.as_ref().map_or(0, |seat| seat.changes);
        (self.seats, changes)
    }

    /// Whether the table is to be read: there is a newer one, or this node waits to be in it.
    #[must_use]
    pub fn wants_table(&self) -> bool {
        self.seat
            .as_ref()
            .is_none_or(|seat| seat.table.version() < self.newest)
    }

    /// The table was read: `None` if there is none yet. Says how the node becomes a member, if it is
    /// none.
    pub fn read(&mut self, table: Option<Arc<Table>>, now: Time) -> Entry {
        let Some(table) = table else {
            return Entry::Found(Table::found(self.who.clone()));
        };
        self.newest = self.newest.max(table.version());
        let known = self.table().map_or(0, |table| table.version());
        if table.version() < known {
            // A store that has forgotten: what was agreed on is not taken back.
            return match self.seat {
                Some(_) => Entry::Member,
                None => Entry::Asked,
            };
        }
        let Some(named) = table.named(&self.who.name) else {
            self.lose_seat();
            self.was_member = false;
            let is_empty = table.members().is_empty();
            self.outside = Some(table);
            if is_empty {
                return Entry::Enter(Change::Admit(self.who.clone()));
            }
            self.knock();
            return Entry::Asked;
        };
        if named.incarnation != self.who.incarnation {
            if self.was_member {
                self.lose_seat();
                return Entry::Replaced;
            }
            let change = Change::Restart(named.id, self.who.clone());
            self.outside = Some(table);
            return Entry::Enter(change);
        }
        self.outside = None;
        self.was_member = true;
        self.take_seat(named.id, table, now);
        Entry::Member
    }

    fn lose_seat(&mut self) {
        self.seats += u64::from(self.seat.take().is_some());
    }

    fn take_seat(&mut self, me: NodeId, table: Arc<Table>, now: Time) {
        let same = |seat: &Seat| seat.me == me && seat.table.version() == table.version();
        if self.seat.as_ref().is_some_and(same) {
            return;
        }
        self.seats += 1;
        let before = self.seat.take().filter(|seat| seat.me == me);
        self.seat = Some(Seat::new(me, table, before, &self.timing, now));
        self.newcomers.clear();
        // Every round of the last version is void.
        self.ask(now);
    }

    /// A message from the member `from`.
    pub fn receive(&mut self, from: NodeId, message: Message, now: Time) {
        match message {
            Message::Ask(ask) => self.answer(from, ask, now),
            Message::Confirm { version, round } => {
                let Some(seat) = &mut self.seat else { return };
                if seat.table.version() == version && seat.table.member(from).is_some() {
                    seat.lease.confirm(from, round, now);
                    seat.renew(&self.timing, now);
                }
            }
            Message::Refuse { version } => self.newest = self.newest.max(version),
            // Nodes read it where it is kept.
            Message::Table(table) => self.newest = self.newest.max(table.version()),
            Message::Join(newcomer) => {
                let is_known = |known: &Newcomer| known.name == newcomer.name;
                self.newcomers.retain(|known| !is_known(known));
                if self.newcomers.len() < NEWCOMERS_MOST {
                    self.newcomers.push(newcomer);
                }
            }
        }
    }

    fn answer(&mut self, from: NodeId, ask: Ask, now: Time) {
        let Some(seat) = &mut self.seat else { return };
        let version = seat.table.version();
        if ask.version > version {
            // Confirmed when this side has it, too.
            self.newest = self.newest.max(ask.version);
        } else if ask.version < version && !planted(Bug::OldVersionConfirmed) {
            self.outgoing.push((from, Message::Refuse { version }));
        } else if seat.table.member(from).is_some() {
            let (version, round) = (ask.version, ask.round);
            self.outgoing
                .push((from, Message::Confirm { version, round }));
        }
        seat.hear(from, ask, now);
    }

    /// Does what is due.
    pub fn tick(&mut self, now: Time) {
        if let Some(seat) = &mut self.seat {
            seat.renew(&self.timing, now);
        }
        if now >= self.next_tick {
            self.ask(now);
        }
    }

    /// When [`tick`](Self::tick) is due.
    #[must_use]
    pub fn next_tick(&self) -> Time {
        let settling = self.seat.as_ref().and_then(|seat| seat.settling.first());
        let settles = settling.map_or(Time::MAX, |(_, at)| *at);
        self.next_tick.min(settles)
    }

    /// Asks the members to be admitted, if it is not among them. They forget it with each new version.
    fn knock(&mut self) {
        let Some(table) = self.outside.as_ref().filter(|_| !self.is_leaving) else {
            return;
        };
        if table.named(&self.who.name).is_none() {
            let members = table.members().iter();
            self.outgoing
                .extend(members.map(|member| (member.id, Message::Join(self.who.clone()))));
        }
    }

    fn ask(&mut self, now: Time) {
        self.next_tick = now + self.timing.ask_every;
        let Some(seat) = &mut self.seat else {
            return self.knock();
        };
        self.round += 1;
        seat.lease.ask(self.round, now);
        seat.renew(&self.timing, now);
        let ask = Ask {
            version: seat.table.version(),
            round: self.round,
            has_lease: seat.lease.holds(now),
            is_settled: seat.is_settled(now),
            let_go: seat.let_go,
            silent: seat.silent(&self.timing, 0, now),
        };
        let others = seat.table.members().iter().map(|member| member.id);
        let others = others.filter(|id| *id != seat.me);
        self.outgoing
            .extend(others.map(|id| (id, Message::Ask(ask.clone()))));
    }

    /// What is to be sent, and to whom.
    pub fn take_outgoing(&mut self) -> Vec<(NodeId, Message)> {
        std::mem::take(&mut self.outgoing)
    }

    /// Every turn of a slot that `version`, or one before it, has given to others is over, and its
    /// state is saved.
    pub fn let_go(&mut self, version: u64, now: Time) {
        if let Some(seat) = &mut self.seat
            && version > seat.let_go.last
        {
            seat.let_go.last = version.min(seat.table.version());
            seat.let_go_at = now;
            self.ask(now);
        }
    }

    /// The node is to leave: its slots are given to others first.
    pub fn leave(&mut self) {
        self.is_leaving = true;
    }

    /// Whether it is to leave.
    #[must_use]
    pub fn is_leaving(&self) -> bool {
        self.is_leaving
    }

    /// The change of the table that is this node's to write, if any: behind the version of
    /// [`table`](Self::table), and nothing else.
    ///
    /// Only who has a lease may write one: so no version follows one that the majority does not know.
    #[must_use]
    pub fn change(&self, now: Time) -> Option<Change> {
        let seat = self.seat.as_ref()?;
        let is_confirmed = seat.lease.is_confirmed(now) || planted(Bug::UnconfirmedChange);
        if !is_confirmed || self.wants_table() {
            return None;
        }
        let me = seat.table.member(seat.me)?;
        let is_calm = seat.is_calm(&self.timing, now);
        if self.is_leaving {
            match me.status {
                Status::Active if !is_calm => {}
                Status::Active => return Some(Change::Drain(me.id)),
                Status::Draining if seat.all_know_what_it_let_go() => {
                    return Some(Change::Remove(me.id));
                }
                Status::Draining => {}
            }
        }
        if let Some(lost) = seat.lost(&self.timing, now) {
            return Some(Change::Remove(lost));
        }
        if !is_calm {
            return None;
        }
        let newcomer = self
            .newcomers
            .iter()
            .find(|newcomer| seat.table.named(&newcomer.name).is_none());
        newcomer.cloned().map(Change::Admit)
    }
}

impl Seat {
    fn new(
        me: NodeId,
        table: Arc<Table>,
        before: Option<Seat>,
        timing: &Timing,
        now: Time,
    ) -> Self {
        let version = table.version();
        let mut seat = match before {
            Some(mut before) => {
                before.settle(now);
                Seat {
                    lease: before.lease.carried(),
                    let_go: before.let_go_by(&table),
                    handed: before.still_handed(&table),
                    ..before
                }
            }
            None => Seat {
                me,
                table: table.clone(),
                lease: Lease::new(),
                // Before the first version, nobody had anything.
                settled: u64::from(version == 1),
                settling: Vec::new(),
                handed: SlotSet::new(),
                let_go: Versions {
                    first: version + 1,
                    last: version,
                },
                let_go_at: now,
                peers: BTreeMap::new(),
                changes: 0,
                began: now,
            },
        };
        let known = std::mem::take(&mut seat.peers);
        let others = table.members().iter().filter(|member| member.id != me);
        let peers = others.map(|member| {
            // How long its last process was silent is not held against who was started again.
            let was = seat.table.member(member.id);
            let is_same = was.is_some_and(|was| was.incarnation == member.incarnation);
            let peer = known.get(&member.id).filter(|_| is_same).cloned();
            (member.id, peer.unwrap_or_else(|| Peer::new(now)))
        });
        seat.peers = peers.collect();
        seat.table = table;
        seat.began = now;
        if planted(Bug::EarlySettling) {
            let at = now + timing.settling();
            seat.settling.push((version, at));
        }
        seat.take_what_was_let_go();
        seat
    }

    /// Whether nobody else can hold a slot that the table says is this member's.
    #[inline]
    fn is_mine_alone(&self, slot: u16, now: Time) -> bool {
        let since = self.table.deed(slot).since;
        since <= self.settled
            || self.handed.contains(slot)
            || self
                .settling
                .iter()
                .any(|(version, at)| since <= *version && *at <= now)
    }

    /// Whether all is held alone that the table says is this member's.
    fn is_settled(&self, now: Time) -> bool {
        // Every deed is of this version or an earlier one.
        if self.settled >= self.table.version() {
            return true;
        }
        (0..=u16::MAX)
            .filter(|slot| self.table.owner(*slot) == Some(self.me))
            .all(|slot| self.is_mine_alone(slot, now))
    }

    /// Whether slots may be moved that need not be: what was moved last has come to rest, so that
    /// nobody has to wait for leases. Who is silent is waited for only as long as they last.
    fn is_calm(&self, timing: &Timing, now: Time) -> bool {
        let version = self.table.version();
        now.since(self.began) > timing.settling() + timing.ask_every * 2
            || self.peers.values().all(|peer| peer.settled == version) && self.is_settled(now)
    }

    /// What it can say to have let go of, once `next` is its table and all is let go of. Only what
    /// it held alone; and only of a version that it has seen the one before of, since others may have
    /// had its slots in between.
    fn let_go_by(&self, next: &Table) -> Versions {
        let is_next = next.version() == self.table.version() + 1 || planted(Bug::MissedVersions);
        let held_all = || {
            if self.settled >= self.table.version() {
                return true;
            }
            (0..=u16::MAX)
                .filter(|slot| self.table.owner(*slot) == Some(self.me))
                .filter(|slot| next.deed(*slot).since == next.version())
                .all(|slot| self.is_mine_alone(slot, Time::ZERO))
        };
        if is_next && (planted(Bug::BorrowedSlots) || held_all()) {
            let mut let_go = self.let_go;
            if planted(Bug::HastyLettingGo) {
                let_go.last = next.version();
            }
            let_go
        } else {
            Versions {
                first: next.version() + 1,
                last: self.let_go.last,
            }
        }
    }

    /// The slots that were handed to it and that are its own by the same deed still.
    fn still_handed(&self, next: &Table) -> SlotSet {
        let mut handed = SlotSet::new();
        for slot in 0..=u16::MAX {
            let is_same = next.owner(slot) == Some(self.me)
                && (next.deed(slot).since == self.table.deed(slot).since
                    || planted(Bug::StaleHandover));
            if is_same && self.handed.contains(slot) {
                handed.insert(slot);
            }
        }
        handed
    }

    /// Takes the slots that their last owners have let go of.
    fn take_what_was_let_go(&mut self) {
        if self
            .peers
            .values()
            .all(|peer| peer.let_go == Versions::NONE)
        {
            return;
        }
        for slot in 0..=u16::MAX {
            let deed = self.table.deed(slot);
            let is_handed = || {
                let peer = deed.from.and_then(|from| self.peers.get(&from));
                peer.is_some_and(|peer| peer.let_go.contains(deed.since))
            };
            if self.table.owner(slot) == Some(self.me) && !self.handed.contains(slot) && is_handed()
            {
                self.handed.insert(slot);
                self.changes += 1;
            }
        }
    }

    /// Counts versions as settled whose time has come.
    fn settle(&mut self, now: Time) {
        while let Some((version, at)) = self.settling.first().copied() {
            if at > now {
                break;
            }
            self.settled = self.settled.max(version);
            self.changes += 1;
            self.settling.remove(0);
        }
    }

    fn renew(&mut self, timing: &Timing, now: Time) {
        self.settle(now);
        let version = self.table.version();
        let is_settling = self
            .settling
            .last()
            .is_some_and(|(last, _)| *last == version);
        if self.lease.renew(&self.table, self.me, timing, now)
            && self.settled < version
            && !is_settling
        {
            let wait = if planted(Bug::UnsettledSlots) {
                Duration::ZERO
            } else {
                timing.settling()
            };
            self.settling.push((version, now + wait));
        }
    }

    fn hear(&mut self, from: NodeId, ask: Ask, now: Time) {
        let Some(peer) = self.peers.get_mut(&from) else {
            return;
        };
        peer.heard = now;
        if ask.is_settled {
            peer.settled = peer.settled.max(ask.version);
        }
        if ask.has_lease {
            peer.alive = now;
        }
        peer.silent = ask.silent;
        if peer.let_go != ask.let_go {
            peer.let_go = ask.let_go;
            self.take_what_was_let_go();
        }
    }

    /// Members that were silent for as long as it takes, and for so many rounds more. Nobody can be
    /// blamed by who was cut off himself.
    fn silent(&self, timing: &Timing, rounds: u32, now: Time) -> Vec<NodeId> {
        let Some(held_since) = self.lease.held_since(now) else {
            return Vec::new();
        };
        let limit = timing.silence + timing.ask_every * rounds;
        let silent = self.peers.iter().filter(|(_, peer)| {
            let since = peer.alive.max(peer.known_since).max(held_since);
            now.since(since) > limit
        });
        silent.map(|(id, _)| *id).collect()
    }

    /// A member that the majority takes for lost, if this one is to remove it: those with lower
    /// numbers go first.
    fn lost(&self, timing: &Timing, now: Time) -> Option<NodeId> {
        let silent = self.silent(timing, 0, now);
        let before_me = self.peers.keys().filter(|id| **id < self.me);
        let before_me = before_me.filter(|id| !silent.contains(id)).count();
        let rank = u32::try_from(before_me).unwrap_or(u32::MAX).min(8);
        let fresh = timing.silence;
        self.silent(timing, rank * 2, now).into_iter().find(|lost| {
            let agree = self.peers.iter().filter(|(id, peer)| {
                *id != lost && now.since(peer.heard) <= fresh && peer.silent.contains(lost)
            });
            agree.count() + 1 >= self.table.majority()
        })
    }

    /// Whether nothing is left to let go of, and every member that is not silent has heard of that.
    fn all_know_what_it_let_go(&self) -> bool {
        self.let_go.last >= self.table.version()
            && self.peers.keys().all(|id| {
                let confirmed = self.lease.confirmed_by(*id);
                confirmed.is_some_and(|at| at >= self.let_go_at)
            })
    }
}

impl Peer {
    fn new(now: Time) -> Self {
        Peer {
            known_since: now,
            alive: Time::ZERO,
            heard: Time::ZERO,
            let_go: Versions::NONE,
            settled: 0,
            silent: Vec::new(),
        }
    }
}

impl Membership {
    /// The members beside this one that the table names.
    pub fn others(&self) -> impl Iterator<Item = &Member> {
        let me = self.me();
        let table = self.table();
        let members = table.into_iter().flat_map(|table| table.members());
        members.filter(move |member| Some(member.id) != me)
    }
}
