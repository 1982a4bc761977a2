//! Reminders: set, changed, taken back, and found when they are due.

use super::states::{is_conflict, is_fenced};
use super::{Subject, key};
use crate::provider::{CatchUp, Epoch, Expected, RecordKey, Reminder, WallTime};

pub(super) async fn check(subject: &dyn Subject) {
    a_reminder_is_found_again(subject).await;
    who_knows_it_not_changes_nothing(subject).await;
    those_due_come_in_order(subject).await;
}

const FIRST: Epoch = Epoch(1);
/// Early in the calendar, so that those of a store that is in use don't come between.
const BASE: u64 = 1_000;

fn once(at: u64) -> Reminder {
    Reminder {
        due: WallTime(BASE + at),
        period_ms: None,
        catch_up: CatchUp::Once,
    }
}

async fn a_reminder_is_found_again(subject: &dyn Subject) {
    let (store, key) = (subject.provider(), key(subject, "set", "r", 21));
    assert_eq!(store.reminder(&key, FIRST).await, Ok(None));
    let all = [
        once(5),
        Reminder {
            period_ms: Some(60_000),
            catch_up: CatchUp::Each,
            ..once(u64::MAX / 4)
        },
        Reminder {
            period_ms: Some(1),
            catch_up: CatchUp::Skip,
            ..once(0)
        },
    ];
    for reminder in all {
        let set = store
            .set_reminder(&key, FIRST, Expected::Any, Some(reminder))
            .await;
        let etag = set.expect("a reminder is set").expect("and has an E-tag");
        let found = subject.provider().reminder(&key, FIRST).await;
        assert_eq!(found, Ok(Some((etag, reminder))));
    }
    let gone = store.set_reminder(&key, FIRST, Expected::Any, None).await;
    assert_eq!(gone, Ok(None));
    assert_eq!(subject.provider().reminder(&key, FIRST).await, Ok(None));
    let none = store
        .set_reminder(&key, FIRST, Expected::Absent, None)
        .await;
    assert_eq!(
        none,
        Ok(None),
        "taking back what is not there succeeds if that was expected"
    );
}

async fn who_knows_it_not_changes_nothing(subject: &dyn Subject) {
    let (store, key) = (subject.provider(), key(subject, "known", "r", 22));
    let set = store
        .set_reminder(&key, FIRST, Expected::Absent, Some(once(1)))
        .await;
    let etag = set.expect("a reminder is set").expect("and has an E-tag");
    let again = store
        .set_reminder(&key, FIRST, Expected::Absent, Some(once(2)))
        .await;
    is_conflict(again, Some(etag));
    is_conflict(
        store
            .set_reminder(&key, FIRST, Expected::Absent, None)
            .await,
        Some(etag),
    );
    let moved = store
        .set_reminder(&key, FIRST, Expected::Tag(etag), Some(once(3)))
        .await;
    let moved = moved
        .expect("who knows it changes it")
        .expect("and it has an E-tag");
    is_conflict(
        store
            .set_reminder(&key, FIRST, Expected::Tag(etag), None)
            .await,
        Some(moved),
    );
    assert_eq!(
        store.reminder(&key, Epoch(2)).await,
        Ok(Some((moved, once(3))))
    );
    is_fenced(
        store.set_reminder(&key, FIRST, Expected::Any, None).await,
        Epoch(2),
    );
    let gone = store
        .set_reminder(&key, Epoch(2), Expected::Tag(moved), None)
        .await;
    assert_eq!(gone, Ok(None));
}

async fn those_due_come_in_order(subject: &dyn Subject) {
    let store = subject.provider();
    let names: Vec<String> = (0..30).map(|number| format!("r{number}")).collect();
    let keys: Vec<RecordKey> = names
        .iter()
        .map(|name| key(subject, "due", name, 23))
        .collect();
    for (at, key) in keys.iter().enumerate() {
        // Not in the order they are due.
        let reminder = once(100 + (at as u64 * 7) % 30);
        let set = store
            .set_reminder(key, FIRST, Expected::Absent, Some(reminder))
            .await;
        set.expect("a reminder is set");
    }
    // One is moved beyond the others and one taken back: neither may be found where it was.
    let late = once(500);
    let moved = store
        .set_reminder(&keys[0], FIRST, Expected::Any, Some(late))
        .await;
    moved.expect("a reminder is moved");
    let gone = store
        .set_reminder(&keys[1], FIRST, Expected::Any, None)
        .await;
    gone.expect("a reminder is taken back");
    let mut left: Vec<_> = keys.iter().enumerate().skip(2).collect();
    left.sort_by_key(|(at, _)| (at * 7) % 30);
    let mut left = left.into_iter();
    let until = WallTime(BASE + 130);
    loop {
        let page = store.due(until, 10).await.expect("a page is read");
        assert!(page.reminders.len() <= 10);
        if page.reminders.is_empty() {
            assert_eq!(page.next, Some(late.due), "the one that is moved is next");
            break;
        }
        for due in page.reminders {
            let (at, key) = left.next().expect("each is found once");
            assert_eq!(
                (&due.key, due.reminder),
                (key, once(100 + (at as u64 * 7) % 30))
            );
            assert_eq!(due.key.slot(), 23);
            let gone = store
                .set_reminder(&due.key, FIRST, Expected::Tag(due.etag), None)
                .await;
            assert_eq!(gone, Ok(None), "the page has the newest E-tag");
        }
        // Something is left that is not on the page, so that it is always told when.
        assert!(page.next.is_some_and(|next| next <= late.due));
    }
    assert_eq!(left.next(), None, "all that are due are found");
    let gone = store
        .set_reminder(&keys[0], FIRST, Expected::Any, None)
        .await;
    gone.expect("the last is taken back");
    let none = store.due(until, 10).await.expect("a page is read");
    assert!(none.reminders.is_empty());
}
