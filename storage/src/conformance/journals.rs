//! Journals: numbers without gaps, all or nothing, ranges.

use bytes::Bytes;

use super::states::{both, is_fenced};
use super::{Subject, key};
use crate::provider::{
    Append, EVENTS_MOST, Epoch, Event, Expected, StoreError, VALUE_BYTES_MOST, Write,
};

pub(super) async fn check(subject: &dyn Subject) {
    events_are_found_again(subject).await;
    who_is_behind_appends_nothing(subject).await;
    of_two_racing_writers_one_appends(subject).await;
    a_stale_epoch_appends_nothing(subject).await;
    limits_are_kept(subject).await;
    a_journal_is_no_state(subject).await;
}

const FIRST: Epoch = Epoch(1);

fn append(after: u64, events: &[&'static str]) -> Append {
    let events = events.iter();
    Append {
        epoch: FIRST,
        after,
        events: events
            .map(|event| Bytes::from_static(event.as_bytes()))
            .collect(),
    }
}

fn event(number: u64, value: &'static str) -> Event {
    let value = Bytes::from_static(value.as_bytes());
    Event { number, value }
}

async fn events_are_found_again(subject: &dyn Subject) {
    let (store, key) = (subject.provider(), key(subject, "events", "j", 11));
    assert_eq!(store.journal_len(&key, FIRST).await, Ok(0));
    assert_eq!(store.events(&key, 1, 10).await, Ok(vec![]));
    assert_eq!(store.append(&key, append(0, &["a", "b"])).await, Ok(2));
    assert_eq!(
        store.append(&key, append(2, &[])).await,
        Ok(2),
        "nothing is appended"
    );
    assert_eq!(store.append(&key, append(2, &["", "d", "e"])).await, Ok(5));
    for store in [store, subject.provider()] {
        assert_eq!(store.journal_len(&key, FIRST).await, Ok(5));
        let all = [
            event(1, "a"),
            event(2, "b"),
            event(3, ""),
            event(4, "d"),
            event(5, "e"),
        ];
        let found = store.events(&key, 1, 100).await.expect("a read succeeds");
        assert_eq!(found, all);
        assert_eq!(store.events(&key, 2, 3).await.as_deref(), Ok(&all[1..4]));
        assert_eq!(store.events(&key, 5, 3).await.as_deref(), Ok(&all[4..]));
        assert_eq!(store.events(&key, 6, 3).await, Ok(vec![]));
        assert_eq!(store.events(&key, 0, 1).await.as_deref(), Ok(&all[..1]));
    }
}

async fn who_is_behind_appends_nothing(subject: &dyn Subject) {
    let (store, key) = (subject.provider(), key(subject, "behind", "j", 12));
    assert_eq!(store.append(&key, append(0, &["a", "b"])).await, Ok(2));
    for after in [0, 1, 3] {
        is_behind(store.append(&key, append(after, &["x", "y"])).await, 2);
    }
    let found = store.events(&key, 1, 10).await;
    assert_eq!(found, Ok(vec![event(1, "a"), event(2, "b")]));
}

async fn of_two_racing_writers_one_appends(subject: &dyn Subject) {
    let (one, other) = (subject.provider(), subject.provider());
    let key = key(subject, "race", "j", 13);
    for round in 0..20 {
        let results = both(
            one.append(&key, append(round, &["a"])),
            other.append(&key, append(round, &["b"])),
        )
        .await;
        let value = match results {
            (Ok(len), Err(StoreError::Behind { len: now, .. })) if len == now => "a",
            (Err(StoreError::Behind { len: now, .. }), Ok(len)) if len == now => "b",
            other => panic!("exactly one of two racing writers appends, not {other:?}"),
        };
        let found = one.events(&key, round + 1, 10).await;
        assert_eq!(found, Ok(vec![event(round + 1, value)]));
    }
}

async fn a_stale_epoch_appends_nothing(subject: &dyn Subject) {
    let (store, key) = (subject.provider(), key(subject, "epoch", "j", 14));
    assert_eq!(store.append(&key, append(0, &["a"])).await, Ok(1));
    assert_eq!(subject.provider().journal_len(&key, Epoch(2)).await, Ok(1));
    is_fenced(store.append(&key, append(1, &["b"])).await, Epoch(2));
    is_fenced(store.journal_len(&key, FIRST).await, Epoch(2));
    assert_eq!(store.events(&key, 1, 10).await, Ok(vec![event(1, "a")]));
}

async fn limits_are_kept(subject: &dyn Subject) {
    let (store, key) = (subject.provider(), key(subject, "large", "j", 15));
    let half = Bytes::from(vec![1; VALUE_BYTES_MOST / 2]);
    let large = |events: Vec<Bytes>| Append {
        epoch: FIRST,
        after: 0,
        events,
    };
    let over = store.append(
        &key,
        large(vec![half.clone(), half.clone(), Bytes::from_static(b"x")]),
    );
    let over = over.await;
    assert!(
        matches!(over, Err(StoreError::TooLarge { .. })),
        "not {over:?}"
    );
    let many = store
        .append(&key, large(vec![Bytes::new(); EVENTS_MOST + 1]))
        .await;
    assert!(
        matches!(many, Err(StoreError::TooMany { .. })),
        "not {many:?}"
    );
    assert_eq!(
        store.journal_len(&key, FIRST).await,
        Ok(0),
        "all or nothing"
    );
    assert_eq!(
        store
            .append(&key, large(vec![half.clone(), half.clone()]))
            .await,
        Ok(2)
    );
    let found = store.events(&key, 2, 10).await.expect("a read succeeds");
    assert!(
        found.len() == 1 && found[0].value == half,
        "it comes back whole"
    );
    let many = key_of_many(subject);
    let all = store
        .append(&many, large(vec![Bytes::from_static(b"e"); EVENTS_MOST]))
        .await;
    assert_eq!(all, Ok(EVENTS_MOST as u64));
    let mut next = 1;
    while next <= EVENTS_MOST as u64 {
        let page = store
            .events(&many, next, 1000)
            .await
            .expect("a read succeeds");
        assert!(!page.is_empty() && page.len() <= 1000 && page[0].number == next);
        next += page.len() as u64;
    }
}

fn key_of_many(subject: &dyn Subject) -> crate::provider::RecordKey {
    key(subject, "many", "j", 15)
}

async fn a_journal_is_no_state(subject: &dyn Subject) {
    let (store, key) = (subject.provider(), key(subject, "both", "same name", 16));
    assert_eq!(store.append(&key, append(0, &["a"])).await, Ok(1));
    assert_eq!(store.load(&key, FIRST).await, Ok(None));
    let value = Bytes::from_static(b"state");
    let write = Write {
        epoch: FIRST,
        expected: Expected::Absent,
        value: value.clone(),
    };
    store
        .save(&key, write)
        .await
        .expect("a state may have a journal's name");
    assert_eq!(store.events(&key, 1, 10).await, Ok(vec![event(1, "a")]));
    let found = store.load(&key, FIRST).await.expect("a load succeeds");
    assert_eq!(found.map(|found| found.value), Some(value));
}

fn is_behind(result: Result<u64, StoreError>, has: u64) {
    match result {
        Err(StoreError::Behind { len, .. }) => assert_eq!(len, has),
        other => panic!("who is behind is told so, not {other:?}"),
    }
}
