//! The actors of the families: members, who may be parents and children of each other, and
//! chiefs above them.
#![allow(unreachable_pub)] // only public methods are messages

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::Duration;

use quark::{ActorId, Cx, Directive, Down, DownReason, EngineBuilder, Key, WatchId, actor, sleep};

use super::actors::Naps;
use super::oracle::{Body, Mail};

thread_local! {
    /// How often what has happened.
    static EVENTS: RefCell<BTreeMap<&'static str, u64>> = const { RefCell::new(BTreeMap::new()) };
    /// Nobody goes on as it is after a panic.
    static NO_RESUME: Cell<bool> = const { Cell::new(false) };
}

/// Counts an event.
pub(super) fn happened(what: &'static str) {
    happened_often(what, 1);
}

pub(super) fn happened_often(what: &'static str, times: u64) {
    if times > 0 {
        EVENTS.with_borrow_mut(|events| *events.entry(what).or_default() += times);
    }
}

/// What has happened since this was last asked.
pub(super) fn take_events() -> BTreeMap<&'static str, u64> {
    EVENTS.take()
}

pub(super) fn set_no_resume(no_resume: bool) {
    NO_RESUME.set(no_resume);
}

pub(super) struct Member {
    body: Body,
    failed: Cell<bool>,
    watch: Cell<Option<WatchId>>,
}

pub(super) struct Chief {
    body: Body,
}

pub(super) fn register(builder: EngineBuilder, rules: [quark::ActorOptions; 2]) -> EngineBuilder {
    builder
        .register_with::<Member>(rules[0], |cx| Member {
            body: Body::new(('m', number(cx.key()))),
            failed: Cell::new(false),
            watch: Cell::new(None),
        })
        .register_with::<Chief>(rules[1], |cx| Chief {
            body: Body::new(('c', number(cx.key()))),
        })
}

fn number(key: &Key) -> u64 {
    match key {
        Key::Int(number) => *number,
        Key::Str(_) => u64::MAX,
    }
}

impl Member {
    /// Its turn is about to panic, or it declares itself failed.
    fn fails(&self) {
        self.failed.set(true);
        if NO_RESUME.get() {
            self.body.spoil();
        }
    }

    fn looks_back(&self) {
        if self.failed.replace(false) {
            happened("instances that went on after a failure");
        }
    }
}

#[actor]
impl Member {
    async fn on_activate(&mut self, cx: &Cx<Self>) -> Result<(), String> {
        let inside = self.body.enter_hook(true);
        if cx.random().is_multiple_of(8) {
            sleep(Duration::from_micros(200)).await;
            inside.goes_on();
        }
        match cx.random() % 64 {
            0 => Err("not today".to_owned()),
            1 => {
                cx.fail("not today, in other words");
                Ok(())
            }
            _ => Ok(()),
        }
    }

    async fn on_deactivate(&mut self, cx: &Cx<Self>) {
        let inside = self.body.enter_hook(true);
        if cx.random().is_multiple_of(4) {
            sleep(Duration::from_micros(300)).await;
            inside.goes_on();
        }
    }

    pub fn add(&mut self, mail: Mail) -> u64 {
        let _inside = self.body.enter(&mail, true);
        self.looks_back();
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

    pub async fn boom(&mut self, mail: Mail, naps: Naps) -> u64 {
        let inside = self.body.enter(&mail, true);
        for _ in 0..naps.count {
            sleep(Duration::from_micros(naps.micros)).await;
            inside.goes_on();
        }
        happened("panics of methods");
        self.fails();
        std::panic::resume_unwind(Box::new("a method of the model"))
    }

    pub fn shared_boom(&self, mail: Mail) -> u64 {
        let _inside = self.body.enter(&mail, false);
        happened("panics of methods beside other turns");
        std::panic::resume_unwind(Box::new("a shared method of the model"))
    }

    pub async fn fail(&mut self, cx: &Cx<Self>, mail: Mail, naps: Naps) -> u64 {
        let _inside = self.body.enter(&mail, true);
        happened("failures declared");
        cx.fail("the model says so");
        for _ in 0..naps.count {
            sleep(Duration::from_micros(naps.micros)).await;
        }
        self.fails();
        mail.id
    }

    pub fn hire(
        &mut self,
        cx: &Cx<Self>,
        mail: Mail,
        child: u64,
        directive: Option<Directive>,
    ) -> u64 {
        let _inside = self.body.enter(&mail, true);
        hire(cx, child, directive);
        mail.id
    }

    pub fn fire(&mut self, cx: &Cx<Self>, mail: Mail, child: u64) -> u64 {
        let _inside = self.body.enter(&mail, true);
        if cx.stop_child(&cx.actor::<Member>(child)) {
            happened("children stopped");
        }
        mail.id
    }

    pub async fn stop(&self, cx: &Cx<Self>, mail: Mail, naps: Naps) -> u64 {
        let inside = self.body.enter(&mail, false);
        happened("actors that stopped themselves");
        cx.stop();
        for _ in 0..naps.count {
            sleep(Duration::from_micros(naps.micros)).await;
            inside.goes_on();
        }
        mail.id
    }

    pub fn doze(&self, cx: &Cx<Self>, mail: Mail) -> u64 {
        let _inside = self.body.enter(&mail, false);
        cx.deactivate();
        mail.id
    }

    /// Who this is, and who its parent.
    pub fn parent(&self, cx: &Cx<Self>) -> (ActorId, Option<ActorId>) {
        (cx.id(), cx.parent())
    }

    pub fn watch(&mut self, cx: &Cx<Self>, mail: Mail, other: u64, restarts: bool) -> u64 {
        let _inside = self.body.enter(&mail, true);
        let other = cx.actor::<Member>(other);
        if let Some(before) = self.watch.take() {
            happened("watches ended");
            cx.unwatch(before);
        }
        self.watch.set(Some(if restarts {
            cx.watch_restarts(&other, |me, down| me.on_down(down))
        } else {
            cx.watch(&other, |me, down| me.on_down(down))
        }));
        mail.id
    }

    pub fn on_down(&mut self, down: Down) {
        let _inside = self.body.enter_hook(true);
        happened(match down.reason {
            DownReason::Stopped => "told of those who stopped",
            DownReason::Failed { .. } => "told of those who were given up",
            DownReason::Asleep => "told of those who sleep",
            DownReason::NotActivated { .. } => "told of those who could not be activated",
            DownReason::Restarted => "told of restarts",
            _ => unreachable!("there is no other reason"),
        });
    }
}

#[actor]
impl Chief {
    pub fn hire(
        &mut self,
        cx: &Cx<Self>,
        mail: Mail,
        child: u64,
        directive: Option<Directive>,
    ) -> u64 {
        let _inside = self.body.enter(&mail, true);
        hire(cx, child, directive);
        mail.id
    }

    pub fn fire(&mut self, cx: &Cx<Self>, mail: Mail, child: u64) -> u64 {
        let _inside = self.body.enter(&mail, true);
        if cx.stop_child(&cx.actor::<Member>(child)) {
            happened("children stopped");
        }
        mail.id
    }

    pub fn doze(&self, cx: &Cx<Self>, mail: Mail) -> u64 {
        let _inside = self.body.enter(&mail, false);
        cx.deactivate();
        mail.id
    }
}

fn hire<A: quark::__private::Actor>(cx: &Cx<A>, child: u64, directive: Option<Directive>) {
    let before = cx.children().len();
    let _ = match directive {
        Some(directive) => cx.child_with::<Member>(child, directive),
        None => cx.child::<Member>(child),
    };
    if cx.children().len() > before {
        happened("children hired");
    }
}
