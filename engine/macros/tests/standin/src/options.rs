use std::time::Duration;

/// What `#[actor(…)]` asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ActorOptions {
    pub mailbox: Option<usize>,
    pub when_full: Option<WhenFull>,
    pub idle_after: Option<Duration>,
    pub timeout: Option<Duration>,
    pub pinned: Option<u16>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenFull {
    Refuse,
    Wait,
}

impl ActorOptions {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn mailbox(mut self, messages: usize) -> Self {
        self.mailbox = Some(messages);
        self
    }

    pub fn when_full(mut self, policy: WhenFull) -> Self {
        self.when_full = Some(policy);
        self
    }

    pub fn idle_after(mut self, idle: Duration) -> Self {
        self.idle_after = Some(idle);
        self
    }

    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    pub fn placement(mut self, Placement::Pinned(shard): Placement) -> Self {
        self.pinned = Some(shard);
        self
    }
}

pub enum Placement {
    Pinned(u16),
}
