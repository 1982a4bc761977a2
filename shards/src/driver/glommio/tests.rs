use std::future::poll_fn;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use bytes::BytesMut;

use super::*;

fn driver() -> GlommioDriver {
    GlommioDriver::new(GlommioConfig {
        seed: 1,
        start: Instant::now(),
    })
}

async fn park(driver: &mut GlommioDriver, until: Option<Time>) {
    poll_fn(|cx| driver.poll_park(until, cx)).await;
}

fn on_executor(test: impl AsyncFnOnce(GlommioDriver)) {
    run(async || test(driver()).await).expect("an executor");
}

#[test]
fn a_park_ends_when_its_time_has_come() {
    on_executor(async |mut driver| {
        for limit in [3, 40].map(Duration::from_millis) {
            let until = driver.now() + limit;
            park(&mut driver, Some(until)).await;
            let now = driver.now();
            assert!(now >= until, "woke early");
            assert!(now - until < Duration::from_secs(5));
        }
        let passed = driver.now();
        park(&mut driver, Some(passed)).await;
    });
}

#[test]
fn a_ring_before_the_park_ends_it_at_once() {
    on_executor(async |mut driver| {
        driver.bell().ring();
        driver.poll(&mut Vec::new());
        let from = driver.now();
        park(&mut driver, Some(from + Duration::from_secs(20))).await;
        assert!(driver.now() - from < Duration::from_secs(10), "lost");
    });
}

#[test]
fn no_ring_is_ever_lost() {
    const RINGS: u64 = 2_000;
    on_executor(async |mut driver| {
        let sent = Arc::new(AtomicU64::new(0));
        let heard = Arc::new(AtomicU64::new(0));
        let bell = driver.bell();
        let ringer = thread::spawn({
            let (sent, heard) = (sent.clone(), heard.clone());
            move || {
                let mut random = SplitMix64::new(3);
                for ring in 1..=RINGS {
                    // Gaps around the time it takes to park, so that every moment is hit.
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
            let limit = driver.now() + Duration::from_secs(10);
            while sent.load(Ordering::Acquire) < ring {
                park(&mut driver, Some(limit)).await;
                assert!(driver.now() < limit, "slept through ring {ring}");
            }
            heard.store(ring, Ordering::Release);
        }
        ringer.join().expect("the ringer");
    });
}

#[test]
fn handles_that_are_not_the_drivers_are_refused() {
    on_executor(async |mut driver| {
        let mut done = Vec::new();
        for (token, handle) in (0..).zip([0, -1, i32::MAX].map(Handle)) {
            driver.submit(Token(token), Op::Close { handle });
            driver.poll(&mut done);
            let completion = done.pop().expect("refused at once");
            let error = completion.result.expect_err("not ours");
            assert_eq!(error.raw_os_error(), Some(libc::EBADF));
            assert!(driver.local_addr(handle).is_err());
        }
    });
}

#[test]
fn a_driver_whose_executor_is_gone_refuses_everything_but_closes() {
    on_executor(async |mut driver| {
        let listener = driver
            .listen("127.0.0.1:0".parse().expect("an address"), 1)
            .expect("listens");
        driver.exit().leave();
        let mut done = Vec::new();
        driver.submit(Token(1), Op::Accept { listener });
        driver.submit(Token(2), Op::Close { handle: listener });
        driver.poll(&mut done);
        assert_eq!(done.len(), 2);
        assert_eq!(driver.in_flight(), 0);
        assert!(driver.local_addr(listener).is_err(), "still open");
    });
}

#[test]
fn a_dropped_driver_closes_its_connections() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("listens");
    let addr = listener.local_addr().expect("bound");
    on_executor(async |mut driver| {
        driver.submit(Token(1), Op::Connect { addr });
        let mut done = Vec::new();
        while done.is_empty() {
            park(&mut driver, None).await;
            driver.poll(&mut done);
        }
        let Ok(Outcome::Opened(socket)) = done.remove(0).result else {
            panic!("did not connect");
        };
        let buffer = BytesMut::with_capacity(1 << 16);
        driver.submit(Token(2), Op::Recv { socket, buffer });
        assert_eq!(driver.in_flight(), 1);
    });
    let (mut peer, _) = listener.accept().expect("accepts");
    let read = io::copy(&mut peer, &mut io::sink());
    assert!(read.is_ok(), "the connection was left open: {read:?}");
}
