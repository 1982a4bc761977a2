mod direct;
mod many;

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use bytes::{Bytes, BytesMut};

use super::*;
use crate::driver::{OpenOptions, Outcome};

fn config() -> UringConfig {
    UringConfig {
        entries: 8,
        seed: 1,
        start: clock(),
        worker_cpus: vec![0],
    }
}

fn driver() -> UringDriver {
    UringDriver::new(config()).expect("io_uring works here")
}

fn after(driver: &mut UringDriver, limit: Duration) -> Option<Time> {
    Some(driver.now() + limit)
}

#[test]
fn reports_what_it_uses_and_what_it_lacks() {
    for skip in 0..=setup::STEP_COUNT {
        let driver =
            UringDriver::with_fewer_features(config(), skip).expect("older rings work too");
        let report = driver.report();
        assert_eq!(report.name, "uring");
        assert!(report.missing.len() >= skip, "{report:?}");
        assert!(report.on.len() >= setup::STEP_COUNT - skip, "{report:?}");
    }
}

#[test]
fn a_park_ends_when_its_time_has_come() {
    let mut driver = driver();
    let from = driver.now();
    let until = from + Duration::from_millis(20);
    driver.park(Some(until));
    assert!(
        driver.now() >= until,
        "woke early: {:?}",
        driver.now() - from
    );
    assert!(driver.now() - from < Duration::from_secs(5));
    // A time that has passed already does not block at all.
    driver.park(Some(from));
}

#[test]
fn a_ring_before_the_park_ends_it_at_once() {
    for skip in 0..=setup::STEP_COUNT {
        let mut driver = UringDriver::with_fewer_features(config(), skip).expect("a driver");
        driver.bell().ring();
        let from = driver.now();
        driver.park(Some(from + Duration::from_secs(20)));
        assert!(
            driver.now() - from < Duration::from_secs(10),
            "the ring was lost"
        );
    }
}

#[test]
fn a_ring_that_poll_saw_still_ends_the_next_park() {
    let mut driver = driver();
    driver.bell().ring();
    let mut done = Vec::new();
    for _ in 0..100 {
        driver.poll(&mut done);
    }
    let from = driver.now();
    driver.park(Some(from + Duration::from_secs(20)));
    assert!(
        driver.now() - from < Duration::from_secs(10),
        "poll ate the ring"
    );
}

#[test]
fn an_unrung_bell_lets_the_shard_sleep() {
    let mut driver = driver();
    driver.bell().ring();
    let until = after(&mut driver, Duration::from_secs(20));
    driver.park(until);
    // The eventfd may end one more park; after that it must be quiet.
    let until = after(&mut driver, Duration::from_millis(1));
    driver.park(until);
    let until = after(&mut driver, Duration::from_millis(30));
    driver.park(until);
    assert!(
        driver.now() >= until.expect("set above"),
        "the bell rings by itself"
    );
}

#[test]
fn no_ring_is_ever_lost() {
    const RINGS: u64 = 10_000;
    let sent = Arc::new(AtomicU64::new(0));
    let heard = Arc::new(AtomicU64::new(0));
    let mut driver = driver();
    let bell = driver.bell();
    let ringer = thread::spawn({
        let (sent, heard) = (sent.clone(), heard.clone());
        move || {
            let mut random = SplitMix64::new(3);
            for ring in 1..=RINGS {
                // Gaps around the time it takes to park, so that every moment of it is hit.
                for _ in 0..random.within(0..=2_000) {
                    std::hint::spin_loop();
                }
                sent.store(ring, Ordering::Release);
                bell.ring();
                while heard.load(Ordering::Acquire) < ring {
                    thread::yield_now();
                }
            }
        }
    });
    for ring in 1..=RINGS {
        // A park may end for no reason; it may not outlast a ring.
        let limit = driver.now() + Duration::from_secs(10);
        while sent.load(Ordering::Acquire) < ring {
            driver.park(Some(limit));
            assert!(driver.now() < limit, "slept through ring {ring}");
        }
        heard.store(ring, Ordering::Release);
    }
    ringer.join().expect("the ringer");
}

#[test]
fn more_operations_than_entries_all_complete() {
    for skip in 0..=setup::STEP_COUNT {
        let driver = UringDriver::with_fewer_features(config(), skip).expect("a driver");
        open_a_hundred(driver);
    }
}

