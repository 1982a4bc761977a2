//! What only some actors need beside their cell.

use crate::state::StateError;
use crate::supervision::{DownReason, Kin, Recent, Wait, Watcher, Watching};

/// Kept behind one pointer of the cell, made when something first belongs in it. It goes with
/// the actor when that moves, so it names others by their identities, never by their cells.
#[derive(Default)]
pub(crate) struct Extra {
    /// Parent and children.
    pub(crate) kin: Kin,
    /// Restarts of this life.
    pub(crate) restarts: Recent,
    /// How long the restart that is under way waits.
    pub(crate) wait: Wait,
    /// Why it has failed, until its supervisor has decided.
    pub(crate) cause: Option<String>,
    /// Whether its supervisor has been told.
    pub(crate) is_told: bool,
    /// Why what its turn has changed was not saved, until its caller is told.
    pub(crate) unsaved: Option<Box<StateError>>,
    /// Why its life ends, once that is decided.
    pub(crate) ending: Option<DownReason>,
    /// Whether `on_deactivate` is still to run then.
    pub(crate) says_farewell: bool,
    /// Who wants to hear of its end.
    pub(crate) watchers: Vec<Watcher>,
    /// Whose end it wants to hear of.
    pub(crate) watching: Vec<Watching>,
}

const _: () = {
    const fn travels<T: Send>() {}
    travels::<Extra>();
};
