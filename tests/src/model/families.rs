//! A load on families of actors, whose members fail in every way there is.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::time::Duration;

use quark::testing::{Sim, SimConfig, SimOptions};
use quark::{
    ActorId, ActorOptions, Backoff, Credits, Directive, Engine, Strategy, Supervision, Tree,
    TreeNode, sleep,
};

use super::actors::{Naps, tell};
use super::clients::settle;
use super::members::{
    Chief, ChiefRef, Member, MemberRef, happened, happened_often, register, set_no_resume,
    take_events,
};
use super::oracle::{self, Asked, Mail, May};
use super::profile::TINY;
use super::random::Random;

/// What each run is made of, all runs together; none may be missing.
pub const FAMILY_EVENTS: &[&str] = &[
    "panics injected",
    "panics of methods",
    "panics of methods beside other turns",
    "failures declared",
    "restarts, one for one",
    "restarts, all for one",
    "restarts, rest for one",
    "instances that went on after a failure",
    "actors that stopped themselves",
    "children hired",
    "children stopped",
    "given up for their own failures",
    "given up for a child's failures",
    "answers that the actor was stopped",
    "answers that the actor restarted",
    "told of those who stopped",
    "told of those who were given up",
    "told of those who sleep",
    "told of those who could not be activated",
    "told of restarts",
    "watches ended",
    "children asleep in a tree",
    "children on another shard than their parents",
    "trees of three levels",
    "parents restarted for a child",
    "shutdowns in the middle of it",
    "bonds looked at from both ends",
];

/// What a run has left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FamilyOutcome {
    /// The hash of all that happened, in order.
    pub trace: u64,
    /// How often what has happened.
    pub events: BTreeMap<&'static str, u64>,
}

const MEMBERS: u64 = 16;
const CHIEFS: u64 = 3;
const CLIENTS: u64 = 6;
const LONG: Duration = Duration::from_secs(30);

/// Runs the families of `seed` with about `messages` messages; `moves` says whether members are
/// moved from shard to shard, too.
///
/// # Panics
/// When a rule was broken.
#[must_use]
pub fn run_families(seed: u64, messages: u64, moves: bool) -> FamilyOutcome {
    let mut random = Random::new(seed ^ 0xfa_417);
    let strategies = [
        Strategy::OneForOne,
        Strategy::AllForOne,
        Strategy::RestForOne,
    ];
    let strategy = random.pick(&strategies);
    let resumes = random.one_in(3);
    set_no_resume(!resumes);
    let members = rules(&mut random, strategy, resumes);
    let chiefs = rules(&mut random, strategy, resumes);
    let options = SimOptions {
        shards: 2 + random.below(3) as u16,
        world: SimConfig {
            mesh_delay_probability: random.pick(&[0.0, 0.05, 0.3]),
            mesh_budget_max: random.pick(&[1, 4, 32]),
            ..SimConfig::default()
        },
        panic_probability: random.pick(&[0.0, 0.01, 0.03]),
        patience: Duration::from_secs(600),
        ..SimOptions::default()
    };
    let builder = Engine::builder()
        .seed(seed)
        .credits(random.pick(&[TINY, Credits::default()]))
        .idle_after(random.pick(&[Duration::from_millis(3), Duration::from_secs(100)]))
        .timeout(LONG)
        .mailbox(100_000)
        .on_escalation(|escalation| {
            happened(if escalation.cause.starts_with("its child") {
                "given up for a child's failures"
            } else {
                "given up for their own failures"
            });
        });
    let sim = register(builder, [members, chiefs])
        .simulate(seed, options)
        .expect("the model's types are in order");
    take_events();
    oracle::begin(sim.recorder(), Duration::from_secs(1));
    let ran = catch_unwind(AssertUnwindSafe(|| {
        drive(sim, random, strategy, [resumes, moves], messages)
    }));
    let broken = oracle::end().and_then(|mut oracle| oracle.broken());
    if let Some(rule) = broken {
        panic!("a rule was broken: {rule}");
    }
    match ran {
        Ok(trace) => FamilyOutcome {
            trace,
            events: take_events(),
        },
        Err(panic) => resume_unwind(panic),
    }
}

