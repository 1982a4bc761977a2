//! What operations are prepared with and ended by, besides their own.

use super::handles::Handles;
use super::message::Messages;
use super::provided::Provided;
use super::setup::Multishot;

/// A driver's descriptors and memory.
pub(super) struct Kit {
    pub(super) handles: Handles,
    pub(super) multishot: Multishot,
    pub(super) provided: Provided,
    pub(super) messages: Messages,
}

impl Kit {
    pub(super) fn new(multishot: Multishot) -> Self {
        Kit {
            handles: Handles::default(),
            multishot,
            provided: Provided::new(multishot.receive),
            messages: Messages::default(),
        }
    }
}
