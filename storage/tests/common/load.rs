//! Load that goes on while a server dies and comes back.

use std::rc::Rc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use quark_storage::provider::{
    Append, CatchUp, ETag, Epoch, Event, Expected, Provider, RecordKey, Reminder, StoreError,
    WallTime, Write,
};
use quark_storage::remote::{Options, Remote, RemoteStore, Share};

use super::block_on;
use super::proxy::Proxy;

const EPOCH: Epoch = Epoch(1);
const WRITERS: usize = 8;

/// What a writer was told.
struct Told {
    key: RecordKey,
    /// Number of the last save that was acknowledged, and its E-tag.
    saved: Option<(u64, ETag)>,
    /// Events acknowledged.
    appended: u64,
}

fn value(number: u64) -> Bytes {
    Bytes::from(number.to_string())
}

/// Writers save and append in a loop, while `disturb` does what it does; afterwards everything
/// acknowledged must be there, and nothing may have failed.
pub(crate) fn loses_nothing(remote: &Remote, disturb: impl FnOnce(&dyn Fn() -> usize)) {
    let stop = AtomicBool::new(false);
    let count = AtomicUsize::new(0);
    let told: Mutex<Vec<Told>> = Mutex::default();
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (stop, count, told, remote) = (&stop, &count, &told, remote.clone());
            scope.spawn(move || {
                let store = RemoteStore::new(&remote, Share::whole());
                let one = block_on(write(&store, writer, stop, count));
                told.lock().expect("nobody panics").push(one);
            });
        }
        disturb(&|| count.load(Ordering::SeqCst));
        stop.store(true, Ordering::SeqCst);
    });
    let store = RemoteStore::new(remote, Share::whole());
    let told = told.into_inner().expect("nobody panics");
    assert_eq!(told.len(), WRITERS);
    for told in told {
        let found = block_on(store.load(&told.key, EPOCH)).expect("a load succeeds");
        let found = found.map(|found| (found.value, found.etag));
        let saved = told.saved.map(|(number, etag)| (value(number), etag));
        assert_eq!(found, saved, "the last save of {}", told.key);
        let mut next = 1;
        while next <= told.appended {
            let page = block_on(store.events(&told.key, next, 500)).expect("a read succeeds");
            assert!(!page.is_empty(), "event {next} of {} is missing", told.key);
            for event in page {
                let expected = Event {
                    number: next,
                    value: value(next),
                };
                assert_eq!(event, expected, "of {}", told.key);
                next += 1;
            }
        }
        assert_eq!(next, told.appended + 1, "nothing was appended twice");
    }
}

/// Saves, clears at times, and appends, each only when the last was acknowledged.
async fn write(store: &RemoteStore, writer: usize, stop: &AtomicBool, count: &AtomicUsize) -> Told {
    let slot = u16::try_from(writer).expect("there are few");
    let mut told = Told {
        key: RecordKey::new("Load", &format!("writer {writer}"), "x", slot * 7),
        saved: None,
        appended: 0,
    };
    let mut number = 0;
    while !stop.load(Ordering::SeqCst) {
        number += 1;
        let known = Expected::loaded(told.saved.map(|(_, etag)| etag));
        if number % 10 == 0 {
            let cleared = store.clear(&told.key, EPOCH, known).await;
            cleared.expect("who knows the E-tag clears");
            told.saved = None;
        } else {
            let write = Write {
                epoch: EPOCH,
                expected: known,
                value: value(number),
            };
            let etag = store.save(&told.key, write).await;
            told.saved = Some((number, etag.expect("who knows the E-tag saves")));
        }
        let append = Append {
            epoch: EPOCH,
            after: told.appended,
            events: vec![value(told.appended + 1)],
        };
        let len = store.append(&told.key, append).await;
        told.appended = len.expect("who knows the length appends");
        count.fetch_add(1, Ordering::SeqCst);
    }
    told
}

/// Waits until a few more rounds are done than were `before`.
pub(crate) fn goes_on(count: &dyn Fn() -> usize) {
    let before = count();
    super::eventually("the load goes on", || count() > before + 50);
}

