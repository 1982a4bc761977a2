use std::cell::Cell;

use quark_shards::time::Time;

use super::{LinkError, ListenLimits};
use crate::seldom::Seldom;
use crate::session::SessionError;

/// What has become of connections, for whoever looks. What strangers do is told of in the log, too: each
/// kind at once when it first happens, and then once a minute at most, with how often it did.
#[derive(Debug, Default)]
pub struct ListenReport {
    /// Accepted so far.
    pub accepted: Cell<u64>,
    /// Closed at once, since there were as many sessions as may be.
    pub turned_away: Cell<u64>,
    /// Handshakes given up for newer ones.
    pub crowded_out: Cell<u64>,
    /// Handshakes given up since they did not end in time.
    pub slow: Cell<u64>,
    /// Not let in: their certificate, their cluster or what they said was not right.
    pub refused: Cell<u64>,
    /// Gone before their handshake's end.
    pub gone: Cell<u64>,
    /// Open sessions that this side has ended for what the peer did.
    pub cut_off: Cell<u64>,
    told: Told,
}

/// By what is said of them.
#[derive(Debug, Default)]
struct Told {
    full: Seldom,
    idle: Seldom,
    refused: Seldom,
    gone: Seldom,
    cut_off: Seldom,
}

impl ListenReport {
    pub(super) fn turn_away(&self, limits: &ListenLimits, now: Time) {
        add_one(&self.turned_away);
        if let Some(times) = self.told.full.now(now) {
            tracing::warn!(
                times,
                sessions = limits.sessions,
                "as many sessions are open as may be, and others are turned away: find out whose they \
                 are, or raise .sessions(…)"
            );
        }
    }

    pub(super) fn crowd_out(&self, now: Time) {
        add_one(&self.crowded_out);
        self.tell_idle(now);
    }

    /// A handshake has come to nothing.
    pub(super) fn not_opened(&self, why: &LinkError, now: Time) {
        match why {
            // Who was crowded out is counted there; a side that leaves needs no telling.
            LinkError::ClosedHere => {}
            LinkError::Session(SessionError::SlowHandshake) => {
                add_one(&self.slow);
                self.tell_idle(now);
            }
            LinkError::ClosedByPeer | LinkError::Io(_) => {
                add_one(&self.gone);
                if let Some(times) = self.told.gone.now(now) {
                    tracing::debug!(times, %why, "who connected has gone without a word");
                }
            }
            _ => {
                add_one(&self.refused);
                if let Some(times) = self.told.refused.now(now) {
                    tracing::warn!(times, %why, "who connects is not let in");
                }
            }
        }
    }

    /// An open session has ended.
    pub(super) fn ended(&self, why: &LinkError, now: Time) {
        match why {
            LinkError::ClosedHere
            | LinkError::ClosedByPeer
            | LinkError::Io(_)
            | LinkError::Session(SessionError::Silent { .. }) => {}
            _ => {
                add_one(&self.cut_off);
                if let Some(times) = self.told.cut_off.now(now) {
                    tracing::warn!(times, %why, "a session was cut off");
                }
            }
        }
    }

    fn tell_idle(&self, now: Time) {
        if let Some(times) = self.told.idle.now(now) {
            tracing::warn!(
                times,
                crowded_out = self.crowded_out.get(),
                slow = self.slow.get(),
                "who connects does not say in time who he is, and is given up: a flood, or a network \
                 that needs .handshakes(…) or .handshake_within(…) raised"
            );
        }
    }
}

pub(super) fn add_one(count: &Cell<u64>) {
    count.set(count.get() + 1);
}
