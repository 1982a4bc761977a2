//! How many one-way messages may be on their way at once, where mailboxes have no bound.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::workload::WINDOW;

/// Shared by a receiver and its senders. The receiver tells of what it took every 64 messages, so
/// that flow control is no part of what is measured.
#[derive(Clone, Debug, Default)]
pub struct Window(Arc<Line>);

/// A cache line of its own.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Line(AtomicU64);

impl Window {
    /// With nothing received.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The receiver's part: `received` messages so far, this one counted.
    #[inline]
    pub fn took(&self, received: u64) {
        if received.is_multiple_of(64) {
            self.0.0.store(received, Ordering::Release);
        }
    }

    /// Whether there is room for the message number `sent` (the first is 0); the sender should let
    /// others run and ask again if not.
    #[inline]
    #[must_use]
    pub fn has_room(&self, sent: u64) -> bool {
        sent < self.0.0.load(Ordering::Acquire) + WINDOW
    }
}
