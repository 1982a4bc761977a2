//! What can be wrong between nodes: cut off from each other, standing still, with clocks that run
//! too fast or too slow.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::SimWorld;
use super::world::{Event, World};
use crate::time::Time;

/// How long a connection that finds no way waits until it tries again.
const KNOCK_AGAIN: Duration = Duration::from_millis(50);

#[derive(Default)]
pub(super) struct Nodes {
    /// From whom nothing reaches whom.
    cuts: BTreeSet<(u16, u16)>,
    paused: BTreeSet<u16>,
    /// How much faster clocks run than true time, in thousandths.
    drifts: BTreeMap<u16, i32>,
}

impl SimWorld {
    /// Has nothing that `from` sends reach `to`, or everything again, what was held up first. Bytes
    /// are not lost, as TCP sends them again; connections can't be made while either way is cut.
    pub fn set_cut(&self, from: u16, to: u16, is_cut: bool) {
        let mut world = self.inner.borrow_mut();
        if is_cut {
            world.nodes.cuts.insert((from, to));
        } else if world.nodes.cuts.remove(&(from, to)) {
            world.let_through(from, to);
        }
    }

    /// Stops `node` where it stands, as SIGSTOP does, or has it go on. Its clock goes on anyway, and
    /// what is sent to it waits.
    pub fn set_paused(&self, node: u16, is_paused: bool) {
        let mut world = self.inner.borrow_mut();
        if is_paused {
            world.nodes.paused.insert(node);
        } else {
            world.nodes.paused.remove(&node);
        }
    }

    /// Whether `node` stands still.
    #[must_use]
    pub fn is_paused(&self, node: u16) -> bool {
        self.inner.borrow().nodes.paused.contains(&node)
    }

    /// Has `node`'s clock run so many thousandths too fast, or too slow. To be said before its first
    /// driver is made: a clock that has run is not set.
    pub fn set_drift(&self, node: u16, per_mille: i32) {
        let mut world = self.inner.borrow_mut();
        world.nodes.drifts.insert(node, per_mille);
    }
}

impl Nodes {
    pub(super) fn is_paused(&self, node: u16) -> bool {
        self.paused.contains(&node)
    }

    pub(super) fn is_cut(&self, from: u16, to: u16) -> bool {
        self.cuts.contains(&(from, to))
    }

    fn rate(&self, node: u16) -> u128 {
        let drift = self.drifts.get(&node).copied().unwrap_or(0);
        u128::from(u32::try_from(1000 + drift.clamp(-900, 900)).unwrap_or(1000))
    }

    /// What `node`'s clock shows at the world's `time`.
    pub(super) fn shown(&self, node: u16, time: Time) -> Time {
        let nanos = u128::from(time.as_nanos()) * self.rate(node) / 1000;
        Time::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// When `node`'s clock shows `time`.
    pub(super) fn true_time(&self, node: u16, time: Time) -> Time {
        let nanos = (u128::from(time.as_nanos()) * 1000).div_ceil(self.rate(node));
        Time::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

impl World {
    /// The node of a shard.
    pub(super) fn node_of(&self, shard: u16) -> u16 {
        self.shards.get(&shard).map_or(0, |state| state.node)
    }

    /// What `shard`'s clock shows.
    pub(super) fn shown_time(&self, shard: u16) -> Time {
        self.nodes.shown(self.node_of(shard), self.now())
    }

    /// A connection finds no way to `addr` for now: it knocks again later.
    pub(super) fn knocks_again(
        &mut self,
        shard: u16,
        addr: std::net::SocketAddr,
        number: u64,
    ) -> bool {
        let here = self.node_of(shard);
        let there = self.listener_shard(addr).map(|shard| self.node_of(shard));
        let is_cut = there
            .is_some_and(|there| self.nodes.is_cut(here, there) || self.nodes.is_cut(there, here));
        if is_cut {
            self.schedule(self.now() + KNOCK_AGAIN, Event::Due(number));
        }
        is_cut
    }
}
