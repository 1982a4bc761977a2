//! The oracle: knows of every message, every instance and every turn, and of what may not be.
//!
//! It lives in the thread that simulates. Actors and clients tell it what happens to them; it
//! remembers the first rule that was broken, for what a turn panics with would be the turn's own
//! affair.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use quark::testing::Recorder;
use quark::{CallError, Time};

use super::counts::{Counts, Kind};
use super::members::happened;

/// One of the model's actors: its type and its number.
pub(super) type ActorName = (char, u64);

/// Whose messages have no order among them.
pub(super) const NOBODY: u64 = 0;

/// What becomes of messages.
struct Fate {
    sender: u64,
    begun: bool,
    /// One way, and taken.
    told: bool,
    dropped: Option<Time>,
}

#[derive(Default)]
struct Seen {
    /// The instance that lives; zero if none does.
    instance: u64,
    /// A turn has panicked in this instance.
    spoilt: u64,
    exclusive: bool,
    shared: u32,
    /// The latest message that began.
    latest: u64,
}

pub(super) struct Oracle {
    recorder: Recorder,
    slack: Duration,
    fates: Vec<Fate>,
    actors: BTreeMap<ActorName, Seen>,
    /// The last message by sender and actor.
    order: BTreeMap<(u64, ActorName), u64>,
    instances: u64,
    senders: u64,
    stopping: bool,
    pub(super) counts: Counts,
    broken: Option<String>,
}

thread_local! {
    static ORACLE: RefCell<Option<Oracle>> = const { RefCell::new(None) };
}

/// Begins a run.
pub(super) fn begin(recorder: Recorder, slack: Duration) {
    let oracle = Oracle {
        recorder,
        slack,
        fates: Vec::new(),
        actors: BTreeMap::new(),
        order: BTreeMap::new(),
        instances: 0,
        senders: NOBODY,
        stopping: false,
        counts: Counts::default(),
        broken: None,
    };
    ORACLE.set(Some(oracle));
}

/// Ends it.
pub(super) fn end() -> Option<Oracle> {
    ORACLE.take()
}

/// Asks the oracle; nothing, between runs.
pub(super) fn with<R: Default>(f: impl FnOnce(&mut Oracle) -> R) -> R {
    ORACLE
        .try_with(|oracle| oracle.borrow_mut().as_mut().map(f))
        .ok()
        .flatten()
        .unwrap_or_default()
}

pub(super) fn count(kind: Kind) {
    with(|oracle| oracle.counts.add(kind, 1));
}

/// Says that `rule` was broken.
pub(super) fn breaks(rule: String) {
    with(|oracle| oracle.breaks(rule));
}

/// From now on, calls may be answered that the engine stops. Who is outside hears of it when
/// that is over, after `grace`.
pub(super) fn stopping(grace: Duration) {
    with(|oracle| {
        oracle.stopping = true;
        oracle.slack += grace;
    });
}

/// Keeps a rule.
pub(super) fn must(holds: bool, rule: impl FnOnce() -> String) {
    if !holds {
        breaks(rule());
    }
}

pub(super) fn now() -> Time {
    with(|oracle| oracle.recorder.now())
}

/// A number that no sender has had.
pub(super) fn new_sender() -> u64 {
    with(|oracle| {
        oracle.senders += 1;
        oracle.senders
    })
}

impl Oracle {
    fn breaks(&mut self, rule: String) {
        self.broken.get_or_insert(rule);
    }

    pub(super) fn broken(&mut self) -> Option<String> {
        self.broken.take()
    }

    /// Messages so far.
    pub(super) fn messages(&self) -> u64 {
        self.fates.len() as u64
    }

    /// One-way messages that were taken and never began.
    pub(super) fn told_in_vain(&self) -> u64 {
        let vain = self.fates.iter().filter(|fate| fate.told && !fate.begun);
        vain.count() as u64
    }

    /// Messages, instances and turns that are still there.
    pub(super) fn left_over(&self) -> Option<String> {
        if let Some(id) = self.fates.iter().position(|fate| fate.dropped.is_none()) {
            return Some(format!(
                "message {id} was lost: nobody has it, nobody had it"
            ));
        }
        let left = |seen: &&Seen| seen.exclusive || seen.shared > 0;
        let stuck = self.actors.values().filter(left).count();
        (stuck > 0).then(|| format!("turns are still inside {stuck} actors"))
    }

    /// Instances alive.
    pub(super) fn alive(&self) -> usize {
        self.actors
            .values()
            .filter(|seen| seen.instance != 0)
            .count()
    }

    fn note(&mut self, what: u8, id: u64) {
        self.recorder.note(u64::from(what) << 56 | id);
    }
}

