//! What became of a call, as one process says it to another.

use std::time::Duration;

use crate::actor::ActivateError;
use crate::error::{CallError, NotRemote, RegisterError, RetryAfter};
use crate::state::StateError;

/// The method has answered, be it by its own error.
pub(super) const ANSWERED: u16 = 0;

const TIMEOUT: u16 = 1;
const OVERLOADED: u16 = 2;
const MAILBOX_FULL: u16 = 3;
const DROPPED: u16 = 4;
const RATE_LIMITED: u16 = 5;
const CIRCUIT_OPEN: u16 = 6;
const CALL_CYCLE: u16 = 7;
const PANICKED: u16 = 8;
const RESTARTED: u16 = 9;
const ACTOR_STOPPED: u16 = 10;
const ACTIVATION: u16 = 11;
const STATE: u16 = 12;
const NOT_SAVED: u16 = 13;
const STOPPED: u16 = 14;
const UNREGISTERED: u16 = 15;
const DISCONNECTED: u16 = 16;
const UNREACHABLE: u16 = 17;
const UNREADABLE: u16 = 19;
/// The message could not be read, or is not known.
const NOT_REMOTE: u16 = 18;
/// Another node serves the actor: the call comes back as it was; see [`moved`](super::moved).
pub(super) const MOVED: u16 = 20;
const CUT_OFF: u16 = 21;

/// The longest words that go along, in bytes.
const WORDS_MOST: usize = 4096;

/// An error as it is sent: its status, and what goes along. The method's own is not one of them.
pub(super) fn write<E>(error: &CallError<E>) -> (u16, Vec<u8>) {
    let bare = |status| (status, Vec::new());
    let words = |status, words: String| {
        let most = words.floor_char_boundary(WORDS_MOST);
        (status, words.as_bytes()[..most].to_vec())
    };
    let after = |status, after: RetryAfter| {
        let nanos = u64::try_from(after.duration().as_nanos()).unwrap_or(u64::MAX);
        (status, nanos.to_le_bytes().to_vec())
    };
    match error {
        // What goes wrong on the way to here is nothing that the caller did.
        CallError::Failed(_) | CallError::WouldBlock | CallError::Elsewhere => bare(STOPPED),
        CallError::Timeout => bare(TIMEOUT),
        CallError::Overloaded => bare(OVERLOADED),
        CallError::MailboxFull => bare(MAILBOX_FULL),
        CallError::Dropped => bare(DROPPED),
        CallError::RateLimited(wait) => after(RATE_LIMITED, **wait),
        CallError::CircuitOpen(wait) => after(CIRCUIT_OPEN, **wait),
        CallError::CallCycle => bare(CALL_CYCLE),
        CallError::Panicked => bare(PANICKED),
        CallError::Restarted => bare(RESTARTED),
        CallError::ActorStopped => bare(ACTOR_STOPPED),
        CallError::Activation(why) => words(ACTIVATION, why.to_string()),
        CallError::State(why) => words(STATE, why.to_string()),
        CallError::NotSaved(why) => words(NOT_SAVED, why.to_string()),
        CallError::CutOff => bare(CUT_OFF),
        CallError::Stopped => bare(STOPPED),
        CallError::Unregistered(why) => words(UNREGISTERED, why.to_string()),
        CallError::Disconnected => bare(DISCONNECTED),
        CallError::Unreadable(why) => words(UNREADABLE, why.to_string()),
        CallError::Unreachable(why) => words(UNREACHABLE, why.to_string()),
        CallError::NotRemote(why) => words(NOT_REMOTE, why.to_string()),
    }
}

/// An error as it has come. What nobody knows yet says that the outcome is unknown.
pub(super) fn read<E>(status: u16, along: &[u8]) -> CallError<E> {
    let words = || String::from_utf8_lossy(&along[..along.len().min(WORDS_MOST)]).into_owned();
    let after = || {
        let nanos = along
            .first_chunk()
            .map_or(0, |nanos| u64::from_le_bytes(*nanos));
        Box::new(RetryAfter::new(Duration::from_nanos(nanos)))
    };
    match status {
        TIMEOUT => CallError::Timeout,
        OVERLOADED => CallError::Overloaded,
        MAILBOX_FULL => CallError::MailboxFull,
        DROPPED => CallError::Dropped,
        RATE_LIMITED => CallError::RateLimited(after()),
        CIRCUIT_OPEN => CallError::CircuitOpen(after()),
        CALL_CYCLE => CallError::CallCycle,
        PANICKED => CallError::Panicked,
        RESTARTED => CallError::Restarted,
        ACTOR_STOPPED => CallError::ActorStopped,
        ACTIVATION => CallError::Activation(Box::new(ActivateError::new(words()))),
        STATE => CallError::State(Box::new(StateError::There(words()))),
        NOT_SAVED => CallError::NotSaved(Box::new(StateError::There(words()))),
        CUT_OFF => CallError::CutOff,
        STOPPED => CallError::Stopped,
        UNREGISTERED => CallError::Unregistered(Box::new(RegisterError::There(words()))),
        UNREACHABLE => CallError::Unreachable(Box::new(words())),
        UNREADABLE => CallError::Unreadable(Box::new(words())),
        NOT_REMOTE => CallError::NotRemote(Box::new(NotRemote::There(words()))),
        _ => CallError::Disconnected,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_a_call_says_the_same_on_the_other_side() {
        let errors: Vec<CallError> = vec![
            CallError::Timeout,
            CallError::Overloaded,
            CallError::MailboxFull,
            CallError::Dropped,
            CallError::RateLimited(Box::new(RetryAfter::new(Duration::from_millis(7)))),
            CallError::CircuitOpen(Box::new(RetryAfter::new(Duration::from_millis(8)))),
            CallError::CallCycle,
            CallError::Panicked,
            CallError::Restarted,
            CallError::ActorStopped,
            CallError::Activation(Box::new(ActivateError::new("no disk"))),
            CallError::State(Box::new(StateError::NoStore)),
            CallError::NotSaved(Box::new(StateError::NotLoaded)),
            CallError::Stopped,
            CallError::CutOff,
            CallError::Unregistered(Box::new(RegisterError::NoFactory { name: "A" })),
            CallError::Disconnected,
            CallError::Unreachable(Box::new("nobody listens".to_owned())),
            CallError::NotRemote(Box::new(NotRemote::There("no such method".to_owned()))),
        ];
        for error in errors {
            let (status, along) = write(&error);
            assert_ne!(status, ANSWERED);
            let back: CallError = read(status, &along);
            assert_eq!(back.to_string(), error.to_string());
            assert_eq!(back.never_ran(), error.never_ran(), "{error}");
        }
    }
}
