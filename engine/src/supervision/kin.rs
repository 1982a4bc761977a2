//! Parents and children, as each of them knows the other, and a parent's judgement.

use std::time::Duration;

use quark_shards::time::Time;

use super::signal::{Order, Signal};
use super::window::Recent;
use crate::key::ActorId;
use crate::options::{Directive, Strategy, Supervision};
use crate::reference::RefCore;

/// One actor's parent and children.
#[derive(Default)]
pub(crate) struct Kin {
    pub(crate) parent: Option<Parent>,
    /// In the order in which they became children.
    pub(crate) children: Vec<Child>,
    /// Restarts that the children's failures have led to.
    pub(crate) failures: Recent,
    /// A child's failure that was its parent's to decide about while this actor slept. Whatever
    /// the parent orders is for the children, too.
    pub(crate) passed_on: Option<String>,
}

/// Names one bond of a parent to a child: later bonds of the same two have other numbers, so
/// that word of an old one, still on its way, can't be taken for the new one's.
pub(crate) type Bond = u64;

/// A parent, as its child knows it.
pub(crate) struct Parent {
    pub(crate) core: RefCore,
    pub(crate) bond: Bond,
    /// The number of its last order that was heard.
    pub(crate) heard: u32,
}

/// A child, as its parent knows it.
pub(crate) struct Child {
    pub(crate) core: RefCore,
    pub(crate) bond: Bond,
    /// What is done when it fails, if not what the parent's type says.
    pub(crate) directive: Option<Directive>,
    /// The number of the last order it was sent.
    pub(crate) ordered: u32,
    pub(crate) awake: bool,
}

/// A failure, as its actor's supervisor hears of it.
pub(crate) struct Failure {
    pub(crate) child: RefCore,
    pub(crate) bond: Bond,
    /// The last order that the child had heard.
    pub(crate) heard: u32,
    pub(crate) cause: String,
}

/// What a parent makes of a child's failure.
pub(crate) enum Verdict {
    /// No child of its own.
    Stranger,
    /// It has been given an order since, which ends that failure too.
    Covered,
    /// An order to these children.
    Order(Vec<usize>, Order),
    /// More than the parent bears.
    Escalate,
}

impl Kin {
    pub(crate) fn is_empty(&self) -> bool {
        self.parent.is_none() && self.children.is_empty()
    }

    pub(crate) fn place(&self, bond: Bond) -> Option<usize> {
        self.children.iter().position(|child| child.bond == bond)
    }

    pub(crate) fn has_awake_children(&self) -> bool {
        self.children.iter().any(|child| child.awake)
    }

    /// The failure that this actor has passed on, or is to, as its parent is to be told of it.
    pub(crate) fn passed_on(&self, me: &RefCore) -> Option<(RefCore, Signal)> {
        let parent = self.parent.as_ref()?;
        let failure = Failure {
            child: me.clone(),
            bond: parent.bond,
            heard: parent.heard,
            cause: self.passed_on.clone()?,
        };
        Some((parent.core.clone(), Signal::Failed(failure)))
    }

    /// An order of the parent's has come; false if it is not the parent of now.
    pub(crate) fn hear(&mut self, bond: Bond, number: u32) -> bool {
        match &mut self.parent {
            Some(parent) if parent.bond == bond => {
                parent.heard = number;
                true
            }
            _ => false,
        }
    }

    pub(crate) fn set_awake(&mut self, bond: Bond, awake: bool) {
        if let Some(place) = self.place(bond) {
            self.children[place].awake = awake;
        }
    }

    pub(crate) fn forget(&mut self, bond: Bond) {
        self.children.retain(|child| child.bond != bond);
    }

    /// The order to one child, numbered.
    pub(crate) fn order(&mut self, child: usize, order: Order) -> (RefCore, Signal) {
        let child = &mut self.children[child];
        child.ordered += 1;
        let signal = Signal::Ordered {
            bond: child.bond,
            number: child.ordered,
            order,
        };
        (child.core.clone(), signal)
    }

    /// The same to some.
    pub(crate) fn order_some(
        &mut self,
        children: &[usize],
        order: &Order,
    ) -> Vec<(RefCore, Signal)> {
        let each = |child: &usize| self.order(*child, order.clone());
        children.iter().map(each).collect()
    }

    /// Who a child is.
    pub(crate) fn name(&self, bond: Bond) -> Option<ActorId> {
        Some(self.children[self.place(bond)?].core.id())
    }

    /// The same to all.
    pub(crate) fn order_all(&mut self, order: &Order) -> Vec<(RefCore, Signal)> {
        (0..self.children.len())
            .map(|child| self.order(child, order.clone()))
            .collect()
    }

    /// Judges a child's failure; `chance` is any word of randomness.
    pub(crate) fn judge(
        &mut self,
        rules: &Supervision,
        failure: &Failure,
        now: Time,
        chance: u64,
    ) -> Verdict {
        let Some(failed) = self.place(failure.bond) else {
            return Verdict::Stranger;
        };
        let child = &self.children[failed];
        if child.ordered != failure.heard {
            return Verdict::Covered;
        }
        let concerned = match rules.strategy {
            Strategy::OneForOne => failed..failed + 1,
            Strategy::AllForOne => 0..self.children.len(),
            Strategy::RestForOne => failed..self.children.len(),
        };
        match child.directive.unwrap_or(rules.on_failure) {
            Directive::Resume => Verdict::Order(vec![failed], Order::Resume),
            Directive::Stop => Verdict::Order(
                concerned.collect(),
                Order::Stop(Some(failure.cause.clone())),
            ),
            Directive::Escalate => Verdict::Escalate,
            Directive::Restart => match self.failures.admit(now, rules.restarts, rules.within) {
                Some(nth) => {
                    let wait = rules.backoff.wait(nth, chance);
                    Verdict::Order(concerned.collect(), Order::Restart(wait))
                }
                None => Verdict::Escalate,
            },
        }
    }

    /// How often children's failures have led to restarts of late.
    pub(crate) fn recent_failures(&mut self, now: Time, within: Duration) -> u16 {
        self.failures.count(now, within)
    }
}
