//! Operations that go on, and the ring of buffers.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use super::*;
use crate::driver::uring::provided::Provided;
use crate::driver::{CHUNK_BYTES, Received};

/// A driver whose ring has few buffers.
pub(super) fn with_buffers(count: u16) -> UringDriver {
    let mut driver = driver();
    assert!(driver.kit.multishot.receive, "{:?}", driver.report());
    driver.kit.provided = Provided::Unmade(count);
    driver
}

/// A connection, of which the driver has one end.
fn connect(driver: &mut UringDriver, listener: &TcpListener) -> (Handle, TcpStream) {
    let addr = listener.local_addr().expect("bound");
    driver.submit(Token(u64::MAX), Op::Connect { addr });
    let Some(Completion {
        result: Ok(Outcome::Opened(socket)),
        ..
    }) = ends(driver, 1).pop()
    else {
        panic!("did not connect");
    };
    (socket, listener.accept().expect("accepts").0)
}

/// A connection whose chunks come as `token`.
pub(super) fn receiving(
    driver: &mut UringDriver,
    listener: &TcpListener,
    token: u64,
) -> (Handle, TcpStream) {
    let (socket, peer) = connect(driver, listener);
    driver.submit(Token(token), Op::RecvMany { socket });
    (socket, peer)
}

pub(super) fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").expect("listens")
}

pub(super) fn chunk(completion: Completion) -> (Received, bool) {
    match completion.result {
        Ok(Outcome::Received(chunk)) => (chunk, completion.more),
        other => panic!("{other:?}"),
    }
}

/// Receives `len` bytes as whoever wants many does; says how often it had to ask.
fn receive(driver: &mut UringDriver, socket: Handle, len: usize) -> (Vec<u8>, usize) {
    let (mut whole, mut asked) = (Vec::new(), 1);
    driver.submit(Token(1), Op::RecvMany { socket });
    while whole.len() < len {
        for completion in ends(driver, 1) {
            let (bytes, more) = chunk(completion);
            assert!(!bytes.is_empty() && bytes.len() <= CHUNK_BYTES);
            whole.extend_from_slice(&bytes);
            if !more {
                driver.submit(Token(1), Op::RecvMany { socket });
                asked += 1;
            }
        }
    }
    driver.cancel(Token(1));
    let last = ends(driver, 1).pop().expect("it ends");
    assert!(!last.more && last.result.is_err(), "{last:?}");
    assert_eq!(driver.in_flight(), 0);
    (whole, asked)
}

pub(super) fn text(len: usize) -> Vec<u8> {
    (0..len as u32 / 4).flat_map(u32::to_le_bytes).collect()
}

#[test]
fn older_kernels_receive_and_accept_one_by_one() {
    let text = text(1 << 20);
    for skip in 0..=setup::STEP_COUNT {
        let mut driver = UringDriver::with_fewer_features(config(), skip).expect("a driver");
        let report = driver.report();
        for (has, name) in [
            (driver.kit.multishot.accept, "multishot accept"),
            (driver.kit.multishot.receive, "multishot receive"),
        ] {
            assert_eq!(report.on.contains(&name), has);
            let told = report.missing.iter().any(|line| line.starts_with(name));
            assert_ne!(told, has, "{report:?}");
        }
        assert_eq!(driver.kit.multishot.receive, skip <= 2, "{report:?}");
        assert_eq!(driver.kit.multishot.accept, skip <= 3, "{report:?}");

        let listener = driver.listen("127.0.0.1:0".parse().expect("an address"), 8);
        let listener = listener.expect("listens");
        let addr = driver.local_addr(listener).expect("bound");
        driver.submit(Token(9), Op::AcceptMany { listener });
        for round in 0..3 {
            let mut peer = TcpStream::connect(addr).expect("connects");
            let accepted = ends(&mut driver, 1).pop().expect("one");
            assert_eq!(accepted.more, driver.kit.multishot.accept);
            let Ok(Outcome::Opened(socket)) = accepted.result else {
                panic!("{accepted:?}");
            };
            if accepted.more {
                driver.cancel(Token(9));
                let last = ends(&mut driver, 1).pop().expect("it ends");
                assert!(!last.more && last.result.is_err());
            }
            let sent = text.clone();
            let sender = thread::spawn(move || {
                peer.write_all(&sent).expect("sends");
                peer
            });
            let (received, asked) = receive(&mut driver, socket, text.len());
            assert!(received == text, "other bytes came");
            if !driver.kit.multishot.receive {
                assert!(asked > text.len() / CHUNK_BYTES);
            }
            drop(sender.join().expect("the sender"));
            assert_eq!(driver.kit.provided.out(), 0);
            if round < 2 {
                driver.submit(Token(9), Op::AcceptMany { listener });
            }
        }
    }
}

