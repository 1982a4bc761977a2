//! Where senders wait whom no full mailbox stops.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::others;
use crate::window::Window;

/// Shared by all senders of a receiver. They pass it in chunks, so that they seldom meet.
#[derive(Clone, Debug, Default)]
pub struct Gate {
    window: Window,
    begun: Arc<AtomicU64>,
}

impl Gate {
    /// Messages that a sender who has passed may send.
    pub const CHUNK: u64 = 64;

    /// With nothing sent.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What the receiver keeps up to date.
    #[must_use]
    pub fn window(&self) -> Window {
        self.window.clone()
    }

    /// Waits for room for a chunk.
    pub async fn pass(&self) {
        let first = self.begun.fetch_add(Self::CHUNK, Ordering::Relaxed);
        while !self.window.has_room(first + Self::CHUNK - 1) {
            others().await;
        }
    }
}
