//! A world of squares: each square is an actor that moves what is in it, each player one that is
//! told what it sees and decides what to do.
//!
//! The example beside this folder plays in a small one; `quark-bench game` measures a large one.

pub(crate) mod master;
mod player;
mod ticks;
mod zone;

use std::sync::Arc;
use std::time::Duration;

use quark::{ActorOptions, Credits, EngineBuilder, Key};

use master::Master;
use player::Player;
pub(crate) use ticks::{Stopwatch, Ticks};
use zone::Zone;

/// A square's side, in centimetres.
const SIDE: i32 = 8_000;
/// Players to a square, in the mean.
const CROWD: u32 = 40;
/// A square next to itself would hand players over to itself.
const FEWEST_ACROSS: u32 = 2;
/// Coins that a player begins with. They change hands, and their number stays.
const PURSE: u32 = 10;
/// Messages that may wait for a square: more than its players and neighbours ever have under way,
/// for a player that is handed over must not be refused.
const MAILBOX: usize = 16_384;
/// Ring slots between two shards: a tick's messages go out in one burst.
const SLOTS: u32 = 8_192;

/// What all actors of one world share.
#[derive(Debug)]
pub(crate) struct World {
    /// How many players there are; they are numbered from 0.
    pub(crate) players: u32,
    /// When ticks are due, and which are done.
    pub(crate) ticks: Ticks,
    map: Map,
}

impl World {
    /// A world of so many players, in which a tick is due every `period` until it is
    /// [ended](Ticks::end).
    pub(crate) fn new(players: u32, shards: u16, period: Duration) -> Arc<Self> {
        Arc::new(World {
            players,
            ticks: Ticks::new(shards, period),
            map: Map::for_players(players),
        })
    }

    /// How many squares it has.
    pub(crate) fn zones(&self) -> u32 {
        self.map.across * self.map.across
    }

    /// The engine that `builder` makes can play in this world, and in no other.
    pub(crate) fn on(self: &Arc<Self>, builder: EngineBuilder) -> EngineBuilder {
        let (zones, players, master) = (self.clone(), self.clone(), self.clone());
        builder
            .credits(Credits {
                tell_slots: SLOTS,
                ..Credits::default()
            })
            .register_with::<Zone>(ActorOptions::new().mailbox(MAILBOX), move |cx| {
                Zone::new(zones.clone(), Square::of(cx.key()))
            })
            .register::<Player>(move |cx| Player::new(players.clone(), number(cx.key())))
            .register::<Master>(move |_| Master::new(master.clone()))
    }
}

/// A square's place, from the map's corner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Square {
    x: u32,
    y: u32,
}

impl Square {
    /// Its key: both numbers in one, so that near squares can be told by it.
    fn key(self) -> u64 {
        u64::from(self.y) << 32 | u64::from(self.x)
    }

    fn of(key: &Key) -> Self {
        match key {
            Key::Int(key) => Square {
                x: *key as u32,
                y: (*key >> 32) as u32,
            },
            Key::Str(_) => unreachable!("squares have numbers"),
        }
    }
}

/// Squares side by side; who leaves at one edge comes back at the other.
#[derive(Clone, Copy, Debug)]
struct Map {
    across: u32,
}

impl Map {
    fn for_players(players: u32) -> Self {
        let across = f64::from(players.div_ceil(CROWD)).sqrt().ceil() as u32;
        Map {
            across: across.max(FEWEST_ACROSS),
        }
    }

    fn squares(self) -> impl Iterator<Item = Square> {
        let across = self.across;
        (0..across).flat_map(move |y| (0..across).map(move |x| Square { x, y }))
    }

    /// Where a player begins: they are spread evenly.
    fn residents(self, square: Square, players: u32) -> Vec<u32> {
        let first = square.y * self.across + square.x;
        let step = self.across * self.across;
        (first..players).step_by(step as usize).collect()
    }

    /// The square that a place lies in, and the place as seen from its corner.
    fn locate(self, square: Square, x: i32, y: i32) -> (Square, i32, i32) {
        let wrap = |number: u32, place: i32| {
            let moved = number.cast_signed() + place.div_euclid(SIDE);
            moved.rem_euclid(self.across.cast_signed()).cast_unsigned()
        };
        let square = Square {
            x: wrap(square.x, x),
            y: wrap(square.y, y),
        };
        (square, x.rem_euclid(SIDE), y.rem_euclid(SIDE))
    }
}

/// The number of a player, which is its key.
fn number(key: &Key) -> u32 {
    match key {
        Key::Int(key) => *key as u32,
        Key::Str(_) => unreachable!("players have numbers"),
    }
}
