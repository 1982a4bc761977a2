//! A call in the steady state allocates nothing: counted, not timed.
#![allow(missing_docs)]
// A global allocator can't be written without.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::BytesMut;
use quark::prelude::*;
use quark_net::codec::{Codec, Travel};
use quark_tests::{in_time, key_on, small};

/// Counts what the whole process allocates; the test is alone in it.
struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: all is passed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    // SAFETY: callers owe what they owe the system's.
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: passed on.
        unsafe { System.alloc(layout) }
    }

    // SAFETY: callers owe what they owe the system's.
    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: passed on.
        unsafe { System.dealloc(place, layout) };
    }

    // SAFETY: callers owe what they owe the system's.
    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: passed on.
        unsafe { System.realloc(place, layout, size) }
    }
}

/// What one round does, a thousand times.
#[derive(Clone, Copy, Debug)]
pub enum What {
    AskSync,
    AskAsync,
    AskExclusive,
    AskSuspended,
    Tell,
    Send,
}

const KINDS: [What; 6] = [
    What::AskSync,
    What::AskAsync,
    What::AskExclusive,
    What::AskSuspended,
    What::Tell,
    What::Send,
];

#[derive(Default)]
pub struct Callee {
    sum: u64,
}

#[actor]
impl Callee {
    pub fn sync(&self, number: u64) -> u64 {
        self.sum + number
    }

    pub async fn asynchronous(&self, number: u64) -> u64 {
        self.sum + number
    }

    pub async fn exclusive(&mut self, number: u64) -> u64 {
        self.sum += number;
        self.sum
    }

    pub async fn suspended(&self, number: u64) -> u64 {
        let mut yielded = false;
        std::future::poll_fn(|cx| {
            if std::mem::replace(&mut yielded, true) {
                return std::task::Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            std::task::Poll::Pending
        })
        .await;
        self.sum + number
    }

    pub fn take(&mut self, number: u64) {
        self.sum = self.sum.wrapping_add(number);
    }
}

/// Saves by itself what its turns change.
#[derive(Default, Stateful)]
pub struct Keeper {
    #[state(save = "each_turn")]
    sum: State<u64>,
}

#[actor]
impl Keeper {
    pub fn change_nothing(&mut self, number: u64) -> u64 {
        *self.sum + number
    }
}

#[derive(Default)]
pub struct Caller;

#[actor]
impl Caller {
    /// Calls so often that all that is made once is made; says what the best round allocated.
    pub async fn measure(&self, what: What, callee: CalleeRef) -> Result<u64, CallError> {
        let mut least = u64::MAX;
        for _ in 0..ROUNDS {
            let before = ALLOCATIONS.load(Ordering::SeqCst);
            round(what, &callee).await?;
            least = least.min(ALLOCATIONS.load(Ordering::SeqCst) - before);
        }
        Ok(least)
    }
}

/// The best of some thousand calls each counts: in others, a queue that had grown in a burst
/// may shrink again, which is no call's doing.
const ROUNDS: u64 = 10;

async fn round(what: What, callee: &CalleeRef) -> Result<(), CallError> {
    for number in 0..1000 {
        match what {
            What::AskSync => drop(callee.sync(number).await?),
            What::AskAsync => drop(callee.asynchronous(number).await?),
            What::AskExclusive => drop(callee.exclusive(number).await?),
            What::AskSuspended => drop(callee.suspended(number).await?),
            What::Tell => {
                callee.take(number).tell().map_err(|error| error.reason)?;
                if number % 32 == 31 {
                    // Lets them be taken, so that there is credit for the next.
                    callee.sync(number).await?;
                }
            }
            What::Send => callee
                .take(number)
                .send()
                .await
                .map_err(|error| error.reason)?,
        }
    }
    callee.sync(0).await?;
    Ok(())
}

/// What leaves the process, with what takes memory when it is read.
#[message]
pub struct Parcel {
    to: String,
    items: Vec<(u32, String)>,
    marks: BTreeMap<u16, Option<Box<Parcel>>>,
}

/// What encoding into a buffer that is kept allocates, once it is large enough.
fn by_codec(codec: Codec) -> u64 {
    let parcel = |marks| Parcel {
        to: "someone whose name is too long to be kept in place".into(),
        items: (0..50).map(|item| (item, format!("item {item}"))).collect(),
        marks,
    };
    let inner = Box::new(parcel(BTreeMap::new()));
    let parcel = parcel(BTreeMap::from([(1, None), (2, Some(inner))]));
    let mut out = BytesMut::new();
    let measured = (0..ROUNDS).map(|_| {
        let before = ALLOCATIONS.load(Ordering::SeqCst);
        for _ in 0..100 {
            out.clear();
            parcel.encode(codec, &mut out).unwrap();
        }
        ALLOCATIONS.load(Ordering::SeqCst) - before
    });
    measured.min().expect("there are rounds")
}

/// One test for all, since the counter sees whatever runs beside it.
#[test]
fn a_steady_state_call_allocates_nothing() {
    in_time(Duration::from_secs(120), || {
        for codec in [Codec::Exact, Codec::Tolerant] {
            assert_eq!(by_codec(codec), 0, "{codec:?}");
        }
        // A stall that is reported, on a busy machine, is written down.
        let never = Duration::from_secs(3600);
        let builder = small().stall_threshold(never).store(Store::memory());
        let engine = builder.launch().unwrap();
        let caller = engine.actor::<Caller>(key_on(0, |key| engine.home_of::<Caller>(key)));
        for shard in 0..2 {
            let number = key_on(shard, |key| engine.home_of::<Callee>(key));
            let name = (0..)
                .map(|number| format!("a key that is longer than any slot of a ring, {number}"))
                .find(|name| engine.home_of::<Callee>(name) == shard)
                .unwrap();
            for key in [quark::Key::from(number), quark::Key::from(&name)] {
                let callee = engine.actor::<Callee>(key);
                for what in KINDS {
                    let allocated = caller.measure(what, callee.clone()).wait().unwrap();
                    assert_eq!(allocated, 0, "{what:?} to shard {shard}");
                }
                let allocated = by_port(&engine, &callee);
                assert_eq!(allocated, 0, "by a port to shard {shard}");
            }
            let keeper = engine.actor::<Keeper>(number);
            let allocated = best_round(&engine, || {
                for number in 0..200 {
                    keeper.change_nothing(number).wait().unwrap();
                }
            });
            assert_eq!(allocated, 0, "turns with nothing to save");
        }
    });
}

fn by_port(engine: &Engine, callee: &CalleeRef) -> u64 {
    best_round(engine, || {
        for number in 0..200 {
            callee.sync(number).wait().unwrap();
            callee.exclusive(number).wait().unwrap();
            callee.suspended(number).wait().unwrap();
            callee.take(number).tell().unwrap();
        }
    })
}

fn best_round(engine: &Engine, round: impl Fn()) -> u64 {
    let _port = engine.port().unwrap();
    let measured = (0..ROUNDS).map(|_| {
        let before = ALLOCATIONS.load(Ordering::SeqCst);
        round();
        ALLOCATIONS.load(Ordering::SeqCst) - before
    });
    measured.min().expect("there are rounds")
}
