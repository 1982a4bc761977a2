//! Who sets the world up and counts its players: nobody may be lost, or be in two places.

use std::sync::Arc;
use std::time::Duration;

use quark::Time;
use quark::prelude::*;

use super::zone::{Roll, Tally, Zone};
use super::{PURSE, World};

/// From the last preparation to the first tick.
const HEAD_START: Duration = Duration::from_millis(50);

/// The master of the game.
pub(crate) struct Master {
    world: Arc<World>,
}

/// What was found when all squares were asked who is there.
#[derive(Clone, Debug, Default)]
pub(crate) struct Census {
    /// What has happened in all squares.
    pub(crate) tally: Tally,
    missing: usize,
    doubled: usize,
    strangers: usize,
    coins: u64,
    unanswered: usize,
}

impl Master {
    pub(super) fn new(world: Arc<World>) -> Self {
        Master { world }
    }
}

#[actor(name = "game.master")]
impl Master {
    /// Places all players, and says when the first tick is due.
    pub async fn open(&mut self, cx: &Cx<Self>) -> Result<Time, CallError> {
        let map = self.world.map;
        for square in map.squares() {
            let residents = map.residents(square, self.world.players);
            cx.actor::<Zone>(square.key()).open(residents).await?;
        }
        let start = cx.now() + HEAD_START;
        for square in map.squares() {
            cx.actor::<Zone>(square.key()).start(start).await?;
        }
        Ok(start)
    }

    /// The time on the world's clock.
    pub fn time(&self, cx: &Cx<Self>) -> Time {
        cx.now()
    }

    /// Asks all squares who is there; only after the last tick are none between two of them.
    pub async fn count(&mut self, cx: &Cx<Self>) -> Census {
        let mut census = Census::default();
        let mut seen = vec![0_u8; self.world.players as usize];
        for square in self.world.map.squares() {
            let Ok(roll) = cx.actor::<Zone>(square.key()).roll().await else {
                census.unanswered += 1;
                continue;
            };
            census.add(&roll, &mut seen);
        }
        census.missing = seen.iter().filter(|seen| **seen == 0).count();
        census.doubled = seen.iter().filter(|seen| **seen > 1).count();
        census
    }
}

impl Census {
    fn add(&mut self, roll: &Roll, seen: &mut [u8]) {
        for player in &roll.players {
            match seen.get_mut(*player as usize) {
                Some(seen) => *seen = seen.saturating_add(1),
                None => self.strangers += 1,
            }
        }
        self.coins += roll.coins;
        self.tally.crossings += roll.tally.crossings;
        self.tally.across += roll.tally.across;
        self.tally.hits += roll.tally.hits;
        self.tally.stale += roll.tally.stale;
    }

    /// Whether everybody is in one square and all coins are there, and no player was told of a
    /// tick twice.
    ///
    /// # Errors
    ///
    /// What is wrong.
    pub(crate) fn check(&self, world: &World) -> Result<(), String> {
        let coins = u64::from(world.players) * u64::from(PURSE);
        let found = [
            (self.unanswered as u64, 0, "squares without an answer"),
            (self.missing as u64, 0, "players in no square"),
            (self.doubled as u64, 0, "players in two squares"),
            (self.strangers as u64, 0, "players whom nobody knows"),
            (self.coins, coins, "coins"),
            (world.ticks.doubled(), 0, "updates that came twice"),
        ];
        for (found, expected, what) in found {
            if found != expected {
                return Err(format!("{found} {what} instead of {expected}"));
            }
        }
        Ok(())
    }
}
