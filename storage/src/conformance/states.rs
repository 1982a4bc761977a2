//! States: E-tags, epochs, clearing, limits.

use bytes::Bytes;

use super::{Subject, key};
use crate::provider::{ETag, Epoch, Expected, KEY_BYTES_MOST, StoreError, VALUE_BYTES_MOST, Write};

pub(super) async fn check(subject: &dyn Subject) {
    saves_are_found_again(subject).await;
    a_stale_tag_writes_nothing(subject).await;
    a_stale_epoch_writes_nothing(subject).await;
    of_two_racing_writers_one_wins(subject).await;
    clearing_removes(subject).await;
    states_of_one_actor_are_apart(subject).await;
    limits_are_kept(subject).await;
}

const FIRST: Epoch = Epoch(1);

fn write(expected: Expected, value: &'static str) -> Write {
    Write {
        epoch: FIRST,
        expected,
        value: Bytes::from_static(value.as_bytes()),
    }
}

async fn saves_are_found_again(subject: &dyn Subject) {
    let (store, key) = (subject.provider(), key(subject, "found", "s", 1));
    assert_eq!(
        store.load(&key, FIRST).await,
        Ok(None),
        "nothing was saved yet"
    );
    let first = store.save(&key, write(Expected::Absent, "one")).await;
    let first = first.expect("a first save succeeds");
    let second = store.save(&key, write(Expected::Tag(first), "two")).await;
    let second = second.expect("a save that knows the E-tag succeeds");
    assert_ne!(first, second, "each save has its own E-tag");
    for store in [store, subject.provider()] {
        let found = store.load(&key, FIRST).await.expect("a load succeeds");
        let found = found.expect("what was saved is there");
        assert_eq!((found.etag, &found.value[..]), (second, &b"two"[..]));
    }
    let store = subject.provider();
    let third = store.save(&key, write(Expected::Any, "")).await;
    let third = third.expect("who expects anything always saves");
    let found = store.load(&key, FIRST).await.expect("a load succeeds");
    let found = found.expect("an empty value is a value");
    assert_eq!((found.etag, found.value.len()), (third, 0));
}

async fn a_stale_tag_writes_nothing(subject: &dyn Subject) {
    let (store, key) = (subject.provider(), key(subject, "stale", "s", 2));
    let first = store.save(&key, write(Expected::Absent, "one")).await;
    let first = first.expect("a first save succeeds");
    let second = store.save(&key, write(Expected::Tag(first), "two")).await;
    let second = second.expect("a second save succeeds");
    for stale in [
        Expected::Absent,
        Expected::Tag(first),
        Expected::Tag(ETag(u64::MAX >> 1)),
    ] {
        let refused = store.save(&key, write(stale, "three")).await;
        is_conflict(refused, Some(second));
        is_conflict(store.clear(&key, FIRST, stale).await, Some(second));
    }
    let found = store.load(&key, FIRST).await.expect("a load succeeds");
    assert_eq!(
        found.map(|found| found.value),
        Some(Bytes::from_static(b"two"))
    );
}

async fn a_stale_epoch_writes_nothing(subject: &dyn Subject) {
    let (store, key) = (subject.provider(), key(subject, "epoch", "s", 3));
    let first = store.save(&key, write(Expected::Absent, "old owner")).await;
    let first = first.expect("a first save succeeds");
    // The new owner only loads: that alone shuts the old one out, for its whole slot.
    let newer = subject.provider();
    let seen = newer
        .load(&key, Epoch(4))
        .await
        .expect("a newer epoch may load");
    assert_eq!(seen.map(|seen| seen.etag), Some(first));
    let other = super::key(subject, "same slot", "s", 3);
    for key in [&key, &other] {
        let refused = store.save(key, write(Expected::Any, "too late")).await;
        is_fenced(refused, Epoch(4));
        is_fenced(store.clear(key, FIRST, Expected::Any).await, Epoch(4));
        is_fenced(store.load(key, Epoch(3)).await, Epoch(4));
    }
    let elsewhere = super::key(subject, "other slot", "s", 4);
    let free = store
        .save(&elsewhere, write(Expected::Absent, "fine"))
        .await;
    free.expect("another slot's epoch is its own");
    let saved = newer.save(
        &key,
        Write {
            epoch: Epoch(4),
            ..write(Expected::Tag(first), "new owner")
        },
    );
    saved.await.expect("the new owner saves");
    let found = subject
        .provider()
        .load(&key, Epoch(4))
        .await
        .expect("a load succeeds");
    assert_eq!(
        found.map(|found| found.value),
        Some(Bytes::from_static(b"new owner"))
    );
}

/// Both are under way at once, as far as the provider allows.
async fn of_two_racing_writers_one_wins(subject: &dyn Subject) {
    let (one, other) = (subject.provider(), subject.provider());
    let key = key(subject, "race", "s", 5);
    let mut known = Expected::Absent;
    for round in 0..20 {
        let (a, b) = both(
            one.save(&key, write(known, "a")),
            other.save(&key, write(known, "b")),
        )
        .await;
        let (won, value) = match (a, b) {
            (Ok(etag), Err(StoreError::Conflict { current, .. })) => {
                assert_eq!(current, Some(etag), "round {round}");
                (etag, "a")
            }
            (Err(StoreError::Conflict { current, .. }), Ok(etag)) => {
                assert_eq!(current, Some(etag), "round {round}");
                (etag, "b")
            }
            other => panic!("exactly one of two racing writers wins, not {other:?}"),
        };
        let found = one.load(&key, FIRST).await.expect("a load succeeds");
        let found = found.expect("the winner's value is there");
        assert_eq!((found.etag, &found.value[..]), (won, value.as_bytes()));
        known = Expected::Tag(won);
    }
}

