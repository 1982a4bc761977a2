//! Ways to wake a sleeping shard, side by side: two pinned threads that wake each other in turn.
//!
//! Each sleeps in the way named and is woken by the other; a round trip is two wakes. `futex` is
//! the floor: two threads that do nothing but park and unpark. In the others a thread sleeps inside
//! its io_uring, as a shard must to hear of its I/O meanwhile. Rounds of all ways take turns.

#![allow(unsafe_code, reason = "hands operations to the kernel")]
#![allow(clippy::print_stdout, reason = "prints what it measured")]

use std::io;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, Ordering};
use std::sync::{Barrier, OnceLock};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use io_uring::{IoUring, opcode, types};

/// Round trips in a row, of each way.
const TRIPS: usize = 300;
const ROUNDS: usize = 7;
/// How long both have slept before a trip, if they have.
const PAUSES: [Duration; 2] = [Duration::ZERO, Duration::from_millis(1)];

fn main() {
    println!("{:10} {:>8} {:>10} {:>10}", "way", "pause", "p50", "p99");
    for pause in PAUSES {
        let mut trips: [Vec<Duration>; 4] = Default::default();
        for _ in 0..ROUNDS {
            trips[0].extend(round::<Parked>(pause));
            trips[1].extend(round::<Eventfd>(pause));
            trips[2].extend(round::<RingFutex>(pause));
            trips[3].extend(round::<MsgRing>(pause));
        }
        let names = ["futex", "eventfd", "ring futex", "MSG_RING"];
        for (name, mut trips) in names.into_iter().zip(trips) {
            trips.sort_unstable();
            let at = |percent: usize| trips[trips.len() * percent / 100].as_nanos() as f64 / 1e3;
            let pause = format!("{} ms", pause.as_millis());
            println!("{name:10} {pause:>8} {:7.1} µs {:7.1} µs", at(50), at(99));
        }
    }
}

/// One thread's way to sleep and to be woken.
trait Way: Sync + Sized {
    /// What the sleeper alone holds.
    type Bed;
    fn new() -> Self;
    /// On the sleeper's own thread, before anything else.
    fn lie_down(&self) -> Self::Bed;
    /// Sleeps until woken.
    fn sleep(&self, bed: &mut Self::Bed);
    /// Wakes the one who sleeps by `self`; `own` is the waker's.
    fn wake(&self, own: &mut Self::Bed);
}

fn round<W: Way>(pause: Duration) -> Vec<Duration> {
    let (asking, answering) = (W::new(), W::new());
    let ready = Barrier::new(2);
    thread::scope(|scope| {
        scope.spawn(|| {
            pin(1);
            let mut bed = answering.lie_down();
            ready.wait();
            for _ in 0..TRIPS {
                answering.sleep(&mut bed);
                asking.wake(&mut bed);
            }
            // What lies in its ring is still to be taken.
            ready.wait();
        });
        let asked = scope.spawn(|| {
            pin(0);
            let mut bed = asking.lie_down();
            ready.wait();
            let trips = (0..TRIPS).map(|_| {
                if !pause.is_zero() {
                    thread::sleep(pause);
                }
                let begun = Instant::now();
                answering.wake(&mut bed);
                asking.sleep(&mut bed);
                begun.elapsed()
            });
            let trips = trips.collect();
            ready.wait();
            trips
        });
        asked.join().expect("nothing in it panics")
    })
}

/// The floor: a thread parked by the standard library, which is a futex.
struct Parked {
    thread: OnceLock<Thread>,
    woken: AtomicBool,
}

impl Way for Parked {
    type Bed = ();

    fn new() -> Self {
        Parked {
            thread: OnceLock::new(),
            woken: AtomicBool::new(false),
        }
    }

    fn lie_down(&self) {
        let _ = self.thread.set(thread::current());
    }

    fn sleep(&self, (): &mut ()) {
        while !self.woken.swap(false, Ordering::Acquire) {
            thread::park();
        }
    }

    fn wake(&self, (): &mut ()) {
        self.woken.store(true, Ordering::Release);
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }
}

/// An eventfd that the ring polls: what Quark's shards do.
struct Eventfd {
    fd: i32,
    woken: AtomicBool,
}

impl Way for Eventfd {
    type Bed = IoUring;

