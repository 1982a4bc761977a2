//! Bugs planted on purpose, to show that the simulator finds such ones.
//!
//! Without the feature `planted-bugs`, [`planted`] is `false` and costs nothing. With it, a
//! thread chooses one bug for the simulations that it runs.

#[cfg(feature = "planted-bugs")]
use std::cell::Cell;

/// What can be broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// A sender doesn't ring a shard that sleeps.
    LostWake,
    /// A timer does not fire.
    LostTimer,
    /// A call's deadline goes by unnoticed.
    LostTimeout,
    /// A late answer is taken for that of the next call in the same place.
    StaleAnswer,
    /// A call's credit is not given back.
    CreditLeak,
    /// The directory doesn't find an actor that is there.
    DoubleActivation,
    /// A message enters beside an exclusive turn.
    Overlap,
    /// A local call goes past messages that are queued.
    Overtaking,
    /// A turn that is dropped doesn't answer its caller.
    LostAnswer,
    /// A mailbox loses all but its first message.
    LostTail,
    /// Nobody looks at the mailbox after a turn.
    ForgottenMail,
    /// A restart leaves suspended turns as they are.
    SurvivingTurn,
    /// What has waited while an actor fell asleep stays in its old cell.
    MailLostAsleep,
    /// A shard takes a better way to an actor while messages are still under way by the old one.
    HastyRoute,
    /// An actor that moves leaves its mail behind.
    MailLeftBehind,
    /// A parent's order does not reach its child.
    LostOrder,
    /// An actor that falls asleep forgets its kin.
    ForgottenKin,
    /// A log writes its batches without making them durable.
    SyncSkipped,
    /// A log answers before its batch is durable.
    HastyAnswer,
    /// A log does not compare E-tags.
    TagIgnored,
    /// A log lets a load under a new epoch answer before the epoch is durable.
    HastyFence,
    /// A log forgets to write down that a state is gone.
    LostTombstone,
    /// A log's batch begins on the last block of the one before it.
    SharedBlock,
    /// A log takes batches for whole whose checksum says that they are not.
    ChecksumIgnored,
    /// A log deletes a segment before what was copied from it is durable.
    HastyCompaction,
    /// A log does not compare a journal's length with what its writer knows.
    LengthIgnored,
    /// A directory goes over to its new logs before they are durable.
    HastyRehoming,
    /// A log gives sequences again that it gave before it was opened.
    SequenceReused,
    /// A log does not make the names of its segments durable.
    LostName,
    /// A log's snapshot says that it has all of the log up to where that was at its end.
    SnapshotAhead,
    /// A log's snapshot gets its name before it is durable.
    SnapshotUnsynced,
    /// A log's snapshot leaves the slots' epochs out.
    ForgottenEpochs,
    /// A state remembers an E-tag that it was not told.
    GuessedTag,
    /// A journal's snapshot is taken for newer than it is.
    JournalSnapshotAhead,
    /// A reminder is moved on before its actor has heard of it.
    HastyMove,
    /// A member of a cluster confirms leases of versions older than its own.
    OldVersionConfirmed,
    /// A lease counts from when it was confirmed, not from when it was asked for.
    LateLease,
    /// Who takes slots over waits for no leases.
    UnsettledSlots,
    /// Who takes slots over forgets that clocks differ.
    DriftForgotten,
    /// Who takes slots over waits from when it has heard of them, not from when the majority has.
    EarlySettling,
    /// A member says that it let go of slots that it did not hold alone.
    BorrowedSlots,
    /// A member says that it let go of slots whose turns still run.
    HastyLettingGo,
    /// A member that has missed versions says that it let go of what they took.
    MissedVersions,
    /// Half of the members are taken for a majority.
    HalfMajority,
    /// A version of the table is written by who has no majority behind it.
    UnconfirmedChange,
    /// A member serves without a lease.
    NoLease,
    /// A slot that was handed over once is taken for handed over when it comes back.
    StaleHandover,
    /// A node serves on when its lease is over.
    EndlessLease,
    /// A node runs what it sends back.
    RunThoughMoved,
    /// A node lets go of slots whose actors are there still.
    LetGoAtOnce,
}

#[cfg(feature = "planted-bugs")]
thread_local! {
    static CHOSEN: Cell<Option<(Bug, u32)>> = const { Cell::new(None) };
    static SEEN: Cell<u32> = const { Cell::new(0) };
}

/// Plants `bug` in what this thread does from now on: every `every`-th time that its code is
/// come by. Without one, takes it out again.
#[cfg(feature = "planted-bugs")]
pub fn plant(bug: Option<(Bug, u32)>) {
    CHOSEN.set(bug);
    SEEN.set(0);
}

/// Whether `bug` is to show itself now.
#[cfg(feature = "planted-bugs")]
#[must_use]
pub fn planted(bug: Bug) -> bool {
    match CHOSEN.get() {
        Some((chosen, every)) if chosen == bug => {
            let seen = SEEN.get() + 1;
            SEEN.set(seen);
            seen.is_multiple_of(every)
        }
        _ => false,
    }
}

/// Whether `bug` is planted here, whether or not it shows itself now: for assertions that would
/// see it before the simulator's rules do.
#[cfg(feature = "planted-bugs")]
#[must_use]
pub fn harbours(bug: Bug) -> bool {
    CHOSEN.get().is_some_and(|(chosen, _)| chosen == bug)
}

/// Whether `bug` is to show itself now: never.
#[cfg(not(feature = "planted-bugs"))]
#[inline(always)]
#[must_use]
pub const fn planted(_bug: Bug) -> bool {
    false
}

/// Whether `bug` is planted here: never.
#[cfg(not(feature = "planted-bugs"))]
#[inline(always)]
#[must_use]
pub const fn harbours(_bug: Bug) -> bool {
    false
}
