//! The tree of parents and children, as it can be listed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use quark_shards::shard::Shard;
use quark_shards::time::Time;

use crate::extra::Extra;
use crate::key::ActorId;
use crate::options::{Strategy, Supervision};
use crate::runtime::Runtime;

/// Parents and children of one engine, as they were when it was asked; see
/// [`Engine::tree`](crate::Engine::tree). Actors that have neither are not in it. Shown, it is
/// indented, one line for each actor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    /// Those without a parent: the engine is theirs.
    pub roots: Vec<TreeNode>,
}

/// An actor with a parent or children.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeNode {
    /// Who.
    pub id: ActorId,
    /// Where it lives, or would.
    pub shard: u16,
    /// Whether it is in memory.
    pub is_awake: bool,
    /// Whom a child's failure concerns, by its type's options.
    pub strategy: Strategy,
    /// Its restarts within its type's window.
    pub restarts: u16,
    /// Restarts for its children's failures within that window.
    pub failures: u16,
    /// In the order in which they became children.
    pub children: Vec<TreeNode>,
}

/// What one shard knows of one actor.
pub(crate) struct Leaf {
    node: TreeNode,
    parent: Option<ActorId>,
    children: Vec<(ActorId, u16)>,
}

impl Leaf {
    /// An actor, if it has kin.
    pub(crate) fn of(
        id: ActorId,
        shard: u16,
        is_awake: bool,
        extra: &mut Extra,
        rules: &Supervision,
        now: Time,
    ) -> Option<Leaf> {
        if extra.kin.is_empty() {
            return None;
        }
        let children = extra.kin.children.iter();
        let children = children.map(|child| (child.core.id(), child.core.shard));
        Some(Leaf {
            parent: extra.kin.parent.as_ref().map(|parent| parent.core.id()),
            children: children.collect(),
            node: TreeNode {
                id,
                shard,
                is_awake,
                strategy: rules.strategy,
                restarts: extra.restarts.count(now, rules.within),
                failures: extra.kin.recent_failures(now, rules.within),
                children: Vec::new(),
            },
        })
    }
}

/// What a shard knows of parents and children.
pub(crate) fn leaves(shard: &Shard, runtime: &Runtime) -> Vec<Leaf> {
    let now = shard.read_clock();
    let mut leaves = Vec::new();
    for types in runtime.types.iter() {
        types.leaves(&mut leaves, shard.id(), now);
    }
    runtime.parked.each(|token, key, extra| {
        let rules = runtime.types.of(token).map(|types| types.supervision());
        let id = ActorId {
            actor: token.name(),
            key: key.clone(),
        };
        let rules = rules.unwrap_or_default();
        leaves.extend(Leaf::of(id, shard.id(), false, extra, &rules, now));
    });
    leaves
}

impl Tree {
    /// Puts together what all shards know. Word may be on its way between them, so a child that
    /// does not know its parent yet is where its parent says.
    pub(crate) fn of(leaves: impl IntoIterator<Item = Leaf>) -> Tree {
        let mut known: BTreeMap<_, _> = leaves
            .into_iter()
            .map(|leaf| (leaf.node.id.clone(), leaf))
            .collect();
        let claimed: BTreeSet<_> = known
            .values()
            .flat_map(|leaf| leaf.children.iter().map(|(child, _)| child.clone()))
            .collect();
        let has_parent = |leaf: &Leaf| {
            claimed.contains(&leaf.node.id)
                || leaf
                    .parent
                    .as_ref()
                    .is_some_and(|parent| known.contains_key(parent))
        };
        let roots: Vec<_> = known
            .values()
            .filter(|leaf| !has_parent(leaf))
            .map(|leaf| leaf.node.id.clone())
            .collect();
        let mut tree = Tree::default();
        for root in roots {
            tree.roots.extend(grow(&mut known, &root));
        }
        // Those who are each other's parents hang from nothing.
        while let Some(id) = known.keys().next().cloned() {
            tree.roots.extend(grow(&mut known, &id));
        }
        tree
    }
}

/// Takes an actor, and all below it, out of those that are known.
fn grow(known: &mut BTreeMap<ActorId, Leaf>, id: &ActorId) -> Option<TreeNode> {
    let Leaf {
        mut node, children, ..
    } = known.remove(id)?;
    for (child, shard) in children {
        let below = if known.contains_key(&child) {
            grow(known, &child)
        } else {
            // It has not heard yet, and nobody else knows it.
            Some(TreeNode {
                id: child,
                shard,
                is_awake: false,
                strategy: Strategy::default(),
                restarts: 0,
                failures: 0,
                children: Vec::new(),
            })
        };
        node.children.extend(below);
    }
    Some(node)
}

impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.roots.iter().try_for_each(|root| root.show(f, 0))
    }
}

impl TreeNode {
    fn show(&self, f: &mut fmt::Formatter<'_>, depth: usize) -> fmt::Result {
        write!(f, "{:1$}", "", depth * 2)?;
        write!(f, "{} on shard {}", self.id, self.shard)?;
        if !self.is_awake {
            f.write_str(", asleep")?;
        }
        if self.restarts != 0 {
            write!(f, ", restarts: {}", self.restarts)?;
        }
        if !self.children.is_empty() {
            let strategy = match self.strategy {
                Strategy::OneForOne => "one for one",
                Strategy::AllForOne => "all for one",
                Strategy::RestForOne => "rest for one",
            };
            write!(f, ", {strategy}")?;
            if self.failures != 0 {
                write!(f, ", children's failures: {}", self.failures)?;
            }
        }
        writeln!(f)?;
        self.children
            .iter()
            .try_for_each(|child| child.show(f, depth + 1))
    }
}
