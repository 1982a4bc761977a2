//! Files and sockets, the same tests on every driver.

mod durable;
mod files;
mod incoming;
mod sockets;

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
#[cfg(feature = "glommio")]
use quark_shards::driver::glommio::{GlommioConfig, GlommioDriver};
use quark_shards::driver::sim::{SimConfig, SimWorld};
use quark_shards::driver::uring::{UringConfig, UringDriver};
use quark_shards::driver::{DIRECT_ALIGN, Driver, Handle, Op, OpenOptions, Outcome};
use quark_shards::io::{File, IoContext, Operations, TcpListener, TcpStream, names};

const READ: OpenOptions = OpenOptions {
    read: true,
    write: false,
    create: false,
    create_new: false,
    truncate: false,
    direct: false,
    lock: false,
};
const NEW: OpenOptions = OpenOptions {
    read: true,
    write: true,
    create: true,
    create_new: false,
    truncate: true,
    direct: false,
    lock: false,
};

/// A shard reduced to what I/O needs.
struct Bench {
    driver: RefCell<Box<dyn Driver>>,
    operations: Operations,
    world: Option<SimWorld>,
    folder: PathBuf,
}

impl IoContext for Bench {
    fn with_driver(&self, then: &mut dyn FnMut(&mut dyn Driver)) {
        then(&mut **self.driver.borrow_mut());
    }

    fn operations(&self) -> &Operations {
        &self.operations
    }
}

impl Bench {
    /// With a driver of the real world, and a folder there.
    fn real(driver: impl Driver + 'static) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("io-{}-{count}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder to write in");
        Bench {
            driver: RefCell::new(Box::new(driver)),
            operations: Operations::new(),
            world: None,
            folder,
        }
    }

    fn uring() -> Self {
        let config = UringConfig {
            entries: 8,
            seed: 1,
            start: Instant::now(),
            worker_cpus: Vec::new(),
        };
        Self::real(UringDriver::new(config).expect("io_uring works here"))
    }

    /// To be made and used inside an executor.
    #[cfg(feature = "glommio")]
    fn glommio() -> Self {
        Self::real(GlommioDriver::new(GlommioConfig {
            seed: 1,
            start: Instant::now(),
        }))
    }

    fn sim(seed: u64, config: SimConfig) -> Self {
        let world = SimWorld::new(seed, config);
        let bench = Bench {
            driver: RefCell::new(Box::new(world.driver(0))),
            operations: Operations::new(),
            world: Some(world),
            folder: PathBuf::from("/sim"),
        };
        let made = bench.block_on(names::make_dir(&bench, &bench.folder));
        made.expect("a folder to write in");
        bench
    }