fn rules(random: &mut Random, strategy: Strategy, resumes: bool) -> ActorOptions {
    ActorOptions::new().supervision(Supervision {
        strategy,
        on_failure: directive(random, resumes).unwrap_or_default(),
        restarts: random.pick(&[0, 1, 3, 10, 1000]),
        within: Duration::from_millis(random.pick(&[1, 20, 1000])),
        backoff: Backoff {
            first: Duration::from_micros(random.pick(&[0, 50, 500])),
            longest: Duration::from_millis(5),
            jitter_percent: random.pick(&[0, 20, 100]),
        },
    })
}

/// Restart, most of the time: `None`.
fn directive(random: &mut Random, resumes: bool) -> Option<Directive> {
    match random.below(8) {
        0 => Some(Directive::Stop),
        1 => Some(Directive::Escalate),
        2 if resumes => Some(Directive::Resume),
        3 => Some(Directive::Restart),
        _ => None,
    }
}

fn drive(
    sim: Sim,
    mut random: Random,
    strategy: Strategy,
    [resumes, moves]: [bool; 2],
    messages: u64,
) -> u64 {
    for _ in 0..CLIENTS {
        let client = Client {
            me: oracle::new_sender(),
            random: Random::new(random.next()),
            engine: sim.engine().clone(),
            members: (0..MEMBERS).map(|key| sim.actor::<Member>(key)).collect(),
            chiefs: (0..CHIEFS).map(|key| sim.actor::<Chief>(key)).collect(),
            resumes,
            moves,
            left: messages / CLIENTS,
        };
        let shard = client_shard(&sim, client.me);
        sim.spawn_on(shard, client.run());
    }
    if random.one_in(6) {
        // In the middle of it all: everyone is answered all the same.
        sim.run_for(Duration::from_micros(500 + random.below(20_000)));
        happened_often("shutdowns in the middle of it", u64::from(sim.tasks() > 0));
        oracle::stopping(Duration::from_secs(20));
        let recorder = sim.recorder();
        sim.shutdown();
        nothing_is_left();
        return recorder.trace();
    }
    while sim.tasks() > 0 {
        sim.run_for(Duration::from_millis(1));
        look_at(&sim.tree());
        keep_rules();
    }
    sim.run_until_idle();
    let counts = sim.counts();
    happened_often("panics injected", counts.panics);
    happened_often(
        match strategy {
            Strategy::OneForOne => "restarts, one for one",
            Strategy::AllForOne => "restarts, all for one",
            Strategy::RestForOne => "restarts, rest for one",
        },
        counts.restarted,
    );
    // Those that are kept, with their messages, are nobody's any more.
    sim.clear_dead_letters();
    if let Some(left) = oracle::with(|oracle| oracle.left_over()) {
        oracle::breaks(left);
    }
    bonds_hold(&sim);
    let recorder = sim.recorder();
    oracle::stopping(Duration::ZERO);
    sim.shutdown();
    nothing_is_left();
    recorder.trace()
}

fn client_shard(sim: &Sim, client: u64) -> u16 {
    (client % u64::from(sim.engine().shards())) as u16
}

/// What a tree shows, while word of it is on its way.
fn look_at(tree: &Tree) {
    fn look(node: &TreeNode, depth: usize) {
        if depth == 2 {
            happened("trees of three levels");
        }
        for child in &node.children {
            if child.shard != node.shard {
                happened("children on another shard than their parents");
            }
            if !child.is_awake {
                happened("children asleep in a tree");
            }
            look(child, depth + 1);
        }
    }
    for root in &tree.roots {
        if root.id.actor == "Chief" && root.restarts > 0 && root.failures == 0 {
            happened("parents restarted for a child");
        }
        look(root, 0);
    }
}

/// At rest nobody is in the tree twice, and both ends of a bond agree.
fn bonds_hold(sim: &Sim) {
    let mut seen = BTreeMap::new();
    for root in &sim.tree().roots {
        note_parents(root, None, &mut seen);
    }
    for member in (0..MEMBERS).map(|key| sim.actor::<Member>(key)) {
        let parent = sim.block_on(member.parent());
        sim.run_until_idle();
        // The ask itself may have changed everything.
        let mut now = BTreeMap::new();
        for root in &sim.tree().roots {
            note_parents(root, None, &mut now);
        }
        if let Ok((me, parent)) = parent
            && now == seen
        {
            let listed = now.get(&me).cloned().flatten();
            oracle::must(listed == parent, || {
                format!("the parent of {me} is {listed:?} in the tree, and {parent:?} to itself")
            });
            happened("bonds looked at from both ends");
        }
        seen = now;
    }
}

