use super::terms::Window;

/// What is under way in one direction, within its window.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    window: Window,
    messages: u32,
    bytes: u64,
}

impl Room {
    pub(super) fn new(window: Window) -> Self {
        Room {
            window,
            messages: 0,
            bytes: 0,
        }
    }

    /// Whether one more of any size may go. Its bytes are counted when they are known: so one
    /// frame goes over the window at most.
    #[inline]
    pub(super) fn is_free(&self) -> bool {
        self.messages < self.window.messages
            && (self.messages == 0 || self.bytes < u64::from(self.window.bytes))
    }

    #[inline]
    pub(super) fn take(&mut self, bytes: u32) {
        self.messages += 1;
        self.bytes += u64::from(bytes);
    }

    /// Gives back; false if that is more than was taken.
    #[inline]
    pub(super) fn give_back(&mut self, messages: u32, bytes: u64) -> bool {
        let left = (
            self.messages.checked_sub(messages),
            self.bytes.checked_sub(bytes),
        );
        let (Some(messages), Some(bytes)) = left else {
            return false;
        };
        self.messages = messages;
        self.bytes = bytes;
        true
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn window(&self) -> Window {
        self.window
    }
}