async fn clearing_removes(subject: &dyn Subject) {
    let (store, key) = (subject.provider(), key(subject, "clear", "s", 6));
    let nothing = store.clear(&key, FIRST, Expected::Absent).await;
    assert_eq!(nothing, Ok(()), "clearing nothing, as expected, succeeds");
    let first = store.save(&key, write(Expected::Absent, "one")).await;
    let first = first.expect("a first save succeeds");
    assert_eq!(store.clear(&key, FIRST, Expected::Tag(first)).await, Ok(()));
    assert_eq!(subject.provider().load(&key, FIRST).await, Ok(None));
    is_conflict(
        store.save(&key, write(Expected::Tag(first), "two")).await,
        None,
    );
    let again = store.save(&key, write(Expected::Absent, "two")).await;
    let again = again.expect("a cleared state can be saved again");
    assert_ne!(again, first, "E-tags are not used again");
    let anyhow = store.clear(&key, FIRST, Expected::Any).await;
    assert_eq!(anyhow, Ok(()), "who expects anything always clears");
}

async fn states_of_one_actor_are_apart(subject: &dyn Subject) {
    let store = subject.provider();
    let names = ["a", "b", "a.b", "ü", "with space", "{brace}", "a:b"];
    for name in names {
        let key = key(subject, "many: {x}", name, 7);
        let value = Bytes::from(name.to_owned());
        let saved = store.save(
            &key,
            Write {
                epoch: FIRST,
                expected: Expected::Absent,
                value,
            },
        );
        saved.await.expect("each name is a state of its own");
    }
    for name in names {
        let key = key(subject, "many: {x}", name, 7);
        let found = store.load(&key, FIRST).await.expect("a load succeeds");
        assert_eq!(
            found.map(|found| found.value),
            Some(Bytes::from(name.to_owned()))
        );
    }
}

async fn limits_are_kept(subject: &dyn Subject) {
    let (store, key) = (subject.provider(), key(subject, "large", "s", 8));
    let most = Bytes::from(vec![7; VALUE_BYTES_MOST]);
    let save = |value| {
        let expected = Expected::Any;
        let epoch = FIRST;
        store.save(
            &key,
            Write {
                epoch,
                expected,
                value,
            },
        )
    };
    save(most.clone())
        .await
        .expect("the largest value is saved");
    let over = save(Bytes::from(vec![8; VALUE_BYTES_MOST + 1])).await;
    assert!(
        matches!(over, Err(StoreError::TooLarge { bytes, most, .. })
            if bytes == VALUE_BYTES_MOST + 1 && most == VALUE_BYTES_MOST),
        "a byte more is refused as too large, not {over:?}"
    );
    let found = subject
        .provider()
        .load(&key, FIRST)
        .await
        .expect("a load succeeds");
    assert!(
        found.is_some_and(|found| found.value == most),
        "it comes back whole"
    );
    let long = super::key(subject, &"k".repeat(KEY_BYTES_MOST), "s", 8);
    let refused = store.save(&long, write(Expected::Any, "x")).await;
    assert!(
        matches!(refused, Err(StoreError::TooLarge { .. })),
        "a name that is too long is refused, not {refused:?}"
    );
}

pub(super) fn is_conflict<T: std::fmt::Debug>(result: Result<T, StoreError>, tag: Option<ETag>) {
    match result {
        Err(StoreError::Conflict { current, .. }) => {
            assert_eq!(current, tag, "a conflict names the E-tag that is there");
        }
        other => panic!("a stale E-tag is a conflict, not {other:?}"),
    }
}

pub(super) fn is_fenced<T: std::fmt::Debug>(result: Result<T, StoreError>, epoch: Epoch) {
    match result {
        Err(StoreError::Fenced { current, .. }) => assert_eq!(current, epoch),
        other => panic!("a stale epoch is fenced off, not {other:?}"),
    }
}

/// Waits for both, each polled as soon as the other can't go on.
pub(super) async fn both<A, B>(
    a: impl Future<Output = A> + Unpin,
    b: impl Future<Output = B> + Unpin,
) -> (A, B) {
    use std::pin::Pin;
    use std::task::Poll;

    let (mut a, mut b) = (a, b);
    let (mut got_a, mut got_b) = (None, None);
    std::future::poll_fn(move |cx| {
        if got_a.is_none()
            && let Poll::Ready(value) = Pin::new(&mut a).poll(cx)
        {
            got_a = Some(value);
        }
        if got_b.is_none()
            && let Poll::Ready(value) = Pin::new(&mut b).poll(cx)
        {
            got_b = Some(value);
        }
        match (got_a.take(), got_b.take()) {
            (Some(a), Some(b)) => Poll::Ready((a, b)),
            (a, b) => {
                (got_a, got_b) = (a, b);
                Poll::Pending
            }
        }
    })
    .await
}
