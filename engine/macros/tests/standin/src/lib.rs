//! The traits that `#[actor]` writes against, and just enough behind them to run one turn on
//! the spot: no engine, no shards, no mailbox.

mod call;
mod message;
mod options;

pub use call::{Call, Cx, ready};
pub use quark_macros::actor;

/// What users import.
pub mod prelude {
    pub use crate::{ActivateError, Call, Cx, actor};
}

pub use message::ActivateError;

/// What `#[actor]` names.
#[doc(hidden)]
pub mod __private {
    pub use crate::{
        call::{Cx, RefCore},
        message::{
            ActivateError, Actor, ActorRef, Exclusive, IntoActivation, Method, Receiver,
            ResultParts, Shared, TypeToken,
        },
        options::{ActorOptions, Placement, WhenFull},
    };
}
