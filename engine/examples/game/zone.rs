//! A square of the world: it moves what is in it once a tick, settles who hits whom, and tells
//! every player in it what that one sees. Who leaves is handed over to the next square, which may
//! live on another core.

use std::sync::Arc;

use quark::Time;
use quark::prelude::*;

use super::player::{Player, PlayerRef, Seen, View};
use super::{PURSE, SIDE, Square, World};

/// As far as players see, in centimetres.
const SIGHT: i32 = 2_500;
/// As far as they reach.
pub(super) const REACH: i32 = 200;
/// How far they run in a tick, at most, on either axis.
const STRIDE: i32 = 30;
const HEALTH: u8 = 3;

/// A square and those in it.
pub(crate) struct Zone {
    world: Arc<World>,
    square: Square,
    /// When the first tick was due.
    start: Time,
    /// The tick to come.
    next: u64,
    bodies: Vec<Body>,
    /// Whose bodies they are, in the same order.
    players: Vec<PlayerRef>,
    /// Who has come, with the tick in which it moves on from here.
    arrivals: Vec<(u64, Body)>,
    hits: Vec<(u32, u32)>,
    tally: Tally,
}

/// What a square knows of a player: goes with it to the next square.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Body {
    player: u32,
    /// From the square's corner, in centimetres.
    x: i32,
    y: i32,
    /// In a tick.
    dx: i8,
    dy: i8,
    health: u8,
    coins: u32,
    /// The shard it comes from.
    shard: u16,
}

/// What has happened in a square so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    /// Players that came from another square.
    pub(crate) crossings: u64,
    /// Those among them that came from another shard.
    pub(crate) across: u64,
    /// Hits that hit.
    pub(crate) hits: u64,
    /// Words of players that had left meanwhile, or were out of reach.
    pub(crate) stale: u64,
}

/// Who is in a square.
#[derive(Clone, Debug)]
pub(crate) struct Roll {
    pub(super) players: Vec<u32>,
    pub(super) coins: u64,
    pub(super) tally: Tally,
}

impl Zone {
    pub(super) fn new(world: Arc<World>, square: Square) -> Self {
        Zone {
            world,
            square,
            start: Time::ZERO,
            next: 0,
            bodies: Vec::new(),
            players: Vec::new(),
            arrivals: Vec::new(),
            hits: Vec::new(),
            tally: Tally::default(),
        }
    }
}

#[actor(name = "game.zone")]
impl Zone {
    /// Takes its first players in, and wakes them.
    pub async fn open(&mut self, cx: &Cx<Self>, residents: Vec<u32>) {
        for player in residents {
            let body = Body {
                player,
                x: below(cx.random(), SIDE),
                y: below(cx.random(), SIDE),
                dx: stride(cx.random()),
                dy: stride(cx.random()),
                health: HEALTH,
                coins: PURSE,
                shard: cx.shard(),
            };
            let reference = cx.actor::<Player>(player);
            // A player that can't be woken is missed when all are counted.
            if reference.join(self.square.key()).await.is_ok() {
                self.bodies.push(body);
                self.players.push(reference);
            }
        }
    }

    /// Has the first tick run at `start`, and all others after it, each when it is due.
    pub fn start(&mut self, cx: &Cx<Self>, start: Time) {
        self.start = start;
        self.arm(cx);
    }

    /// Runs a tick. While it waits for room in the rings, whatever else comes waits for it.
    pub async fn tick(&mut self, cx: &Cx<Self>) {
        if self.next > self.world.ticks.last() {
            return;
        }
        let tick = self.next;
        self.settle_hits();
        let mut at = 0;
        while at < self.bodies.len() {
            match self.advance(at) {
                None => at += 1,
                Some((to, body)) => hand_over(cx, to, body, tick).await,
            }
        }
        // Those who came have moved in this tick already, in the square that they came from.
        let mut arrivals = std::mem::take(&mut self.arrivals);
        arrivals.retain(|(moved, body)| {
            if *moved == tick {
                self.take_in(cx, *body);
            }
            *moved != tick
        });
        self.arrivals = arrivals;
        for at in 0..self.bodies.len() {
            self.show(at, tick).await;
        }
        self.next += 1;
        self.arm(cx);
    }

    /// Takes in a player that came from another square in `tick`.
    pub async fn enter(&mut self, cx: &Cx<Self>, mut body: Body, mut tick: u64) {
        self.tally.crossings += 1;
        self.tally.across += u64::from(body.shard != cx.shard());
        if tick >= self.next {
            self.arrivals.push((tick, body));
            return;
        }
        // This square is ahead: the player catches up, perhaps to somewhere else.
        let player = cx.actor::<Player>(body.player);
        while tick + 1 < self.next {
            let view = self.view(&body, tick);
            if player.see(view).send().await.is_err() {
                return;
            }
            tick += 1;
            if let Some((to, body)) = self.step(&mut body) {
                hand_over(cx, to, body, tick).await;
                return;
            }
        }
        self.take_in(cx, body);
        self.show(self.bodies.len() - 1, tick).await;
    }

