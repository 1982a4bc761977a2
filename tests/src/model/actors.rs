//! The actors of the load. What a turn does is written in its message, so clients choose it.
#![allow(unreachable_pub)] // only public methods are messages

use std::time::Duration;

use quark::{ActorOptions, CallError, Cx, EngineBuilder, Key, Supervision, actor, sleep};

use super::counts::Kind;
use super::oracle::{self, Asked, Body, Mail, May, must};

/// Refuses what its mailbox doesn't hold; integer keys.
pub(super) struct Worker {
    body: Body,
}

/// Lets senders wait; string keys; hooks that take their time.
pub(super) struct Keeper {
    body: Body,
}

/// More than fits into a ring as it is.
pub(super) type Large = [u64; 150];

/// What the end of a chain of calls has met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Through,
    Failed,
}

/// A nap or several.
#[derive(Clone, Copy)]
pub(super) struct Naps {
    pub(super) count: u64,
    pub(super) micros: u64,
}

/// Why a method failed: it was to.
#[derive(Debug)]
pub(super) struct Oops;

/// Messages that may wait for a keeper before their senders feel it.
pub(super) const KEEPER_MAILBOX: usize = 4;

pub(super) fn register(builder: EngineBuilder) -> EngineBuilder {
    // Nobody is given up: here the rules of restarts are looked at, and elsewhere their bounds.
    let patient = ActorOptions::new().supervision(Supervision {
        restarts: u16::MAX,
        ..Supervision::DEFAULT
    });
    builder
        .register_with::<Worker>(patient, |cx| Worker {
            body: Body::new(('w', number(cx.key()))),
        })
        .register_with::<Keeper>(patient, |cx| Keeper {
            body: Body::new(('k', number(cx.key()))),
        })
}

pub(super) fn keeper_key(number: u64) -> String {
    format!("keeper number {number}")
}

fn number(key: &Key) -> u64 {
    match key {
        Key::Int(number) => *number,
        Key::Str(name) => name
            .rsplit(' ')
            .next()
            .and_then(|number| number.parse().ok())
            .unwrap_or(u64::MAX),
    }
}

/// Panics as a method of a user's would, but without a word.
fn panic_quietly(body: &Body) -> ! {
    body.spoil();
    std::panic::resume_unwind(Box::new("a method of the model"))
}

#[actor]
impl Worker {
    fn on_activate(&mut self, cx: &Cx<Self>) -> Result<(), String> {
        let _inside = self.body.enter_hook(true);
        oracle::count(Kind::Activation);
        if cx.random().is_multiple_of(64) {
            return Err("not now".to_owned());
        }
        Ok(())
    }

    pub fn add(&mut self, mail: Mail) -> u64 {
        let _inside = self.body.enter(&mail, true);
        mail.id
    }

    pub fn read(&self, mail: Mail) -> u64 {
        let _inside = self.body.enter(&mail, false);
        mail.id
    }

    pub async fn slow(&mut self, mail: Mail, naps: Naps) -> u64 {
        let inside = self.body.enter(&mail, true);
        for _ in 0..naps.count {
            sleep(Duration::from_micros(naps.micros)).await;
            inside.goes_on();
        }
        mail.id
    }

    pub async fn peek(&self, mail: Mail, naps: Naps) -> u64 {
        let inside = self.body.enter(&mail, false);
        for _ in 0..naps.count {
            sleep(Duration::from_micros(naps.micros)).await;
            inside.goes_on();
        }
        mail.id
    }

    pub fn boom(&mut self, mail: Mail) -> u64 {
        let _inside = self.body.enter(&mail, true);
        panic_quietly(&self.body)
    }

    pub async fn boom_later(&self, mail: Mail, naps: Naps) -> u64 {
        let inside = self.body.enter(&mail, false);
        for _ in 0..naps.count {
            sleep(Duration::from_micros(naps.micros)).await;
            inside.goes_on();
        }
        panic_quietly(&self.body)
    }

    /// Holds itself and calls along `path`; `held` are those that hold themselves above.
    pub async fn chain(
        &mut self,
        cx: &Cx<Self>,
        mail: Mail,
        path: Vec<u64>,
        mut held: Vec<u64>,
    ) -> (u64, End) {
        let inside = self.body.enter(&mail, true);
        let Some((&next, rest)) = path.split_first() else {
            return (mail.id, End::Through);
        };
        held.push(number(&cx.key()));
        let cycle = held.contains(&next);
        let letter = Mail::from(oracle::NOBODY);
        let asked = nested(cx, &letter);
        let worker = cx.actor::<Worker>(next);
        let end = worker.chain(letter, rest.to_vec(), held).await;
        inside.goes_on();
        let met_cycle = matches!(end, Err(CallError::CallCycle));
        must(!(cycle && end.is_ok()), || {
            format!("ask {} entered an actor that its own chain holds", asked.id)
        });
        must(cycle || !met_cycle, || {
            format!("ask {} was called a cycle and is none", asked.id)
        });
        (mail.id, passed_on(&asked, end))
    }