#[test]
fn one_operation_is_enough_for_many_chunks() {
    let mut driver = with_buffers(8);
    let listener = listener();
    let (_, mut peer) = receiving(&mut driver, &listener, 1);
    for round in 0..1_000u32 {
        peer.write_all(&round.to_le_bytes()).expect("sends");
        let (bytes, more) = chunk(ends(&mut driver, 1).remove(0));
        assert!(more, "round {round}");
        assert_eq!(*bytes, round.to_le_bytes());
        assert_eq!((driver.kit.provided.out(), driver.in_flight()), (1, 1));
    }
    drop(peer);
    let (end, more) = chunk(ends(&mut driver, 1).remove(0));
    assert!(end.is_empty() && !more);
    drop(end);
    assert_eq!((driver.kit.provided.out(), driver.in_flight()), (0, 0));
}

#[test]
fn a_ring_that_has_run_out_holds_nobody_up() {
    let mut driver = with_buffers(4);
    let listener = listener();
    let (socket, mut peer) = receiving(&mut driver, &listener, 1);
    let (other, mut other_peer) = receiving(&mut driver, &listener, 2);
    let mut kept = Vec::new();
    for round in 0..4u32 {
        peer.write_all(&round.to_le_bytes()).expect("sends");
        kept.push(chunk(ends(&mut driver, 1).remove(0)).0);
    }
    assert_eq!(driver.kit.provided.out(), 4);
    // Nobody gives any back: both go on all the same, in memory of their own.
    for round in 4..40u32 {
        for (token, socket, peer) in [(1, socket, &mut peer), (2, other, &mut other_peer)] {
            peer.write_all(&round.to_le_bytes()).expect("sends");
            let completion = ends(&mut driver, 1).remove(0);
            assert_eq!(completion.token, Token(token));
            let (bytes, more) = chunk(completion);
            assert_eq!(*bytes, round.to_le_bytes());
            assert!(!more);
            assert!(format!("{bytes:?}").contains("own"), "{bytes:?}");
            driver.submit(Token(token), Op::RecvMany { socket });
        }
    }
    let kept: Vec<u8> = kept.drain(..).flat_map(|chunk| chunk.to_vec()).collect();
    assert_eq!(kept, text(16), "a buffer was written over");
    assert_eq!(driver.kit.provided.out(), 0);
    // The one that found none when it was submitted still waits with its own.
    for place in ["own", "lent"] {
        peer.write_all(b"again").expect("sends");
        let (bytes, more) = chunk(ends(&mut driver, 1).remove(0));
        assert_eq!((&*bytes, more), (&b"again"[..], place == "lent"));
        assert!(format!("{bytes:?}").contains(place), "{bytes:?}");
        if !more {
            driver.submit(Token(1), Op::RecvMany { socket });
        }
    }
}

#[test]
fn what_is_closed_or_cancelled_ends_once_and_gives_its_buffers_back() {
    let mut driver = with_buffers(4);
    let listener = listener();
    for round in 0..400 {
        let (socket, mut peer) = receiving(&mut driver, &listener, 1);
        // From none to more than there are buffers: it may be at any step when it is ended.
        peer.write_all(&text(round % 8 * CHUNK_BYTES))
            .expect("sends");
        let mut done = Vec::new();
        if round % 3 != 0 {
            driver.poll(&mut done);
        }
        if round % 2 == 0 {
            driver.cancel(Token(1));
        }
        driver.submit(Token(2), Op::Close { handle: socket });
        let limit = driver.now() + Duration::from_secs(20);
        while driver.in_flight() > 0 {
            assert!(driver.now() < limit, "round {round}: it never ends");
            driver.park(Some(limit));
            driver.poll(&mut done);
        }
        let last = |token| {
            let last = |one: &&Completion| one.token == token && !one.more;
            done.iter().filter(last).count()
        };
        assert_eq!((last(Token(1)), last(Token(2))), (1, 1), "round {round}");
        for completion in done {
            if let Err(error) = completion.result {
                assert_eq!(error.raw_os_error(), Some(libc::ECANCELED), "round {round}");
            }
        }
        assert_eq!(driver.kit.provided.out(), 0, "round {round}");
    }
}

