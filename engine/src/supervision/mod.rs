//! Supervision: what becomes of actors that fail, and of those that belong to them.
//!
//! An actor fails when a turn panics or says so ([`Cx::fail`](crate::Cx::fail)). Nobody enters it
//! until its supervisor has decided: its parent, by the `supervision` options of the parent's
//! type, or the engine, by those of the actor's own. The decision comes to the actor as a
//! *signal*, which needs no turn, from whatever shard the parent lives on. A parent that bears no
//! more fails itself; what the engine bears no more is given up.
//!
//! Parents and children know each other by their identities, at both ends, and each bond has a
//! number: word of an old one means nothing to a new one. Who sleeps has its kin *parked* on its
//! shard, so that signals to it still mean something, and its next activation finds them.

mod cx;
mod escalation;
mod failure;
mod family;
mod kin;
mod parked;
mod signal;
mod stop;
mod tree;
mod watch;
mod window;

pub use escalation::Escalation;
pub use tree::{Tree, TreeNode};
pub use watch::{Down, DownReason, WatchId};

pub(crate) use escalation::OnEscalation;
pub(crate) use kin::Kin;
pub(crate) use parked::Parked;
pub(crate) use signal::Signal;
pub(crate) use tree::{Leaf, leaves};
pub(crate) use watch::{Watcher, Watching};
pub(crate) use window::{Recent, Wait};
