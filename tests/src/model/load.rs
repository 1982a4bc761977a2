//! One run of the model.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use quark::testing::Sim;

use super::actors::{KEEPER_MAILBOX, Naps, Worker, register};
use super::clients::{Client, all, settle};
use super::counts::{Counts, Kind};
use super::oracle::{self, Asked, Mail, May};
use super::profile::Profile;
use super::random::Random;

/// What a run has left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The hash of all that happened, in order.
    pub trace: u64,
    /// Messages sent.
    pub messages: u64,
    /// What they were.
    pub counts: Counts,
}

type Step = Pin<Box<dyn Future<Output = ()>>>;

/// Clients outside all shards.
const OUTSIDE: u64 = 2;
/// Longer than any shutdown takes, whose asks hear of their answers only after it.
const ENDLESS: Duration = Duration::from_secs(300);
/// Asks that a shutdown meets.
const LAST_ASKS: u64 = 12;

/// Runs the world of `seed` with at least `messages` messages.
///
/// # Panics
/// When a rule was broken.
#[must_use]
pub fn run(seed: u64, messages: u64) -> Outcome {
    let profile = Rc::new(Profile::draw(seed));
    let builder = register(profile.builder(seed));
    let sim = builder
        .simulate(seed, profile.options.clone())
        .expect("the model's types are in order");
    oracle::begin(sim.recorder(), profile.slack());
    let ran = catch_unwind(AssertUnwindSafe(|| drive(sim, &profile, messages)));
    let mut oracle = oracle::end().expect("a run was begun");
    // What broke first says more than what came of it.
    if let Some(rule) = oracle.broken() {
        panic!("a rule was broken: {rule}\nin {profile:?}");
    }
    match ran {
        Ok((trace, mut counts)) => {
            counts += &oracle.counts;
            Outcome {
                trace,
                messages: oracle.messages(),
                counts,
            }
        }
        Err(panic) => resume_unwind(panic),
    }
}

fn drive(sim: Sim, profile: &Rc<Profile>, messages: u64) -> (u64, Counts) {
    let mut random = Random::new(sim.seed());
    // Where the run is cut off, nobody shall be done by then.
    let planned = messages << u32::from(profile.cut.is_some());
    let each = planned.div_ceil(profile.clients + OUTSIDE);
    let mut client = |outside| Client::new(sim.engine(), profile, random.next(), each, outside);
    for number in 0..profile.clients {
        let shard = number % u64::from(profile.options.shards);
        sim.spawn_on(shard as u16, client(false).run());
    }
    let outside = (0..OUTSIDE).map(|_| -> Step { Box::pin(client(true).run()) });
    let outside = outside.collect();
    if let Some(grace) = profile.cut {
        return cut(sim, messages, outside, profile, grace);
    }
    sim.block_on(all(outside));
    let mut counts = Counts::default();
    while sim.tasks() > 0 {
        sim.run_for(Duration::from_millis(2));
        let full = sim
            .list()
            .into_iter()
            .filter(|actor| actor.id.actor == "Keeper" && actor.waiting > KEEPER_MAILBOX);
        counts.add(Kind::Waiting, full.count() as u64);
        keep_rules();
        out_of_patience(&sim, profile);
    }
    // The last timers.
    sim.run_for(Duration::from_millis(50));
    sim.run_until_idle();
    account_for_tells(&sim, profile);
    add_simulated(&mut counts, &sim);
    let recorder = sim.recorder();
    shut_down(sim, &mut random, profile);
    (recorder.trace(), counts)
}

fn add_simulated(counts: &mut Counts, sim: &Sim) {
    let simulated = sim.counts();
    counts.add(Kind::InjectedPanic, simulated.panics);
    counts.add(Kind::Stall, simulated.stalls);
    counts.add(Kind::Restart, simulated.restarted);
    counts.add(Kind::Deactivation, simulated.deactivated);
    counts.add(Kind::Delay, simulated.delays);
    counts.add(Kind::DeadLetter, sim.dead_letters().total);
}