fn open_a_hundred(mut driver: UringDriver) {
    for token in 0..100 {
        let path = format!("/nonexistent/{token}").into();
        let options = OpenOptions {
            read: true,
            ..OpenOptions::default()
        };
        driver.submit(Token(token), Op::Open { path, options });
    }
    assert_eq!(driver.in_flight(), 100);
    let mut done = Vec::new();
    let limit = driver.now() + Duration::from_secs(20);
    while driver.in_flight() > 0 && driver.now() < limit {
        driver.park(Some(limit));
        driver.poll(&mut done);
    }
    let mut tokens: Vec<u64> = done.iter().map(|completion| completion.token.0).collect();
    tokens.sort_unstable();
    assert_eq!(tokens, (0..100).collect::<Vec<_>>());
    for completion in done {
        let error = completion.result.expect_err("no such file");
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}

#[test]
fn a_reused_descriptor_knows_nothing_of_the_one_before() {
    let mut driver = driver();
    let addr = "127.0.0.1:0".parse().expect("an address");
    let mut done = Vec::new();
    for round in 0..20 {
        // One accept waits on each; the number is given out again while it is being stopped.
        let listener = driver.listen(addr, 1).expect("listens");
        driver.submit(Token(round), Op::Accept { listener });
        driver.poll(&mut done);
        driver.submit(Token(100 + round), Op::Close { handle: listener });
        driver.poll(&mut done);
    }
    let limit = driver.now() + Duration::from_secs(20);
    while driver.in_flight() > 0 && driver.now() < limit {
        driver.park(Some(limit));
        driver.poll(&mut done);
    }
    assert_eq!(done.len(), 40);
    let closed = |token: Token| token.0 >= 100;
    for completion in done {
        assert_eq!(completion.result.is_ok(), closed(completion.token));
    }
}

#[test]
fn handles_that_are_not_the_drivers_are_refused() {
    let mut driver = driver();
    let bell = Handle(driver.bell.fd());
    let mut done = Vec::new();
    for (token, handle) in (0..).zip([bell, Handle(0), Handle(-1), Handle(i32::MAX)]) {
        driver.submit(Token(token), Op::Close { handle });
        driver.poll(&mut done);
        let completion = done.pop().expect("refused at once");
        let error = completion.result.expect_err("not ours");
        assert_eq!(error.raw_os_error(), Some(libc::EBADF));
        assert!(driver.local_addr(handle).is_err());
    }
}

#[test]
fn a_dropped_driver_gives_its_buffers_back_and_closes_its_connections() {
    struct Watched(Arc<AtomicU64>, Vec<u8>);
    impl AsRef<[u8]> for Watched {
        fn as_ref(&self) -> &[u8] {
            &self.1
        }
    }
    impl Drop for Watched {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("listens");
    let addr = listener.local_addr().expect("bound");
    let mut driver = driver();
    driver.submit(Token(1), Op::Connect { addr });
    let mut done = Vec::new();
    while done.is_empty() {
        driver.park(None);
        driver.poll(&mut done);
    }
    let Ok(Outcome::Opened(socket)) = done.remove(0).result else {
        panic!("did not connect");
    };
    let (mut peer, _) = listener.accept().expect("accepts");
    // More than the socket's buffers take, and a receive that nothing will ever fill.
    let dropped = Arc::new(AtomicU64::new(0));
    let buffer = Bytes::from_owner(Watched(dropped.clone(), vec![7; 64 << 20]));
    driver.submit(Token(2), Op::Send { socket, buffer });
    let buffer = BytesMut::with_capacity(1 << 16);
    driver.submit(Token(3), Op::Recv { socket, buffer });
    driver.poll(&mut done);

    drop(driver);
    assert_eq!(dropped.load(Ordering::Relaxed), 1, "the buffer was leaked");
    let read = io::copy(&mut peer, &mut io::sink());
    assert!(read.is_ok(), "the connection was left open: {read:?}");
}

#[test]
fn a_seccomp_filter_is_named_with_its_remedy() {
    // The filter holds for this thread alone, and for ever.
    let error = thread::spawn(|| {
        deny_io_uring(libc::EPERM);
        UringDriver::new(config()).err()
    })
    .join()
    .expect("no panic")
    .expect("io_uring is denied here");
    let text = error.to_string();
    assert!(matches!(error, DriverError::Denied { .. }), "{text}");
    assert!(text.contains("io_uring_setup is denied") && text.contains("seccomp profile"));
    assert_eq!(text.lines().count(), 1, "one line: {text}");
}

#[test]
fn a_hidden_io_uring_is_named_with_its_remedy() {
    let error = thread::spawn(|| {
        deny_io_uring(libc::ENOSYS);
        UringDriver::new(config()).err()
    })
    .join()
    .expect("no panic")
    .expect("io_uring is hidden here");
    assert!(matches!(error, DriverError::Absent), "{error}");
    assert!(error.to_string().contains("Linux 5.11 or newer"));
}

#[test]
fn impossible_ring_sizes_are_refused() {
    for entries in [0, 40_000, u32::MAX] {
        let error = UringDriver::new(UringConfig {
            entries,
            ..config()
        });
        assert!(matches!(error.err(), Some(DriverError::Entries { .. })));
    }
}

#[test]
fn every_refusal_says_what_to_do() {
    let says = |errno, remedy: &str| {
        let error = setup::explain("io_uring_setup", 8, io::Error::from_raw_os_error(errno));
        let text = error.to_string();
        assert!(text.contains(remedy), "{text}");
    };
    says(libc::ENOMEM, "ulimit -l");
    says(libc::EMFILE, "ulimit -n");
    says(libc::ENOSYS, "CONFIG_IO_URING");
    says(libc::EINVAL, "io_uring_setup failed");
}

/// Makes `io_uring_setup` fail with `errno` on this thread.
fn deny_io_uring(errno: i32) {
    let statement = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
    let load = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    let equal = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    let answer = (libc::BPF_RET | libc::BPF_K) as u16;
    let mut program = [
        statement(load, 0, 0, 0), // seccomp_data.nr
        statement(equal, 0, 1, libc::SYS_io_uring_setup as u32),
        statement(answer, 0, 0, libc::SECCOMP_RET_ERRNO | errno as u32),
        statement(answer, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let filter = libc::sock_fprog {
        len: program.len() as u16,
        filter: program.as_mut_ptr(),
    };
    // SAFETY: plain numbers; the thread gives up rights that it does not need.
    let promised = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    assert_eq!(promised, 0, "{}", io::Error::last_os_error());
    // SAFETY: the filter and its program outlive the call, which copies them.
    let set = unsafe {
        libc::prctl(
            libc::PR_SET_SECCOMP,
            libc::SECCOMP_MODE_FILTER,
            &raw const filter,
        )
    };
    assert_eq!(set, 0, "{}", io::Error::last_os_error());
}

/// Opens `path` for writing, made anew.
fn open(driver: &mut UringDriver, path: &std::path::Path) -> Handle {
    let options = OpenOptions {
        read: true,
        write: true,
        create: true,
        ..OpenOptions::default()
    };
    let path = path.to_path_buf();
    driver.submit(Token(0), Op::Open { path, options });
    match ends(driver, 1).pop() {
        Some(Completion {
            result: Ok(Outcome::Opened(file)),
            ..
        }) => file,
        other => panic!("{other:?}"),
    }
}

/// Waits for `count` completions.
fn ends(driver: &mut UringDriver, count: usize) -> Vec<Completion> {
    let limit = driver.now() + Duration::from_secs(20);
    let mut done = Vec::new();
    while done.len() < count {
        assert!(driver.now() < limit, "{} of {count}", done.len());
        let until = after(driver, Duration::from_millis(100));
        driver.park(until);
        driver.poll(&mut done);
    }
    done
}

fn write_durable(driver: &mut UringDriver, token: u64, file: Handle, offset: u64) {
    let op = Op::WriteDurable {
        file,
        buffer: Bytes::from_static(b"12345678"),
        offset,
    };
    driver.submit(Token(token), op);
}

#[test]
fn pairs_find_their_way_through_the_smallest_queue() {
    for (entries, skip) in [(1, 0), (2, setup::STEP_COUNT), (3, 0)] {
        let config = UringConfig {
            entries,
            ..config()
        };
        let mut driver = UringDriver::with_fewer_features(config, skip).expect("a driver");
        let folder = tempdir("pairs");
        let file = open(&mut driver, &folder.join("log"));
        for token in 0..50 {
            write_durable(&mut driver, token, file, token * 8);
            assert_eq!(driver.in_flight(), token as usize + 1, "a pair counts once");
        }
        let mut tokens: Vec<u64> = ends(&mut driver, 50)
            .into_iter()
            .map(|Completion { token, result, .. }| {
                assert!(matches!(result, Ok(Outcome::Wrote(8))), "{result:?}");
                token.0
            })
            .collect();
        tokens.sort_unstable();
        assert!(tokens.into_iter().eq(0..50));
        assert_eq!(driver.in_flight(), 0);
        assert_eq!(
            std::fs::read(folder.join("log")).expect("it is there"),
            b"12345678".repeat(50)
        );
        std::fs::remove_dir_all(folder).expect("made above");
    }
}

#[test]
fn either_half_of_a_durable_write_can_fail() {
    let mut driver = driver();
    for (device, refused) in [
        // Takes no byte.
        ("/dev/full", libc::ENOSPC),
        // Takes them all, and can't be synced.
        ("/dev/null", libc::EINVAL),
    ] {
        let file = open(&mut driver, std::path::Path::new(device));
        write_durable(&mut driver, 1, file, 0);
        let failed = ends(&mut driver, 1).remove(0).result.expect_err("refused");
        assert_eq!(failed.raw_os_error(), Some(refused));
        assert_eq!(driver.in_flight(), 0);
    }
}

#[test]
fn a_pair_that_may_have_been_divided_promises_nothing() {
    let mut driver = driver();
    let folder = tempdir("divided");
    let file = open(&mut driver, &folder.join("log"));
    write_durable(&mut driver, 1, file, 0);
    driver.pending.doubt_links();
    let failed = ends(&mut driver, 1).remove(0).result.expect_err("doubtful");
    assert_eq!(failed.raw_os_error(), Some(libc::ENOMEM));
    std::fs::remove_dir_all(folder).expect("made above");
}

fn tempdir(name: &str) -> std::path::PathBuf {
    let folder = std::env::temp_dir().join(format!("quark-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder to write in");
    folder
}