    fn new() -> Self {
        // SAFETY: no memory is passed.
        let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        assert!(fd >= 0, "no eventfd: {}", io::Error::last_os_error());
        Eventfd {
            fd,
            woken: AtomicBool::new(false),
        }
    }

    fn lie_down(&self) -> IoUring {
        let mut ring = ring();
        let poll = opcode::PollAdd::new(types::Fd(self.fd), libc::POLLIN as u32).multi(true);
        push(&mut ring, &poll.build());
        ring
    }

    fn sleep(&self, ring: &mut IoUring) {
        while !self.woken.swap(false, Ordering::Acquire) {
            wait(ring);
        }
    }

    fn wake(&self, _: &mut IoUring) {
        self.woken.store(true, Ordering::Release);
        let one = 1_u64;
        // SAFETY: eight bytes of our own stack.
        let written = unsafe { libc::write(self.fd, (&raw const one).cast(), 8) };
        assert_eq!(written, 8, "{}", io::Error::last_os_error());
    }
}

impl Drop for Eventfd {
    fn drop(&mut self) {
        // SAFETY: made in `new`, closed once.
        unsafe { libc::close(self.fd) };
    }
}

/// A futex that the ring waits on, armed anew for each sleep.
struct RingFutex(AtomicU32);

const ANY: u64 = u32::MAX as u64;
/// A private futex of 32 bits, in futex2's flags.
const FUTEX2_SIZE_U32_PRIVATE: u32 = 0x02 | 128;

impl Way for RingFutex {
    type Bed = IoUring;

    fn new() -> Self {
        RingFutex(AtomicU32::new(0))
    }

    fn lie_down(&self) -> IoUring {
        ring()
    }

    fn sleep(&self, ring: &mut IoUring) {
        while self.0.swap(0, Ordering::Acquire) == 0 {
            let wait_on =
                opcode::FutexWait::new(self.0.as_ptr(), 0, ANY, FUTEX2_SIZE_U32_PRIVATE).build();
            push(ring, &wait_on);
            wait(ring);
        }
    }

    fn wake(&self, _: &mut IoUring) {
        self.0.store(1, Ordering::Release);
        let operation = libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG;
        // SAFETY: the word lives as long as both threads.
        unsafe { libc::syscall(libc::SYS_futex, self.0.as_ptr(), operation, 1) };
    }
}

/// A message from the waker's ring to the sleeper's.
struct MsgRing {
    ring: AtomicI32,
    woken: AtomicBool,
}

impl Way for MsgRing {
    type Bed = IoUring;

    fn new() -> Self {
        MsgRing {
            ring: AtomicI32::new(-1),
            woken: AtomicBool::new(false),
        }
    }

    fn lie_down(&self) -> IoUring {
        use std::os::fd::AsRawFd;
        let ring = ring();
        self.ring.store(ring.as_raw_fd(), Ordering::Release);
        ring
    }

    fn sleep(&self, ring: &mut IoUring) {
        while !self.woken.swap(false, Ordering::Acquire) {
            wait(ring);
        }
    }

    fn wake(&self, own: &mut IoUring) {
        self.woken.store(true, Ordering::Release);
        let to = types::Fd(self.ring.load(Ordering::Acquire));
        let message = opcode::MsgRingData::new(to, 0, 1, None).build();
        // Its own completion would be one more thing to take.
        push(own, &message.flags(io_uring::squeue::Flags::SKIP_SUCCESS));
        own.submit().expect("io_uring_enter");
    }
}

/// As Quark's driver sets it up.
fn ring() -> IoUring {
    let mut builder = IoUring::builder();
    builder.setup_single_issuer().setup_defer_taskrun();
    builder.build(64).expect("io_uring of Linux 6.1 or newer")
}

fn push(ring: &mut IoUring, entry: &io_uring::squeue::Entry) {
    // SAFETY: what it points to outlives both threads.
    let pushed = unsafe { ring.submission().push(entry) };
    pushed.expect("room for one entry");
}

fn wait(ring: &mut IoUring) {
    ring.submit_and_wait(1).expect("io_uring_enter");
    ring.completion().for_each(drop);
}

fn pin(cpu: usize) {
    // SAFETY: a plain set of bits, on our own stack.
    let pinned = unsafe {
        let mut cpus: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(cpu, &mut cpus);
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const cpus)
    };
    assert_eq!(pinned, 0, "no cpu {cpu}: {}", io::Error::last_os_error());
}