/// Lets the world run until there were so many messages, and shuts the engine down under everyone's hands.
fn cut(
    sim: Sim,
    messages: u64,
    mut outside: Vec<Step>,
    profile: &Profile,
    grace: Duration,
) -> (u64, Counts) {
    let mut cx = Context::from_waker(Waker::noop());
    let mut poll = |outside: &mut Vec<Step>| {
        outside.retain_mut(|client| client.as_mut().poll(&mut cx).is_pending());
    };
    while sim.tasks() > 0 && oracle::with(|oracle| oracle.messages()) < messages {
        poll(&mut outside);
        sim.run_for(Duration::from_micros(50));
        keep_rules();
        out_of_patience(&sim, profile);
    }
    oracle::stopping(grace);
    let mut counts = Counts::default();
    counts.add(Kind::Cut, 1 + sim.tasks() as u64);
    add_simulated(&mut counts, &sim);
    let recorder = sim.recorder();
    sim.shutdown();
    // Each hears that the engine has stopped, for whatever else it tries.
    poll(&mut outside);
    oracle::must(outside.is_empty(), || {
        "a call from outside went without an answer at shutdown".to_owned()
    });
    drop(outside);
    nothing_is_left();
    (recorder.trace(), counts)
}

fn out_of_patience(sim: &Sim, profile: &Profile) {
    if sim.now() > quark::Time::ZERO + profile.options.patience {
        panic!("{} clients don't come to an end", sim.tasks());
    }
}

fn keep_rules() {
    if let Some(rule) = oracle::with(oracle::Oracle::broken) {
        oracle::breaks(rule.clone());
        panic!("{rule}");
    }
}

/// One-way messages that were taken have run, or are dead letters; or their turn's first poll
/// was the one that panicked.
fn account_for_tells(sim: &Sim, profile: &Profile) {
    // Those that are kept, with their messages, are nobody's any more.
    sim.clear_dead_letters();
    let (vain, left) = oracle::with(|oracle| (oracle.told_in_vain(), oracle.left_over()));
    if let Some(left) = left {
        oracle::breaks(left);
    }
    let dead = sim.dead_letters().total;
    let lost = if profile.injects_panics() {
        sim.counts().panics
    } else {
        0
    };
    oracle::must(vain >= dead && vain <= dead + lost, || {
        format!(
            "{vain} one-way messages were taken and never ran, {dead} are dead letters, and at \
             most {lost} panicked"
        )
    });
    keep_rules();
}

/// Shuts down while asks are under way: each gets an answer.
fn shut_down(sim: Sim, random: &mut Random, profile: &Profile) {
    let workers: Vec<_> = (0..LAST_ASKS)
        .map(|_| sim.actor::<Worker>(random.below(profile.workers)))
        .collect();
    let me = oracle::new_sender();
    let mut asks: Vec<Pin<Box<dyn Future<Output = ()> + '_>>> = Vec::new();
    for worker in &workers {
        let naps = Naps {
            count: random.below(4),
            micros: random.below(3_000),
        };
        let letter = Mail::from(me);
        let may = May {
            panic: profile.injects_panics(),
            restart: !profile.calm,
            stop: false,
            time_out: false,
            wait_in_vain: true,
        };
        oracle::count(Kind::AtShutdown);
        let asked = Asked::new(&letter, ENDLESS, may);
        let call = worker.slow(letter, naps).timeout(ENDLESS);
        asks.push(Box::pin(settle(asked, call)));
    }
    let mut cx = Context::from_waker(Waker::noop());
    asks.retain_mut(|ask| ask.as_mut().poll(&mut cx).is_pending());
    oracle::stopping(Duration::ZERO);
    sim.run_for(Duration::from_micros(random.below(200)));
    sim.shutdown();
    for ask in &mut asks {
        let answered = ask.as_mut().poll(&mut cx) != Poll::Pending;
        oracle::must(answered, || {
            "an ask went without an answer at shutdown".to_owned()
        });
    }
    drop(asks);
    nothing_is_left();
}

/// Nothing outlives its engine.
fn nothing_is_left() {
    let left = oracle::with(|oracle| (oracle.alive(), oracle.left_over()));
    oracle::must(left.0 == 0, || {
        format!("{} instances outlived their engine", left.0)
    });
    if let Some(left) = left.1 {
        oracle::breaks(left);
    }
    keep_rules();
}
