//! A player: told every tick what it sees, and free to answer with what it does.

use std::sync::Arc;

use quark::prelude::*;

use super::World;
use super::zone::{REACH, Zone, ZoneRef, stride};

/// Others that a player sees at most: the nearest.
const SIGHTS: usize = 6;
/// Ticks between two hits.
const BREATH: u64 = 10;
/// A player turns once in so many ticks, in the mean.
const STEADY: u64 = 20;

/// A player.
pub(crate) struct Player {
    world: Arc<World>,
    number: u32,
    /// The square it was last told of, and its key.
    zone: Option<(u64, ZoneRef)>,
    /// The latest tick it was told of.
    latest: u64,
    /// The 64 ticks up to that one: a bit for each that it was told of.
    told: u64,
    /// When it may hit again.
    rested: u64,
}

/// What a player is told.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct View {
    tick: u64,
    /// The key of the square it is in.
    zone: u64,
    health: u8,
    count: u8,
    seen: [Seen; SIGHTS],
}

/// Another player, as seen.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seen {
    pub(super) player: u32,
    /// How far away, in centimetres.
    pub(super) dx: i16,
    pub(super) dy: i16,
}

impl View {
    pub(super) fn new(tick: u64, zone: u64, health: u8) -> Self {
        View {
            tick,
            zone,
            health,
            ..View::default()
        }
    }

    /// Adds somebody nearer than the last one so far. Gives how far that is then, squared, once
    /// there is no room for more.
    pub(super) fn insert(&mut self, seen: Seen) -> Option<i32> {
        let count = usize::from(self.count);
        let mut at = count.min(SIGHTS - 1);
        while at > 0 && self.seen[at - 1].distance() > seen.distance() {
            self.seen[at] = self.seen[at - 1];
            at -= 1;
        }
        self.seen[at] = seen;
        self.count = (count + 1).min(SIGHTS) as u8;
        (usize::from(self.count) == SIGHTS).then(|| self.seen[SIGHTS - 1].distance())
    }

    fn nearest(&self) -> Option<&Seen> {
        self.seen[..usize::from(self.count)].first()
    }
}

impl Seen {
    fn distance(&self) -> i32 {
        let (x, y) = (i32::from(self.dx), i32::from(self.dy));
        x * x + y * y
    }
}

impl Player {
    pub(super) fn new(world: Arc<World>, number: u32) -> Self {
        Player {
            world,
            number,
            zone: None,
            latest: 0,
            told: 0,
            rested: 0,
        }
    }

    /// Whether `tick` is news, and not older than what is known.
    fn learns(&mut self, tick: u64) -> bool {
        if let Some(behind) = self.latest.checked_sub(tick) {
            let bit = 1_u64.checked_shl(behind as u32).unwrap_or(0);
            if self.told & bit != 0 {
                self.world.ticks.again();
            }
            self.told |= bit;
            return behind == 0;
        }
        let ahead = (tick - self.latest) as u32;
        self.told = self.told.checked_shl(ahead).unwrap_or(0) | 1;
        self.latest = tick;
        true
    }

    fn act(&mut self, cx: &Cx<Self>, view: &View) {
        if self.zone.as_ref().is_none_or(|(key, _)| *key != view.zone) {
            self.zone = Some((view.zone, cx.actor::<Zone>(view.zone)));
        }
        let Some((_, zone)) = &self.zone else {
            return;
        };
        let nearest = view
            .nearest()
            .filter(|seen| seen.distance() <= REACH * REACH);
        // Who is about to fall runs; and what the square has no room for is not done: next time, the world looks different.
        if let Some(target) = nearest.filter(|_| view.health > 1 && view.tick >= self.rested) {
            self.rested = view.tick + BREATH;
            let _ = zone.hit(self.number, target.player).tell();
        } else if cx.random().is_multiple_of(STEADY) {
            let (dx, dy) = (stride(cx.random()), stride(cx.random()));
            let _ = zone.steer(self.number, dx, dy).tell();
        }
    }
}

#[actor(name = "game.player")]
impl Player {
    /// Begins to play in the square of that key.
    pub fn join(&mut self, cx: &Cx<Self>, zone: u64) {
        self.zone = Some((zone, cx.actor::<Zone>(zone)));
    }

    /// Sees what there is to be seen in a tick, and acts on it.
    pub fn see(&mut self, cx: &Cx<Self>, view: View) {
        if self.learns(view.tick) {
            self.act(cx, &view);
        }
        self.world.ticks.done(cx.shard(), view.tick, cx.now());
    }
}