fn note_parents(
    node: &TreeNode,
    parent: Option<&TreeNode>,
    seen: &mut BTreeMap<ActorId, Option<ActorId>>,
) {
    let parent = parent.map(|parent| parent.id.clone());
    let before = seen.insert(node.id.clone(), parent);
    oracle::must(before.is_none(), || {
        format!("{} is twice in the tree", node.id)
    });
    for child in &node.children {
        note_parents(child, Some(node), seen);
    }
}

fn keep_rules() {
    if let Some(rule) = oracle::with(oracle::Oracle::broken) {
        oracle::breaks(rule.clone());
        panic!("{rule}");
    }
}

/// Nothing outlives its engine.
fn nothing_is_left() {
    let (alive, left) = oracle::with(|oracle| (oracle.alive(), oracle.left_over()));
    oracle::must(alive == 0, || {
        format!("{alive} instances outlived their engine")
    });
    if let Some(left) = left {
        oracle::breaks(left);
    }
    keep_rules();
}

/// One sender, on a shard.
struct Client {
    me: u64,
    random: Random,
    engine: Engine,
    members: Vec<MemberRef>,
    chiefs: Vec<ChiefRef>,
    resumes: bool,
    moves: bool,
    left: u64,
}

/// Whatever may become of an ask here; but it never times out, for nobody waits for ever.
const MAY: May = May {
    panic: true,
    restart: true,
    stop: true,
    time_out: false,
    wait_in_vain: true,
};

impl Client {
    async fn run(mut self) {
        let members = Rc::new(std::mem::take(&mut self.members));
        let chiefs = std::mem::take(&mut self.chiefs);
        while self.left > 0 {
            self.left -= 1;
            let who = self.random.below(MEMBERS);
            let member = &members[who as usize];
            let naps = Naps {
                count: self.random.below(3),
                micros: 1 + self.random.below(300),
            };
            // Parents have lower numbers than their children: nobody is its own ancestor.
            let below = who + 1 + self.random.below(MEMBERS - who);
            let child = below.min(MEMBERS - 1);
            let any = self.random.below(MEMBERS);
            let directive = directive(&mut self.random, self.resumes);
            let dice = self.random.below(40);
            if dice == 39 {
                sleep(Duration::from_micros(self.random.below(8_000))).await;
                continue;
            }
            if self.moves && self.random.one_in(40) {
                let to = self.random.below(u64::from(self.engine.shards())) as u16;
                if self.engine.migrate(member, to).await.is_ok() {
                    happened("members moved");
                }
                continue;
            }
            let chief = &chiefs[self.random.below(CHIEFS) as usize];
            let flag = self.random.one_in(2);
            let letter = Mail::from(self.me);
            let id = letter.id;
            if dice < 12 {
                match dice % 3 {
                    0 => tell(id, member.add(letter).tell()),
                    1 => tell(id, member.slow(letter, naps).tell()),
                    _ => tell(id, member.peek(letter, naps).tell()),
                }
                continue;
            }
            let asked = Asked::new(&letter, LONG, MAY);
            match dice {
                12..=14 => settle(asked, member.add(letter)).await,
                15 | 16 => settle(asked, member.slow(letter, naps)).await,
                17..=19 => settle(asked, member.peek(letter, naps)).await,
                20..=22 => settle(asked, member.boom(letter, naps)).await,
                23 => settle(asked, member.shared_boom(letter)).await,
                24 => settle(asked, member.fail(letter, naps)).await,
                25..=29 if child != who => {
                    settle(asked, member.hire(letter, child, directive)).await;
                }
                30 => settle(asked, member.fire(letter, child)).await,
                31 => settle(asked, member.stop(letter, naps)).await,
                32 => settle(asked, member.doze(letter)).await,
                33 | 34 => settle(asked, member.watch(letter, any, flag)).await,
                35 | 36 => settle(asked, chief.hire(letter, who, directive)).await,
                37 => settle(asked, chief.fire(letter, who)).await,
                38 => settle(asked, chief.doze(letter)).await,
                _ => settle(asked, member.add(letter)).await,
            }
        }
    }
}