    /// The same without holding anything: it may come back to itself.
    pub async fn chain_shared(&self, cx: &Cx<Self>, mail: Mail, path: Vec<u64>) -> (u64, End) {
        let inside = self.body.enter(&mail, false);
        let Some((&next, rest)) = path.split_first() else {
            return (mail.id, End::Through);
        };
        if next == number(&cx.key()) {
            oracle::count(Kind::OwnChain);
        }
        let letter = Mail::from(oracle::NOBODY);
        let asked = nested(cx, &letter);
        let worker = cx.actor::<Worker>(next);
        let end = worker.chain_shared(letter, rest.to_vec()).await;
        inside.goes_on();
        (mail.id, passed_on(&asked, end))
    }

    /// Tells and sends to others: an actor is a sender like any other.
    pub async fn post(&mut self, cx: &Cx<Self>, mail: Mail, to: u64, count: u64) -> u64 {
        let inside = self.body.enter(&mail, true);
        let me = oracle::new_sender();
        let worker = cx.actor::<Worker>(to);
        for turn in 0..count {
            let letter = Mail::from(me);
            let id = letter.id;
            if turn % 2 == 0 {
                tell(id, worker.add(letter).tell());
            } else {
                tell(
                    id,
                    worker
                        .slow(
                            letter,
                            Naps {
                                count: 1,
                                micros: 50,
                            },
                        )
                        .tell(),
                );
            }
        }
        sleep(Duration::from_micros(10)).await;
        inside.goes_on();
        mail.id
    }

    /// Sends itself a message later.
    pub fn remind(&mut self, cx: &Cx<Self>, mail: Mail) -> u64 {
        let _inside = self.body.enter(&mail, true);
        cx.after(Duration::from_micros(700), |me| {
            oracle::count(Kind::Timer);
            let letter = Mail::from(oracle::NOBODY);
            // What can't be taken becomes a dead letter.
            oracle::told(letter.id);
            me.add(letter)
        });
        mail.id
    }

    pub fn leave(&self, cx: &Cx<Self>, mail: Mail) -> u64 {
        let _inside = self.body.enter(&mail, false);
        oracle::count(Kind::AskedToLeave);
        cx.deactivate();
        mail.id
    }

    pub fn carry(&mut self, mail: Mail, mut load: Large) -> Large {
        let _inside = self.body.enter(&mail, true);
        oracle::count(Kind::Large);
        let whole = load.iter().skip(1).all(|word| *word == load[1]);
        must(whole, || {
            format!("the load of message {} was damaged", mail.id)
        });
        load[0] = mail.id;
        load
    }

    pub fn fail(&self, mail: Mail) -> Result<u64, Oops> {
        let _inside = self.body.enter(&mail, false);
        if mail.id.is_multiple_of(2) {
            Ok(mail.id)
        } else {
            Err(Oops)
        }
    }
}

#[actor(mailbox = 4, when_full = "wait")]
impl Keeper {
    async fn on_activate(&mut self, cx: &Cx<Self>) -> Result<(), String> {
        let inside = self.body.enter_hook(true);
        oracle::count(Kind::Activation);
        if cx.random().is_multiple_of(2) {
            sleep(Duration::from_micros(200)).await;
            inside.goes_on();
        }
        if cx.random().is_multiple_of(24) {
            return Err("the keeper is out".to_owned());
        }
        Ok(())
    }

    async fn on_deactivate(&mut self) {
        let inside = self.body.enter_hook(true);
        for _ in 0..3 {
            sleep(Duration::from_micros(300)).await;
            oracle::count(Kind::LongFarewell);
            inside.goes_on();
        }
    }

    pub fn put(&mut self, mail: Mail) -> u64 {
        let _inside = self.body.enter(&mail, true);
        oracle::count(Kind::StringKey);
        mail.id
    }

    pub fn get(&self, mail: Mail) -> u64 {
        let _inside = self.body.enter(&mail, false);
        mail.id
    }

    pub async fn put_slowly(&mut self, mail: Mail, naps: Naps) -> u64 {
        let inside = self.body.enter(&mail, true);
        for _ in 0..naps.count {
            sleep(Duration::from_micros(naps.micros)).await;
            inside.goes_on();
        }
        mail.id
    }

    pub fn leave(&mut self, cx: &Cx<Self>, mail: Mail) -> u64 {
        let _inside = self.body.enter(&mail, true);
        oracle::count(Kind::AskedToLeave);
        cx.deactivate();
        mail.id
    }
}

/// An ask from inside a turn: it waits no longer than the turn's own caller.
fn nested(cx: &Cx<Worker>, mail: &Mail) -> Asked {
    oracle::count(Kind::Nested);
    let timeout = cx.remaining().unwrap_or(super::profile::LONG);
    let may = May {
        panic: true,
        restart: true,
        stop: false,
        time_out: true,
        wait_in_vain: true,
    };
    Asked::new(mail, timeout, may)
}

fn passed_on(asked: &Asked, end: Result<(u64, End), CallError>) -> End {
    match end {
        Ok((echo, end)) => {
            asked.answered(echo);
            end
        }
        Err(error) => {
            asked.failed(&error);
            End::Failed
        }
    }
}

/// What became of a one-way message at its sender's.
pub(super) fn tell<M>(id: u64, told: Result<(), quark::TellError<M>>) {
    match told {
        Ok(()) => oracle::told(id),
        Err(error) => oracle::refused(id, &error.reason),
    }
}
