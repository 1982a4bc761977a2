//! What a turn may say about its own life and its children's.

use std::fmt;

use super::failure::declare_failed;
use super::kin::{Child, Parent};
use super::signal::{Order, Signal};
use super::watch::DownReason;
use crate::activation::Phase;
use crate::actor::{Actor, ActorRef};
use crate::context::Cx;
use crate::key::{ActorId, Key};
use crate::options::Directive;
use crate::runtime::with_runtime;

impl<A: Actor> Cx<A> {
    /// A reference to an actor that becomes this one's child, if it is not already: from now on
    /// its failures are decided about by this actor's type's
    /// [`supervision`](crate::ActorOptions::supervision), and it is restarted and stopped with
    /// this actor.
    ///
    /// The child need not be awake, nor is it woken; it may live on any shard. That it is a child
    /// lasts until one of the two is stopped or given up, through sleep and restarts of both. An
    /// actor has one parent: one that had another leaves it. As long as a child is awake, its
    /// parent is not put to sleep for being idle.
    ///
    /// To be its own child means nothing.
    ///
    /// ```
    /// use quark::prelude::*;
    /// use quark::testing::SimOptions;
    ///
    /// #[derive(Default)]
    /// pub struct Worker;
    ///
    /// #[actor]
    /// impl Worker {
    ///     pub fn work(&mut self) {}
    /// }
    ///
    /// #[derive(Default)]
    /// pub struct Foreman;
    ///
    /// #[actor]
    /// impl Foreman {
    ///     pub async fn hire(&mut self, cx: &Cx<Self>, name: String) -> bool {
    ///         let worker = cx.child::<Worker>(name);
    ///         worker.work().await.is_ok()
    ///     }
    /// }
    ///
    /// let sim = Engine::builder().simulate(1, SimOptions::default()).unwrap();
    /// let foreman = sim.actor::<Foreman>("Ann");
    /// assert_eq!(sim.block_on(async { foreman.hire("Bob".to_owned()).await }), Ok(true));
    /// assert_eq!(sim.tree().roots.len(), 1);
    /// assert_eq!(sim.tree().roots[0].children[0].id.to_string(), "Worker/Bob");
    /// ```
    #[must_use = "a call to the child needs its reference"]
    pub fn child<B: Actor>(&self, key: impl Into<Key>) -> B::Ref {
        self.adopt::<B>(key.into(), None)
    }

    /// [`child`](Self::child), with a rule of its own for when it fails, before that of this
    /// actor's type. Said again with another rule, that counts.
    #[must_use = "a call to the child needs its reference"]
    pub fn child_with<B: Actor>(&self, key: impl Into<Key>, on_failure: Directive) -> B::Ref {
        self.adopt::<B>(key.into(), Some(on_failure))
    }

    fn adopt<B: Actor>(&self, key: Key, directive: Option<Directive>) -> B::Ref {
        with_runtime(|shard, runtime| {
            let core = runtime.engine().core_of::<B>(key);
            let head = self.turn.head();
            let me = runtime.core_here(shard, head);
            if core == me {
                return B::Ref::from(core);
            }
            let fresh = head.with_extra(|extra| {
                if extra.ending.is_some() {
                    // It would be left behind.
                    return None;
                }
                let children = &mut extra.kin.children;
                match children.iter_mut().find(|child| child.core == core) {
                    Some(child) => {
                        child.directive = directive.or(child.directive);
                        None
                    }
                    None => {
                        let bond = runtime.next_bond(shard);
                        children.push(Child {
                            core: core.clone(),
                            bond,
                            directive,
                            ordered: 0,
                            awake: false,
                        });
                        Some(bond)
                    }
                }
            });
            if let Some(bond) = fresh {
                let parent = Parent {
                    core: me,
                    bond,
                    heard: 0,
                };
                runtime.signal(shard, &core, Signal::Adopted(parent));
            }
            B::Ref::from(core)
        })
    }