    /// Runs one future to its end, as a shard would run a task.
    fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        let mut future = pin!(future);
        let woken = Arc::new(Woken(AtomicBool::new(true)));
        let waker = Waker::from(woken.clone());
        loop {
            if woken.0.swap(false, Ordering::AcqRel)
                && let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(&waker))
            {
                return value;
            }
            self.pass(woken.0.load(Ordering::Acquire));
        }
    }

    /// One pass of the loop; it parks unless `busy`.
    fn pass(&self, busy: bool) {
        let mut driver = self.driver.borrow_mut();
        self.operations.sweep(&mut **driver);
        if !busy {
            let limit = driver.now() + Duration::from_secs(20);
            driver.park(Some(limit));
            if let Some(world) = &self.world
                && world.pick().is_none()
            {
                world.advance_to(world.next_event().expect("something goes on"));
            }
            assert!(driver.now() < limit, "nothing happened for 20 s");
        }
        let mut done = Vec::new();
        driver.poll(&mut done);
        for completion in done {
            self.operations.complete(completion);
        }
    }

    /// `block_on` for a driver that must not block.
    #[cfg(feature = "glommio")]
    async fn host<T>(&self, future: impl Future<Output = T>) -> T {
        let mut future = pin!(future);
        let limit = self.driver.borrow_mut().now() + Duration::from_secs(60);
        poll_fn(|cx| {
            loop {
                if let Poll::Ready(value) = future.as_mut().poll(cx) {
                    return Poll::Ready(value);
                }
                let mut driver = self.driver.borrow_mut();
                assert!(driver.now() < limit, "nothing happened for 60 s");
                self.operations.sweep(&mut **driver);
                if driver.poll_park(Some(limit), cx).is_pending() {
                    return Poll::Pending;
                }
                let mut done = Vec::new();
                driver.poll(&mut done);
                drop(driver);
                for completion in done {
                    self.operations.complete(completion);
                }
            }
        })
        .await
    }

    /// `settle` for a driver that must not block.
    #[cfg(feature = "glommio")]
    async fn settle_hosted(&self) {
        self.host(poll_fn(|_| {
            self.operations.sweep(&mut **self.driver.borrow_mut());
            if self.operations.is_empty() && self.driver.borrow().in_flight() == 0 {
                return Poll::Ready(());
            }
            Poll::Pending
        }))
        .await;
    }

    /// Lets what was dropped end.
    fn settle(&self) {
        for _ in 0..1_000 {
            self.operations.sweep(&mut **self.driver.borrow_mut());
            if self.operations.is_empty() && self.driver.borrow().in_flight() == 0 {
                break;
            }
            self.pass(false);
        }
        assert_eq!(self.operations.len(), 0, "operations left behind");
        assert_eq!(self.driver.borrow().in_flight(), 0);
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        if self.world.is_none() {
            std::fs::remove_dir_all(&self.folder).expect("the folder made above");
        }
    }
}

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Release);
    }
}

/// Polls both until both are done.
async fn join<A, B>(a: impl Future<Output = A>, b: impl Future<Output = B>) -> (A, B) {
    let (mut a, mut b) = (pin!(a), pin!(b));
    let (mut left, mut right) = (None, None);
    poll_fn(|cx| {
        if left.is_none()
            && let Poll::Ready(value) = a.as_mut().poll(cx)
        {
            left = Some(value);
        }
        if right.is_none()
            && let Poll::Ready(value) = b.as_mut().poll(cx)
        {
            right = Some(value);
        }
        match (left.take(), right.take()) {
            (Some(a), Some(b)) => Poll::Ready((a, b)),
            (a, b) => {
                (left, right) = (a, b);
                Poll::Pending
            }
        }
    })
    .await
}

/// Polls `future` once and drops it.
async fn start_and_drop(future: impl Future) {
    let mut future = pin!(future);
    let polled = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_pending())).await;
    assert!(polled, "it should still be going on");
}

/// Runs `test` on io_uring, on glommio where it is built in, on a calm world, and on one where every
/// transfer may fall short.
fn on_every_driver(test: impl AsyncFn(&Bench)) {
    let short = SimConfig {
        short_probability: 0.5,
        ..SimConfig::default()
    };
    let benches = [
        Bench::uring(),
        Bench::sim(1, SimConfig::default()),
        Bench::sim(2, short.clone()),
        Bench::sim(3, short),
    ];
    for bench in benches {
        bench.block_on(test(&bench));
        bench.settle();
    }
    #[cfg(feature = "glommio")]
    quark_shards::driver::glommio::run(async || {
        let bench = Bench::glommio();
        bench.host(test(&bench)).await;
        bench.settle_hosted().await;
    })
    .expect("an executor");
}

fn loopback() -> SocketAddr {
    "127.0.0.1:0".parse().expect("an address")
}

/// Reads on until there is nothing more.
async fn read_to_end(cx: &Bench, file: &File) -> Vec<u8> {
    let mut whole = Vec::new();
    loop {
        let buffer = BytesMut::with_capacity(1_000);
        let read = file.read_at(cx, buffer, whole.len() as u64).await;
        let read = read.expect("reads");
        if read.is_empty() {
            return whole;
        }
        whole.extend_from_slice(&read);
    }
}