#[test]
fn chunks_outlive_their_driver() {
    let mut driver = with_buffers(4);
    let listener = listener();
    let (_, mut peer) = receiving(&mut driver, &listener, 1);
    peer.write_all(b"still here").expect("sends");
    let (bytes, _) = chunk(ends(&mut driver, 1).remove(0));
    // More comes while it is being dropped.
    peer.write_all(&text(100_000)).expect("sends");
    drop(driver);
    assert_eq!(*bytes, *b"still here");
    let read = peer.read(&mut [0; 1]);
    assert!(!matches!(read, Ok(1)), "the connection was left open");
}

#[test]
fn a_thousand_connections_share_the_buffers() {
    const COUNT: u64 = 1_000;
    let mut driver = driver();
    let listener = driver.listen("127.0.0.1:0".parse().expect("an address"), 1_024);
    let listener = listener.expect("listens");
    let addr = driver.local_addr(listener).expect("bound");
    driver.submit(Token(0), Op::AcceptMany { listener });
    let peers = thread::spawn(move || -> Vec<TcpStream> {
        let connect = |number: u64| {
            let mut peer = TcpStream::connect(addr).expect("connects");
            peer.write_all(&number.to_le_bytes()).expect("sends");
            peer
        };
        (1..=COUNT).map(connect).collect()
    });
    let mut numbers = Vec::new();
    let mut kept = Vec::new();
    let mut sockets = vec![listener];
    while numbers.len() < COUNT as usize {
        for completion in ends(&mut driver, 1) {
            if let (token, Ok(Outcome::Opened(socket))) = (completion.token, &completion.result) {
                assert_eq!(token, Token(0));
                let again = Op::RecvMany { socket: *socket };
                driver.submit(Token(sockets.len() as u64), again);
                sockets.push(*socket);
                if !completion.more {
                    driver.submit(token, Op::AcceptMany { listener });
                }
                continue;
            }
            let token = completion.token;
            let (bytes, more) = chunk(completion);
            numbers.push(u64::from_le_bytes(
                bytes[..].try_into().expect("eight at once"),
            ));
            kept.push(bytes);
            if !more {
                let socket = sockets[token.0 as usize];
                driver.submit(token, Op::RecvMany { socket });
            }
        }
    }
    numbers.sort_unstable();
    assert!(numbers.into_iter().eq(1..=COUNT));
    assert!(driver.kit.provided.out() <= 256);
    assert_eq!(driver.in_flight(), COUNT as usize + 1);
    drop(kept);
    assert_eq!(driver.kit.provided.out(), 0);
    drop(peers.join().expect("the peers"));
}

#[test]
fn what_cannot_go_on_says_why() {
    let mut driver = driver();
    let listener = driver.listen("127.0.0.1:0".parse().expect("an address"), 8);
    let listener = listener.expect("listens");
    let mut code = |op| {
        driver.submit(Token(1), op);
        let last = ends(&mut driver, 1).remove(0);
        assert!(!last.more);
        last.result.expect_err("refused").raw_os_error()
    };
    let socket = Handle(0);
    assert_eq!(code(Op::RecvMany { socket }), Some(libc::EBADF));
    assert_eq!(code(Op::AcceptMany { listener: socket }), Some(libc::EBADF));
    let socket = listener;
    assert_eq!(code(Op::RecvMany { socket }), Some(libc::ENOTCONN));
    let peer = super::many::listener();
    let (socket, _peer) = connect(&mut driver, &peer);
    driver.submit(Token(1), Op::AcceptMany { listener: socket });
    let last = ends(&mut driver, 1).remove(0);
    let refused = last.result.expect_err("no listener").raw_os_error();
    assert_eq!((refused, last.more), (Some(libc::EINVAL), false));
}