/// The slip that a message carries. It moves with the message, and is dropped where that ends.
pub(super) struct Mail {
    pub(super) id: u64,
}

impl Mail {
    /// The next message of `sender`. Its order is the order of these calls, so it is to be sent
    /// at once.
    pub(super) fn from(sender: u64) -> Self {
        with(|oracle| {
            let id = oracle.fates.len() as u64;
            oracle.fates.push(Fate {
                sender,
                begun: false,
                told: false,
                dropped: None,
            });
            Some(Mail { id })
        })
        .expect("messages are made while a run is under way")
    }
}

impl Drop for Mail {
    fn drop(&mut self) {
        with(|oracle| {
            let now = oracle.recorder.now();
            let fate = &mut oracle.fates[self.id as usize];
            let twice = fate.dropped.replace(now).is_some();
            if twice {
                oracle.breaks(format!("message {} was there twice", self.id));
            }
            oracle.note(b'd', self.id);
        });
    }
}

/// An instance of an actor, as the oracle knows it.
pub(super) struct Body {
    name: ActorName,
    instance: u64,
}

impl Body {
    pub(super) fn new(name: ActorName) -> Self {
        let instance = with(|oracle| {
            oracle.instances += 1;
            let instance = oracle.instances;
            let seen = oracle.actors.entry(name).or_default();
            let before = std::mem::replace(&mut seen.instance, instance);
            if before != 0 {
                oracle.breaks(format!("{name:?} has two instances at one time"));
            }
            oracle.note(b'i', instance);
            instance
        });
        Body { name, instance }
    }

    /// A message's turn begins.
    pub(super) fn enter(&self, mail: &Mail, exclusive: bool) -> Inside {
        let (id, name) = (mail.id, self.name);
        with(|oracle| {
            oracle.note(b'b', id);
            let fate = &mut oracle.fates[id as usize];
            let again = std::mem::replace(&mut fate.begun, true);
            let sender = fate.sender;
            if again {
                oracle.breaks(format!("message {id} ran twice"));
            }
            if sender != NOBODY {
                let last = oracle.order.insert((sender, name), id);
                if last.is_some_and(|last| last > id) {
                    oracle.breaks(format!(
                        "message {id} of sender {sender} reached {name:?} after its message {last:?}"
                    ));
                }
            }
            let seen = oracle.actors.entry(name).or_default();
            if seen.latest > id {
                oracle.counts.add(Kind::Overtaken, 1);
            }
            seen.latest = seen.latest.max(id);
        });
        self.enter_hook(exclusive)
    }

    /// A turn begins that no message asked for.
    pub(super) fn enter_hook(&self, exclusive: bool) -> Inside {
        let (name, instance) = (self.name, self.instance);
        with(|oracle| {
            let seen = oracle.actors.entry(name).or_default();
            let overlaps = seen.exclusive || exclusive && seen.shared > 0;
            let spoilt = seen.spoilt == instance;
            let stale = seen.instance != instance;
            if exclusive {
                seen.exclusive = true;
            } else {
                seen.shared += 1;
                if seen.shared > 1 {
                    oracle.counts.add(Kind::Interleaved, 1);
                }
            }
            if overlaps {
                oracle.breaks(format!("two turns overlap in {name:?}"));
            }
            if spoilt || stale {
                oracle.breaks(format!(
                    "a turn began in an instance of {name:?} that has ended"
                ));
            }
        });
        Inside {
            name,
            instance,
            exclusive,
        }
    }

    /// A turn is about to panic in this instance: nobody shall see it again.
    pub(super) fn spoil(&self) {
        with(|oracle| {
            let seen = oracle.actors.entry(self.name).or_default();
            seen.spoilt = self.instance;
        });
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        with(|oracle| {
            oracle.note(b'e', self.instance);
            let seen = oracle.actors.entry(self.name).or_default();
            if seen.instance == self.instance {
                seen.instance = 0;
            }
            if seen.exclusive || seen.shared > 0 {
                let rule = format!("{:?} was dropped with turns inside", self.name);
                oracle.breaks(rule);
            }
        });
    }
}

/// A turn's stay.
pub(super) struct Inside {
    name: ActorName,
    instance: u64,
    exclusive: bool,
}

impl Inside {
    /// The turn goes on after an await.
    pub(super) fn goes_on(&self) {
        with(|oracle| {
            oracle.note(b'g', self.instance);
            let seen = oracle.actors.entry(self.name).or_default();
            if seen.spoilt == self.instance || seen.instance != self.instance {
                let rule = format!("a turn went on in {:?} after its instance ended", self.name);
                oracle.breaks(rule);
            }
        });
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        with(|oracle| {
            let seen = oracle.actors.entry(self.name).or_default();
            if self.exclusive {
                seen.exclusive = false;
            } else {
                seen.shared -= 1;
            }
        });
    }
}

