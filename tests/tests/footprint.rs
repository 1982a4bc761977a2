//! What an idle actor keeps of memory: counted, not read off the machine.
#![allow(missing_docs)]
// A global allocator can't be written without.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use quark::prelude::*;
use quark_tests::{in_time, small};

/// Counts the bytes that the whole process holds; the test is alone in it.
struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: all is passed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    // SAFETY: callers owe what they owe the system's.
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: passed on.
        unsafe { System.alloc(layout) }
    }

    // SAFETY: callers owe what they owe the system's.
    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: passed on.
        unsafe { System.dealloc(place, layout) };
    }
}

/// An actor of eight bytes.
#[derive(Default)]
pub struct Leaf {
    calls: u64,
}

#[actor(pinned = 0)]
impl Leaf {
    pub fn touch(&mut self) -> u64 {
        self.calls += 1;
        self.calls
    }
}

#[derive(Default)]
pub struct Starter;

#[actor(pinned = 0)]
impl Starter {
    pub async fn start(&self, cx: &Cx<Self>, keys: std::ops::Range<u64>) -> Result<(), CallError> {
        for key in keys {
            cx.actor::<Leaf>(key).touch().await?;
        }
        Ok(())
    }
}

/// What DESIGN allows beyond an actor's state.
const MOST: f64 = 256.0;

#[test]
fn an_idle_actor_keeps_at_most_256_bytes() {
    in_time(Duration::from_secs(120), || {
        let engine = small()
            .idle_after(Duration::MAX)
            .max_actors(1 << 30)
            .stall_threshold(Duration::from_secs(3600))
            .launch()
            .unwrap();
        let starter = engine.actor::<Starter>(0_u64);
        starter.start(0..1000).wait().unwrap();
        let before = HELD.load(Ordering::SeqCst);
        let mut done = 1000;
        // Just before the directory grows, as far as that goes, and just after.
        for keys in [200_000, 229_000, 231_000] {
            let all = starter.start(done..keys).timeout(Duration::from_secs(100));
            all.wait().unwrap();
            done = keys;
            assert_eq!(engine.count() as u64, keys + 1);
            let held = HELD.load(Ordering::SeqCst) - before;
            let each = held as f64 / (keys - 1000) as f64 - size_of::<Leaf>() as f64;
            assert!(
                each > 64.0 && each <= MOST,
                "{each:.1} bytes at {keys} actors"
            );
        }
        engine.shutdown();
    });
}
