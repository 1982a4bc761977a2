//! A family of actors, for the suites of supervision: bosses, who may be parents, and kids.
#![allow(missing_docs)]

use std::cell::Cell;
use std::future::Future;
use std::time::Duration;

use quark::__private::{ActorRef, Method};
use quark::prelude::*;
use quark::testing::{Sim, SimOptions};
use quark::{
    ActorId, ActorOptions, Backoff, Directive, Down, DownReason, EngineBuilder, Key, Supervision,
    WatchId, sleep,
};

pub const MS: Duration = Duration::from_millis(1);
pub const SECOND: Duration = Duration::from_secs(1);

/// Waits of exactly a millisecond, two, four and so on.
pub const STEADY: Supervision = Supervision {
    backoff: Backoff {
        first: MS,
        longest: SECOND,
        jitter_percent: 0,
    },
    ..Supervision::DEFAULT
};

thread_local! {
    /// Instances of kids and bosses that this thread's simulation has made.
    static MADE: Cell<u64> = const { Cell::new(0) };
    static FAREWELLS: Cell<u64> = const { Cell::new(0) };
}

/// Kids that have been put to sleep, or stopped, in this thread's simulations.
pub fn farewells() -> u64 {
    FAREWELLS.get()
}

fn next_instance() -> u64 {
    MADE.set(MADE.get() + 1);
    MADE.get()
}

/// Somebody's child.
#[derive(Default)]
pub struct Kid {
    instance: u64,
}

#[actor]
impl Kid {
    fn on_activate(&mut self) {
        self.instance = next_instance();
    }

    fn on_deactivate(&mut self) {
        FAREWELLS.set(FAREWELLS.get() + 1);
    }

    /// Which instance this is.
    pub fn instance(&self) -> u64 {
        self.instance
    }

    pub fn boom(&mut self) {
        std::panic::resume_unwind(Box::new("boom"))
    }

    pub fn fail(&mut self, cx: &Cx<Self>) -> u64 {
        cx.fail("no more");
        cx.fail("not heard any more");
        self.instance
    }

    pub async fn hold(&mut self, time: Duration) -> u64 {
        sleep(time).await;
        self.instance
    }

    pub async fn share(&self, time: Duration) -> u64 {
        sleep(time).await;
        self.instance
    }

    pub async fn stop_in_between(&self, cx: &Cx<Self>) -> u64 {
        cx.stop();
        sleep(MS).await;
        self.instance
    }

    pub fn doze(&mut self, cx: &Cx<Self>) {
        cx.deactivate();
    }

    pub fn parent(&self, cx: &Cx<Self>) -> Option<String> {
        cx.parent().map(|parent| parent.to_string())
    }
}

/// Somebody's parent, and perhaps child.
#[derive(Default)]
pub struct Boss {
    instance: u64,
    down: Vec<Down>,
    watch: Option<WatchId>,
}

#[actor]
impl Boss {
    fn on_activate(&mut self) {
        self.instance = next_instance();
    }

    pub fn instance(&self) -> u64 {
        self.instance
    }

    pub fn hire(&mut self, cx: &Cx<Self>, kid: u64) {
        let _ = cx.child::<Kid>(kid);
    }

    pub fn hire_with(&mut self, cx: &Cx<Self>, kid: u64, directive: Directive) {
        let _ = cx.child_with::<Kid>(kid, directive);
    }

    pub fn hire_boss(&mut self, cx: &Cx<Self>, boss: u64) {
        let _ = cx.child::<Boss>(boss);
    }

    pub fn fire(&mut self, cx: &Cx<Self>, kid: KidRef) -> bool {
        cx.stop_child(&kid)
    }

    pub fn children(&self, cx: &Cx<Self>) -> Vec<ActorId> {
        cx.children()
    }

    pub fn boom(&mut self) {
        std::panic::resume_unwind(Box::new("boom"))
    }

    pub fn stop(&mut self, cx: &Cx<Self>) {
        cx.stop();
    }

    pub fn doze(&mut self, cx: &Cx<Self>) {
        cx.deactivate();
    }

    pub fn watch(&mut self, cx: &Cx<Self>, kid: KidRef, restarts: bool) {
        self.watch = Some(if restarts {
            cx.watch_restarts(&kid, |me, down| me.on_down(down))
        } else {
            cx.watch(&kid, |me, down| me.on_down(down))
        });
    }

    pub fn unwatch(&mut self, cx: &Cx<Self>) {
        cx.unwatch(self.watch.expect("it watches"));
    }

    pub fn on_down(&mut self, down: Down) {
        self.down.push(down);
    }

    /// What it has heard since it was last asked.
    pub fn heard(&mut self) -> Vec<DownReason> {
        self.down.drain(..).map(|down| down.reason).collect()
    }
}

pub fn boss_rules(rules: Supervision) -> EngineBuilder {
    Engine::builder().configure::<Boss>(ActorOptions::new().supervision(rules))
}

pub fn sim(builder: EngineBuilder) -> Sim {
    builder
        .simulate(7, SimOptions::default())
        .expect("each type is registered once")
}

pub fn ask<M: Method>(sim: &Sim, call: quark::Call<'_, M>) -> M::Ok
where
    M::Err: std::fmt::Debug,
{
    sim.block_on(call).expect("the call is answered")
}

/// Kids on both shards, by turns.
pub fn kids(sim: &Sim, count: u16) -> Vec<KidRef> {
    let mut from = 0;
    let mut kid = |shard| {
        let key = from + crate::key_on(shard, |key| sim.engine().home_of::<Kid>(from + key));
        from = key + 1;
        sim.actor::<Kid>(key)
    };
    (0..count).map(|number| kid(number % 2)).collect()
}

pub fn key_of(kid: &KidRef) -> u64 {
    match kid.core().key() {
        Key::Int(key) => *key,
        Key::Str(_) => unreachable!("keys are integers here"),
    }
}

pub fn hire(sim: &Sim, boss: &BossRef, kids: &[KidRef]) {
    for kid in kids {
        ask(sim, boss.hire(key_of(kid)));
    }
    sim.run_until_idle();
}

pub fn instances(sim: &Sim, kids: &[KidRef]) -> Vec<u64> {
    kids.iter().map(|kid| ask(sim, kid.instance())).collect()
}

/// Polls once, so that a call is sent.
pub async fn poll_once<F: Future>(mut future: std::pin::Pin<&mut F>) -> bool {
    std::future::poll_fn(|cx| std::task::Poll::Ready(future.as_mut().poll(cx).is_ready())).await
}
