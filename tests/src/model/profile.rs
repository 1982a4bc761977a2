//! What a seed's world is like. Worlds differ in kind, so that each fault is also seen alone.

use std::time::Duration;

use quark::testing::{SimConfig, SimOptions};
use quark::{Credits, Engine, EngineBuilder};

use super::random::Random;

/// The world of one seed.
#[derive(Clone, Debug)]
pub(super) struct Profile {
    pub(super) options: SimOptions,
    pub(super) credits: Credits,
    pub(super) idle_after: Duration,
    pub(super) clients: u64,
    pub(super) workers: u64,
    /// No panics, no chains that can lock each other, nothing that may legally hold an actor up
    /// for long: here a long ask never times out.
    pub(super) calm: bool,
    /// The engine is shut down in the middle of it all, with this grace.
    pub(super) cut: Option<Duration>,
}

/// Credit so short that rings are always as full as they may be.
pub(super) const TINY: Credits = Credits {
    ask_slots: 24,
    reserve_slots: 8,
    tell_slots: 24,
};

impl Profile {
    pub(super) fn draw(seed: u64) -> Self {
        let mut random = Random::new(seed ^ 0x5eed);
        let calm = random.one_in(3);
        let faults = |probability: f64, on: bool| if on && !calm { probability } else { 0.0 };
        let options = SimOptions {
            shards: 2 + random.below(3) as u16,
            world: SimConfig {
                mesh_delay_probability: random.pick(&[0.0, 0.05, 0.3]),
                mesh_budget_max: random.pick(&[1, 4, 32]),
                ..SimConfig::default()
            },
            panic_probability: faults(0.003, random.one_in(2)),
            stall_probability: faults(0.002, random.one_in(3)),
            patience: Duration::from_secs(200),
            ..SimOptions::default()
        };
        Profile {
            options,
            credits: if random.one_in(3) {
                TINY
            } else {
                Credits::default()
            },
            idle_after: random.pick(&[
                Duration::from_millis(2),
                Duration::from_millis(20),
                Duration::MAX,
            ]),
            clients: 4 + random.below(8),
            workers: random.pick(&[4, 12, 40]),
            calm,
            cut: random
                .one_in(4)
                .then(|| Duration::from_micros(random.pick(&[0, 300, 20_000]))),
        }
    }

    pub(super) fn builder(&self, seed: u64) -> EngineBuilder {
        Engine::builder()
            .seed(seed)
            .credits(self.credits)
            .idle_after(self.idle_after)
            .timeout(LONG)
            .mailbox(8)
            .grace(self.cut.unwrap_or(Duration::from_secs(60)))
    }

    pub(super) fn injects_panics(&self) -> bool {
        self.options.panic_probability > 0.0
    }

    /// How late an answer may be beyond what the engine promises: what a pass or a stall takes.
    pub(super) fn slack(&self) -> Duration {
        if self.options.stall_probability > 0.0 {
            Duration::from_millis(900)
        } else {
            Duration::from_millis(20)
        }
    }
}

/// How long asks wait that are not meant to time out.
pub(super) const LONG: Duration = Duration::from_secs(2);