/// What waits while a server is away succeeds when it is back.
pub(crate) fn waits_for_the_server(remote: &Remote, back: impl FnOnce()) {
    let store = Rc::new(RemoteStore::new(remote, Share::whole()));
    let key = RecordKey::new("Load", "patient", "x", 3);
    let save = |value: &'static str| {
        let write = Write {
            epoch: EPOCH,
            expected: Expected::Any,
            value: Bytes::from_static(value.as_bytes()),
        };
        store.save(&key, write)
    };
    let (first, second) = (save("first"), save("second"));
    thread::scope(|scope| {
        let remote = remote.clone();
        let waiting = scope.spawn(move || {
            let store = RemoteStore::new(&remote, Share::whole());
            block_on(store.load(&RecordKey::new("Load", "other", "x", 4), EPOCH))
        });
        thread::sleep(Duration::from_millis(300));
        assert!(!waiting.is_finished(), "it waits");
        back();
        assert_eq!(waiting.join().expect("nobody panics"), Ok(None));
    });
    let (first, second) = block_on(async { (first.await, second.await) });
    assert!(first.expect("it waited") != second.expect("it waited"));
    let found = block_on(store.load(&key, EPOCH)).expect("a load succeeds");
    assert_eq!(found.map(|found| found.value), Some("second".into()));
}

/// A connection that is lost while nobody asks for anything holds up nobody who asks later.
pub(crate) fn loses_an_idle_connection(open: impl Fn() -> Remote, disturb: impl FnOnce()) {
    let remote = open();
    remote.check().expect("the server answers");
    disturb();
    super::eventually("others are answered", || open().check().is_ok());
    let begun = Instant::now();
    remote.check().expect("the server is back");
    let (took, patience) = (begun.elapsed(), Options::new(0).patience);
    assert!(took < patience / 2, "it took {took:?}");
}

/// Writes that were given up and arrive after others of the same process change nothing.
pub(crate) fn late_writes_change_nothing(proxy: &Proxy, remote: &Remote) {
    let store = RemoteStore::new(remote, Share::whole());
    let key = |key, name| RecordKey::new("Late", key, name, 3);
    let (kept, gone) = (key("kept", "x"), key("gone", "x"));
    let (set, unset) = (key("kept", "reminder"), key("gone", "reminder"));
    let reminder = |due| Reminder {
        due: WallTime(due),
        period_ms: None,
        catch_up: CatchUp::Once,
    };
    let save = |key, expected, value: &'static str| {
        let value = Bytes::from_static(value.as_bytes());
        let write = Write {
            epoch: EPOCH,
            expected,
            value,
        };
        store.save(key, write)
    };
    let remind = |key, due: u64| {
        let reminder = (due > 0).then(|| reminder(due));
        store.set_reminder(key, EPOCH, Expected::Any, reminder)
    };
    super::eventually("the server answers", || {
        block_on(save(&kept, Expected::Any, "first")).is_ok()
    });
    proxy.stall();
    let given_up = block_on(async {
        let saves = futures(
            save(&kept, Expected::Any, "late"),
            save(&gone, Expected::Absent, "late"),
        );
        let reminders = futures(remind(&set, 1000), remind(&unset, 1000));
        let ((one, other), (third, fourth)) = futures(Box::pin(saves), Box::pin(reminders)).await;
        [
            one.is_err(),
            other.is_err(),
            third.is_err(),
            fourth.is_err(),
        ]
    });
    assert_eq!(given_up, [true; 4], "nobody has answered");
    proxy.spare_new();
    super::eventually("a new connection answers", || {
        block_on(save(&kept, Expected::Any, "newer")).is_ok()
    });
    block_on(async {
        store
            .clear(&gone, EPOCH, Expected::Absent)
            .await
            .expect("it answers");
        remind(&set, 2000).await.expect("it answers");
        remind(&unset, 0).await.expect("it answers");
    });
    proxy.flow();
    thread::sleep(Duration::from_millis(500));
    let found = block_on(async {
        let kept_value = store.load(&kept, EPOCH).await.expect("it answers");
        let kept_reminder = store.reminder(&set, EPOCH).await.expect("it answers");
        let gone_reminder = store.reminder(&unset, EPOCH).await.expect("it answers");
        (
            kept_value.map(|found| found.value),
            store.load(&gone, EPOCH).await.expect("it answers"),
            kept_reminder.map(|(_, found)| found.due.0),
            gone_reminder,
        )
    });
    assert_eq!(found, (Some("newer".into()), None, Some(2000), None));
}

