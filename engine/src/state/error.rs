//! What can go wrong with a state; each says what to do.

use quark_storage::provider::{ETag, Epoch, StoreError};

/// Why a state was not loaded, saved or cleared.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// Somebody else has written the state since it was loaded. Nothing was written now.
    #[error(
        "{key} has been written by somebody else since it was loaded: reload() it, and do again what is still right"
    )]
    Conflict {
        /// Which state.
        key: String,
        /// Its E-tag now; `None` if it is not there.
        current: Option<ETag>,
    },
    /// The key belongs to another engine by now. Nothing was written.
    #[error("{key} belongs to the owner of epoch {current} by now; this activation has to go")]
    Fenced {
        /// Which state.
        key: String,
        /// The highest epoch known.
        current: Epoch,
    },
    /// It is larger than any store takes.
    #[error("{key} has {bytes} bytes, and {most} is the most; split what is kept")]
    TooLarge {
        /// Which state.
        key: String,
        /// How many they are.
        bytes: usize,
        /// How many they may be.
        most: usize,
    },
    /// The engine has no store.
    #[error("the engine has no store: give it one, Engine::builder().store(Store::directory(…))")]
    NoStore,
    /// The engine has no store of that name.
    #[error("the engine has no store named {store:?} ({}): give it one, Engine::builder().store_named({store:?}, …)", names(.known))]
    NoSuchStore {
        /// The name.
        store: String,
        /// What there is.
        known: Vec<String>,
    },
    /// The engine knows nothing of the state.
    #[error(
        "the state was never loaded: mark its field with #[state], and derive Stateful for the actor"
    )]
    NotLoaded,
    /// What is kept can't be read. It is left as it is.
    #[error(
        "{key} is kept in a form (version {version}) that can't be read: {why}; it is left as it is"
    )]
    Undecodable {
        /// Which state.
        key: String,
        /// The version it was kept in.
        version: u32,
        /// What was found.
        why: String,
    },
    /// What is kept was written by a newer program. It is left as it is.
    #[error(
        "{key} was kept by a newer program (version {version}, and {known} is known here); it is left as it is"
    )]
    Newer {
        /// Which state.
        key: String,
        /// The version it was kept in.
        version: u32,
        /// The version of this program.
        known: u32,
    },
    /// The value can't be written down.
    #[error("{key} can't be encoded: {why}")]
    Unencodable {
        /// Which state.
        key: String,
        /// What serde says.
        why: String,
    },
    /// It is kept for an actor in another process, which says why.
    #[error("{0}")]
    There(String),
    /// The store could not do it.
    #[error(transparent)]
    Store(StoreError),
}

fn names(known: &[String]) -> String {
    if known.is_empty() {
        return "it has none".to_owned();
    }
    format!("it has {}", known.join(", "))
}

impl From<StoreError> for StateError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict { key, current } => StateError::Conflict { key, current },
            StoreError::Fenced { key, current } => StateError::Fenced { key, current },
            StoreError::TooLarge {
                key, bytes, most, ..
            } => StateError::TooLarge { key, bytes, most },
            other => StateError::Store(other),
        }
    }
}