    /// This actor's children, in the order in which they became that.
    #[must_use]
    pub fn children(&self) -> Vec<ActorId> {
        let ids = self.turn.head().extra(|extra| {
            let children = extra.kin.children.iter();
            children.map(|child| child.core.id()).collect()
        });
        ids.unwrap_or_default()
    }

    /// This actor's parent, if it has one.
    #[must_use]
    pub fn parent(&self) -> Option<ActorId> {
        let parent = self.turn.head().extra(|extra| {
            let parent = extra.kin.parent.as_ref()?;
            Some(parent.core.id())
        });
        parent.flatten()
    }

    /// Declares that this actor has failed, as a panic would: nobody enters any more, and once
    /// a turn leaves, this one or another, its supervisor decides what becomes of it. This turn
    /// goes on, and its caller gets the answer that it returns; a turn that is still suspended
    /// when a restart comes is dropped, and its caller answered
    /// [`Restarted`](crate::CallError::Restarted).
    ///
    /// In `on_activate` it is as if that had returned an error; in `on_deactivate` it means
    /// nothing, and neither does a second time.
    ///
    /// ```
    /// use quark::prelude::*;
    /// use quark::testing::SimOptions;
    ///
    /// #[derive(Default)]
    /// pub struct Ledger {
    ///     cents: i64,
    /// }
    ///
    /// #[actor]
    /// impl Ledger {
    ///     pub fn add(&mut self, cx: &Cx<Self>, cents: i64) -> Result<i64, String> {
    ///         self.cents += cents;
    ///         if self.cents < 0 {
    ///             cx.fail("more was taken than was there");
    ///             return Err("no".to_owned());
    ///         }
    ///         Ok(self.cents)
    ///     }
    /// }
    ///
    /// let sim = Engine::builder().simulate(1, SimOptions::default()).unwrap();
    /// let ledger = sim.actor::<Ledger>(1);
    /// sim.block_on(async {
    ///     assert_eq!(ledger.add(5).await, Ok(5));
    ///     assert_eq!(ledger.add(-9).await, Err(CallError::Failed("no".to_owned())));
    ///     assert_eq!(ledger.add(1).await, Ok(1), "a fresh instance");
    /// });
    /// ```
    pub fn fail(&self, cause: impl fmt::Display) {
        let head = self.turn.head();
        match head.phase() {
            Phase::Active => {
                tracing::error!(actor = %head.id(), %cause, "an actor has declared itself failed");
                declare_failed(head, cause.to_string());
            }
            Phase::Activating => head.with_extra(|extra| extra.cause = Some(cause.to_string())),
            _ => {}
        }
    }

    /// Ends this actor's life once this turn is over: who waits for it is answered
    /// [`ActorStopped`](crate::CallError::ActorStopped), its other turns are dropped and their
    /// callers answered [`Restarted`](crate::CallError::Restarted), its children are stopped, and
    /// `on_deactivate` runs. The next call to its key begins a new life, without parent and
    /// children.
    pub fn stop(&self) {
        with_runtime(|shard, runtime| {
            if let Ok(types) = runtime.types.get::<A>(runtime)
                && let Some(resident) = types.cells.get(self.turn.head().index())
            {
                let by = Some(self.turn.id);
                runtime.end(shard, resident, DownReason::Stopped, by);
            }
        });
    }

    /// Stops a child of this actor, as if it had [stopped](Self::stop) itself. False if it is
    /// none.
    pub fn stop_child<R: ActorRef>(&self, child: &R) -> bool {
        let order = self.turn.head().extra(|extra| {
            let children = &extra.kin.children;
            let place = children.iter().position(|one| one.core == *child.core())?;
            let order = extra.kin.order(place, Order::Stop(None));
            extra.kin.children.remove(place);
            Some(order)
        });
        let order = order.flatten();
        let is_child = order.is_some();
        with_runtime(|shard, runtime| runtime.send_orders(shard, order));
        is_child
    }
}