    /// A player turns.
    pub fn steer(&mut self, player: u32, dx: i8, dy: i8) {
        match self.find(player) {
            Some(at) => (self.bodies[at].dx, self.bodies[at].dy) = (dx, dy),
            None => self.tally.stale += 1,
        }
    }

    /// A player hits another. In the next tick it is seen whether it does.
    pub fn hit(&mut self, player: u32, target: u32) {
        self.hits.push((player, target));
    }

    /// Who is here, and what has happened.
    pub fn roll(&self) -> Roll {
        Roll {
            players: self.bodies.iter().map(|body| body.player).collect(),
            coins: self.bodies.iter().map(|body| u64::from(body.coins)).sum(),
            tally: self.tally,
        }
    }
}

impl Zone {
    fn arm(&self, cx: &Cx<Self>) {
        if self.next <= self.world.ticks.last() {
            let due = self.world.ticks.due(self.start, self.next);
            cx.after(due.since(cx.now()), |me| me.tick());
        }
    }

    fn find(&self, player: u32) -> Option<usize> {
        self.bodies.iter().position(|body| body.player == player)
    }

    /// Hits whose parties are still here and in reach of each other: the third takes a coin.
    fn settle_hits(&mut self) {
        for (player, target) in std::mem::take(&mut self.hits) {
            let (Some(one), Some(other)) = (self.find(player), self.find(target)) else {
                self.tally.stale += 1;
                continue;
            };
            if one == other || distance(&self.bodies[one], &self.bodies[other]) > REACH * REACH {
                self.tally.stale += 1;
                continue;
            }
            self.tally.hits += 1;
            let hurt = &mut self.bodies[other];
            hurt.health -= 1;
            if hurt.health == 0 {
                hurt.health = HEALTH;
                let coin = hurt.coins.min(1);
                hurt.coins -= coin;
                self.bodies[one].coins += coin;
            }
        }
    }

    /// Moves the body at `at`; if it left, it is here no more.
    fn advance(&mut self, at: usize) -> Option<(Square, Body)> {
        let mut body = self.bodies[at];
        let left = self.step(&mut body);
        if left.is_some() {
            self.bodies.swap_remove(at);
            self.players.swap_remove(at);
        } else {
            self.bodies[at] = body;
        }
        left
    }

    /// One tick's way; gives the body as its next square gets it, if it left this one.
    fn step(&self, body: &mut Body) -> Option<(Square, Body)> {
        body.x += i32::from(body.dx);
        body.y += i32::from(body.dy);
        let (square, x, y) = self.world.map.locate(self.square, body.x, body.y);
        (square != self.square).then_some((square, Body { x, y, ..*body }))
    }

    fn take_in(&mut self, cx: &Cx<Self>, body: Body) {
        self.players.push(cx.actor::<Player>(body.player));
        self.bodies.push(Body {
            shard: cx.shard(),
            ..body
        });
    }

    /// Tells the player at `at` what it sees. It is not told only if the engine stops.
    async fn show(&self, at: usize, tick: u64) {
        let view = self.view(&self.bodies[at], tick);
        let _ = self.players[at].see(view).send().await;
    }

    /// What `body` sees: itself, and the nearest others in sight.
    fn view(&self, body: &Body, tick: u64) -> View {
        let mut view = View::new(tick, self.square.key(), body.health);
        let mut farthest = SIGHT * SIGHT;
        for other in &self.bodies {
            let away = distance(body, other);
            if away < farthest && other.player != body.player {
                let seen = Seen {
                    player: other.player,
                    dx: (other.x - body.x) as i16,
                    dy: (other.y - body.y) as i16,
                };
                farthest = view.insert(seen).unwrap_or(SIGHT * SIGHT);
            }
        }
        view
    }
}

async fn hand_over(cx: &Cx<Zone>, to: Square, body: Body, tick: u64) {
    // It fails only if the engine stops.
    let _ = cx.actor::<Zone>(to.key()).enter(body, tick).send().await;
}

/// Squared, in square centimetres.
fn distance(one: &Body, other: &Body) -> i32 {
    let (x, y) = (one.x - other.x, one.y - other.y);
    x * x + y * y
}

fn below(random: u64, bound: i32) -> i32 {
    (random % u64::from(bound.cast_unsigned())) as i32
}

/// A speed on one axis, drawn by chance.
pub(super) fn stride(random: u64) -> i8 {
    (below(random, 2 * STRIDE + 1) - STRIDE) as i8
}
