//! Load that goes on while a server dies and comes back.

use std::rc::Rc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use quark_storage::provider::{
    Append, ETag, Epoch, Event, Expected, Provider, RecordKey, StoreError, Write,
};
use quark_storage::remote::{Options, Remote, RemoteStore, Share};

use super::block_on;

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
