//! Files and sockets, the same tests on every driver.

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
use quark_shards::driver::{Driver, Handle, Op, OpenOptions, Outcome};
use quark_shards::io::{File, IoContext, Operations, TcpListener, TcpStream};

const READ: OpenOptions = OpenOptions {
    read: true,
    write: false,
    create: false,
    truncate: false,
};
const NEW: OpenOptions = OpenOptions {
    read: true,
    write: true,
    create: true,
    truncate: true,
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
        Bench {
            driver: RefCell::new(Box::new(world.driver(0))),
            operations: Operations::new(),
            world: Some(world),
            folder: PathBuf::from("/sim"),
        }
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

#[test]
fn a_file_gives_back_what_was_written() {
    on_every_driver(async |cx| {
        let path = cx.folder.join("a");
        let file = File::open(cx, &path, NEW).await.expect("makes it");
        let text: Bytes = (0..5_000u32).flat_map(u32::to_le_bytes).collect();
        file.write_all_at(cx, text.clone(), 0)
            .await
            .expect("writes");
        let patch = Bytes::from_static(b"patched");
        file.write_all_at(cx, patch, 10).await.expect("writes");
        file.sync_data(cx).await.expect("syncs");
        file.close(cx).await.expect("closes");

        let file = File::open(cx, &path, READ).await.expect("opens");
        let mut expected = text.to_vec();
        expected[10..17].copy_from_slice(b"patched");
        assert!(read_to_end(cx, &file).await == expected, "other bytes");

        // Short at the end, nothing behind it, and appended to what the buffer held.
        let mut buffer = BytesMut::with_capacity(100);
        buffer.extend_from_slice(b"kept");
        let read = file.read_at(cx, buffer, 19_999).await.expect("reads");
        assert_eq!(&read[..], &[b"kept", &expected[19_999..]].concat()[..]);
        let beyond = BytesMut::with_capacity(100);
        let beyond = file.read_at(cx, beyond, 1 << 40).await.expect("reads");
        assert!(beyond.is_empty());

        let refused = file.write_at(cx, Bytes::from_static(b"x"), 0).await;
        assert_eq!(refused.expect_err("read only").raw_os_error(), Some(9));
        let refused = file.read_at(cx, BytesMut::new(), 0).await;
        let refused = refused.expect_err("no room to read into");
        assert_eq!(refused.kind(), io::ErrorKind::InvalidInput);
        drop(file);

        // Opened for writing without truncation, it keeps its bytes; with it, it loses them.
        let write = OpenOptions {
            read: true,
            write: true,
            ..OpenOptions::default()
        };
        let file = File::open(cx, &path, write).await.expect("opens");
        assert_eq!(read_to_end(cx, &file).await.len(), 20_000);
        let file = File::open(cx, &path, NEW).await.expect("opens");
        assert!(read_to_end(cx, &file).await.is_empty());
    });
}

#[test]
fn a_missing_file_is_named() {
    on_every_driver(async |cx| {
        let path = cx.folder.join("nowhere");
        let error = File::open(cx, &path, READ)
            .await
            .err()
            .expect("no such file");
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        let text = error.to_string();
        assert!(
            text.starts_with("cannot open ") && text.contains("nowhere"),
            "{text}"
        );
    });
}

#[test]
fn options_that_make_no_sense_are_refused() {
    on_every_driver(async |cx| {
        let path = cx.folder.join("b");
        let nothing = OpenOptions::default();
        let create_only = OpenOptions {
            write: false,
            ..NEW
        };
        for options in [nothing, create_only] {
            let error = File::open(cx, &path, options).await.err().expect("refused");
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        }
    });
}

#[test]
fn a_mebibyte_comes_back_from_an_echo() {
    on_every_driver(async |cx| {
        let listener = TcpListener::bind(cx, loopback(), 16).expect("listens");
        let addr = listener.local_addr(cx).expect("bound");
        assert_ne!(addr.port(), 0);
        let text: Bytes = (0..1u32 << 18).flat_map(u32::to_le_bytes).collect();

        let server = async {
            let stream = listener.accept(cx).await.expect("accepts");
            loop {
                let buffer = BytesMut::with_capacity(10_000);
                let received = stream.recv(cx, buffer).await.expect("receives");
                if received.is_empty() {
                    return stream.close(cx).await.expect("closes");
                }
                stream.send_all(cx, received.freeze()).await.expect("sends");
            }
        };
        let client = async {
            let stream = TcpStream::connect(cx, addr).await.expect("connects");
            assert_eq!(stream.peer_addr(cx).expect("connected"), addr);
            assert_ne!(stream.local_addr(cx).expect("connected"), addr);
            let received = async {
                let mut whole = Vec::new();
                while whole.len() < text.len() {
                    let buffer = BytesMut::with_capacity(10_000);
                    whole.extend(stream.recv(cx, buffer).await.expect("receives"));
                }
                whole
            };
            let (sent, received) = join(stream.send_all(cx, text.clone()), received).await;
            sent.expect("sends");
            assert!(received == text, "other bytes came back");
            stream.close(cx).await.expect("closes");
        };
        join(server, client).await;
        listener.close(cx).await.expect("closes");
    });
}

#[test]
fn a_connection_that_nobody_takes_is_refused() {
    on_every_driver(async |cx| {
        let listener = TcpListener::bind(cx, loopback(), 1).expect("listens");
        let addr = listener.local_addr(cx).expect("bound");
        let again = TcpListener::bind(cx, addr, 1).err().expect("in use");
        assert_eq!(again.kind(), io::ErrorKind::AddrInUse);
        assert!(again.to_string().contains(&addr.to_string()), "{again}");
        listener.close(cx).await.expect("closes");
        let error = TcpStream::connect(cx, addr).await.err().expect("refused");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        assert!(error.to_string().contains(&addr.to_string()), "{error}");
    });
}

#[test]
fn closing_ends_what_waits_on_the_connection() {
    on_every_driver(async |cx| {
        let listener = TcpListener::bind(cx, loopback(), 1).expect("listens");
        let addr = listener.local_addr(cx).expect("bound");
        let connect = TcpStream::connect(cx, addr);
        let (near, far) = join(connect, listener.accept(cx)).await;
        let (near, far) = (near.expect("connects"), far.expect("accepts"));

        // A receive that is under way when its own end is closed. It borrows nothing of the
        // stream, as one from another task would, so it is submitted below the futures.
        let mut id = None;
        cx.with_driver(&mut |driver| {
            let mut handles = (0..1_000).map(Handle);
            let is_near = |handle: &Handle| driver.peer_addr(*handle).is_ok_and(|at| at == addr);
            let socket = handles.find(is_near).expect("the connection");
            let buffer = BytesMut::with_capacity(10);
            let op = Op::Recv { socket, buffer };
            id = Some(cx.operations().submit(driver, op));
        });
        let receive = id.expect("submitted");
        near.close(cx).await.expect("closes");
        let ended = poll_fn(|task| cx.operations().poll_op(receive, task)).await;
        assert!(ended.is_err(), "{ended:?}");

        let received = far.recv(cx, BytesMut::with_capacity(10)).await;
        assert!(received.expect("the end").is_empty());
        // The first may be taken before the reset comes back, but not all of them.
        let mut error = None;
        for _ in 0..100 {
            if let Err(told) = far.send(cx, Bytes::from_static(b"anyone?")).await {
                error = Some(told.kind());
                break;
            }
        }
        assert!(
            matches!(
                error,
                Some(io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
            ),
            "{error:?}"
        );
    });
}

#[test]
fn dropped_futures_leave_nothing_behind() {
    on_every_driver(async |cx| {
        let listener = TcpListener::bind(cx, loopback(), 16).expect("listens");
        let addr = listener.local_addr(cx).expect("bound");
        let path = cx.folder.join("c");
        let file = File::open(cx, &path, NEW).await.expect("makes it");

        start_and_drop(listener.accept(cx)).await;
        start_and_drop(File::open(cx, &path, READ)).await;
        start_and_drop(file.write_at(cx, Bytes::from(vec![1; 1 << 20]), 0)).await;
        start_and_drop(file.read_at(cx, BytesMut::with_capacity(1 << 20), 0)).await;

        let (near, far) = join(TcpStream::connect(cx, addr), listener.accept(cx)).await;
        let (near, far) = (near.expect("connects"), far.expect("accepts"));
        start_and_drop(far.recv(cx, BytesMut::with_capacity(100))).await;
        // Once it is stopped, the dropped receive must not swallow what comes; a trip to the
        // disk gives the stop its time.
        file.sync_data(cx).await.expect("syncs");
        let sent = near.send_all(cx, Bytes::from_static(b"hello"));
        let received = async {
            let mut whole = Vec::new();
            while whole.len() < 5 {
                let buffer = BytesMut::with_capacity(100);
                whole.extend(far.recv(cx, buffer).await.expect("receives"));
            }
            whole
        };
        let (sent, received) = join(sent, received).await;
        sent.expect("sends");
        assert_eq!(received, b"hello");
        // Dropped, not closed: the next sweep closes them, and the peer sees the end.
        drop(near);
        let end = far.recv(cx, BytesMut::with_capacity(10)).await;
        assert!(end.expect("the end").is_empty());
    });
}

#[test]
fn an_answer_is_given_once() {
    on_every_driver(async |cx| {
        let path = cx.folder.join("d");
        let mut id = None;
        cx.with_driver(&mut |driver| {
            let op = Op::Open {
                path: path.clone(),
                options: NEW,
            };
            id = Some(cx.operations().submit(driver, op));
        });
        let id = id.expect("submitted");
        let opened = poll_fn(|task| cx.operations().poll_op(id, task)).await;
        assert!(matches!(opened, Ok(Outcome::Opened(_))), "{opened:?}");
        let again = poll_fn(|task| cx.operations().poll_op(id, task)).await;
        assert!(again.is_err());
        cx.operations().abandon(id);
    });
}

#[test]
fn a_thousand_operations_at_once_all_end() {
    on_every_driver(async |cx| {
        let file = File::open(cx, cx.folder.join("e"), NEW)
            .await
            .expect("makes it");
        let left = Cell::new(1_000);
        let mut writes: Vec<_> = (0..1_000u64)
            .map(|n| {
                let (file, left) = (&file, &left);
                Box::pin(async move {
                    let bytes = Bytes::from(n.to_le_bytes().to_vec());
                    file.write_all_at(cx, bytes, n * 8).await.expect("writes");
                    left.set(left.get() - 1);
                })
            })
            .collect();
        poll_fn(|task| {
            writes.retain_mut(|write| write.as_mut().poll(task).is_pending());
            if left.get() == 0 {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
        let expected: Vec<u8> = (0..1_000u64).flat_map(u64::to_le_bytes).collect();
        assert!(read_to_end(cx, &file).await == expected, "other bytes");
    });
}