/// What a sender knows of an ask of its own.
#[derive(Clone, Copy)]
pub(super) struct Asked {
    pub(super) id: u64,
    pub(super) at: Time,
    pub(super) timeout: Duration,
    /// It may panic by itself, and other errors of its callee's may reach it.
    pub(super) may: May,
}

/// What may become of an ask, beside what always may.
#[derive(Clone, Copy, Default)]
pub(super) struct May {
    pub(super) panic: bool,
    pub(super) restart: bool,
    /// Its actor may be stopped.
    pub(super) stop: bool,
    pub(super) time_out: bool,
    /// It may find no credit in all its time.
    pub(super) wait_in_vain: bool,
}

impl Asked {
    pub(super) fn new(mail: &Mail, timeout: Duration, may: May) -> Self {
        count(Kind::Ask);
        Asked {
            id: mail.id,
            at: now(),
            timeout,
            may,
        }
    }

    /// The ask was answered by `echo`.
    pub(super) fn answered(&self, echo: u64) {
        count(Kind::Answer);
        self.in_time();
        must(echo == self.id, || {
            format!("ask {} got the answer of {echo}", self.id)
        });
    }

    /// The ask has failed.
    pub(super) fn failed<E: std::fmt::Debug>(&self, error: &CallError<E>) {
        self.in_time();
        let may = self.may;
        let (id, at) = (self.id, self.at);
        let fate = with(|oracle| {
            let fate = &oracle.fates[id as usize];
            Some((fate.begun, fate.dropped, oracle.stopping))
        });
        let (begun, dropped, stopping) = fate.unwrap_or_default();
        let unexpected =
            || format!("ask {id} of {at:?} failed: {error:?}; begun {begun}, dropped {dropped:?}");
        match error {
            CallError::Failed(_) => count(Kind::MethodError),
            CallError::Timeout => {
                count(Kind::Timeout);
                must(may.time_out, unexpected);
                self.was_not_answered();
            }
            CallError::Overloaded => {
                count(Kind::Overloaded);
                must(may.wait_in_vain, unexpected);
            }
            CallError::MailboxFull => count(Kind::MailboxFull),
            CallError::CallCycle => count(Kind::CallCycle),
            CallError::Panicked => {
                count(Kind::MethodPanic);
                must(may.panic, unexpected);
            }
            CallError::ActorStopped => {
                happened("answers that the actor was stopped");
                must(may.stop, unexpected);
            }
            CallError::Restarted => {
                count(Kind::Restarted);
                happened("answers that the actor restarted");
                must(may.restart, unexpected);
            }
            CallError::Activation(_) => count(Kind::RefusedActivation),
            CallError::Stopped => must(stopping, unexpected),
            _ => breaks(unexpected()),
        }
        must(!(error.never_ran() && begun), || {
            format!("ask {id} ran, but failed as if it had not: {error:?}")
        });
        with(|oracle| oracle.note(b'f', id));
    }

    fn in_time(&self) {
        let (late, slack) = with(|oracle| {
            let late = oracle.recorder.now() - (self.at + self.timeout);
            Some((late, oracle.slack))
        })
        .unwrap_or_default();
        must(late <= slack, || {
            format!("ask {} ended {late:?} after its deadline", self.id)
        });
    }

    /// A turn that ended well before the deadline must have answered.
    fn was_not_answered(&self) {
        let lost = with(|oracle| {
            let ended = oracle.fates[self.id as usize].dropped;
            ended.is_some_and(|ended| oracle.recorder.now() - ended > oracle.slack)
        });
        must(!lost, || {
            format!("the answer of ask {} was lost: its turn had ended", self.id)
        });
    }
}

/// A one-way message was taken.
pub(super) fn told(id: u64) {
    count(Kind::Tell);
    with(|oracle| oracle.fates[id as usize].told = true);
}

/// A one-way message was sent with patience.
pub(super) fn sent(id: u64) {
    count(Kind::Send);
    with(|oracle| oracle.fates[id as usize].told = true);
}

/// A one-way message came back.
pub(super) fn refused(id: u64, reason: &CallError) {
    let stopping = with(|oracle| oracle.stopping);
    match reason {
        CallError::MailboxFull => count(Kind::MailboxFull),
        CallError::Overloaded => count(Kind::Overloaded),
        CallError::Activation(_) => count(Kind::RefusedActivation),
        CallError::Stopped if stopping => {}
        _ => breaks(format!("message {id} was refused: {reason:?}")),
    }
    let begun = with(|oracle| oracle.fates[id as usize].begun);
    must(!begun, || format!("message {id} ran and came back"));
}
