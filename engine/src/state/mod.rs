//! What actors keep: stores at the builder, and states in them.
//!
//! `store` is what a user names, `opening` how it is brought up, `stores` what a shard has of all of
//! them, `reach` the way to the shard that keeps a key's records. `value` is the state itself,
//! `each_turn` how it is saved by itself, `codec` how it stands in its record, `versioned` how old ones are read, `fields` how an actor's
//! states are found and loaded.

mod codec;
mod directory;
mod each_turn;
mod error;
mod fields;
mod opening;
mod reach;
#[cfg(any(feature = "redis", feature = "postgres"))]
mod servers;
mod store;
mod stores;
mod value;
mod versioned;

pub use each_turn::{SavedEachTurn, Saving};
pub use error::StateError;
pub use fields::{Field, HasNoVersions, Kept, Loading, Stateful, Versions};
pub use reach::Place;
pub use store::{Store, StoreCx};
pub use value::State;
pub use versioned::{Old, UpgradeError, Versioned};

pub(crate) use codec::{Format, encode};
pub(crate) use each_turn::{never_suspends, not_saved, save_changes, saves, saving};
pub(crate) use fields::load_all;
pub(crate) use opening::{NotOpened, Reports, StoreStage, add_reports, bring_up, close_stores};
pub(crate) use reach::key_of;
pub(crate) use store::{DEFAULT_STORE, StoreChoices};
pub(crate) use stores::Stores;