/// Each share has its own of what is due, and asking for it costs nothing of others; `cost` says
/// what the server has looked at so far.
pub(crate) fn shares_are_apart(open: impl Fn() -> Remote, cost: impl Fn() -> u64) {
    const REMINDERS: u16 = 640;
    const SHARES: u16 = 16;
    let remote = open();
    let store = RemoteStore::new(&remote, Share::whole());
    let key = |slot: u16| RecordKey::new("Shared", &slot.to_string(), "x", slot);
    block_on(async {
        for slot in 0..REMINDERS {
            let reminder = Reminder {
                due: WallTime(1000 + u64::from(slot)),
                period_ms: None,
                catch_up: CatchUp::Once,
            };
            let set = store.set_reminder(&key(slot), EPOCH, Expected::Any, Some(reminder));
            set.await.expect("the server answers");
        }
    });
    let late = WallTime(1_000_000);
    let mut found: Vec<u16> = Vec::new();
    for number in 0..SHARES {
        let store = RemoteStore::new(&remote, Share::new(number, SHARES));
        let before = cost();
        let due = block_on(store.due(late, 1000)).expect("the server answers");
        let looked_at = cost() - before;
        assert_eq!(due.reminders.len(), usize::from(REMINDERS / SHARES));
        assert!(
            looked_at <= 2 * u64::from(REMINDERS / SHARES),
            "{looked_at}"
        );
        assert_eq!(due.next, None);
        for due in due.reminders {
            assert_eq!(Share::holder(&due.key, SHARES), number);
            found.push(due.key.slot());
        }
        let next = block_on(store.due(WallTime(0), 10))
            .expect("the server answers")
            .next;
        assert_eq!(next, Some(WallTime(1000 + u64::from(number))));
    }
    found.sort_unstable();
    assert_eq!(found, (0..REMINDERS).collect::<Vec<_>>());
}

/// A server that is away for longer than a call has patience.
pub(crate) fn gives_up(remote: &Remote, secret: &str) {
    let store = RemoteStore::new(remote, Share::whole());
    let key = RecordKey::new("Load", "impatient", "x", 5);
    match block_on(store.load(&key, EPOCH)) {
        Err(StoreError::Unavailable { place, why }) => {
            assert!(!place.is_empty() && !format!("{place}{why}").contains(secret));
        }
        other => panic!("a call ends when its patience does, not with {other:?}"),
    }
}

/// Two stores have the same belief, and one of them is of an older epoch.
pub(crate) fn one_of_two_commits(one: &Remote, other: &Remote) {
    let (old, new) = (
        RemoteStore::new(one, Share::whole()),
        RemoteStore::new(other, Share::whole()),
    );
    for round in 0..50u16 {
        let key = RecordKey::new("Race", &round.to_string(), "x", 1000 + round);
        let write = |epoch, value: &'static str| Write {
            epoch,
            expected: Expected::Absent,
            value: Bytes::from_static(value.as_bytes()),
        };
        let race = async {
            futures(
                old.save(&key, write(Epoch(1), "old")),
                new.save(&key, write(Epoch(2), "new")),
            )
            .await
        };
        let (old_saved, new_saved) = block_on(race);
        let commits = usize::from(old_saved.is_ok()) + usize::from(new_saved.is_ok());
        assert_eq!(commits, 1, "round {round}: {old_saved:?} and {new_saved:?}");
        let late = block_on(old.save(&key, write(Epoch(1), "late")));
        let is_shut_out = matches!(
            late,
            Err(StoreError::Fenced {
                current: Epoch(2),
                ..
            })
        );
        assert!(
            is_shut_out,
            "round {round}: {late:?} after {old_saved:?} and {new_saved:?}"
        );
    }
}

async fn futures<A, B>(
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
