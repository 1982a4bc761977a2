//! A connection that the ring has let go of.

use std::io::{Read, Write};
use std::net::TcpStream;

use super::many::{chunk, listener, receiving, text, with_buffers};
use super::*;
use crate::driver::CHUNK_BYTES;

/// More bytes than there is room for on a connection whose peer reads nothing.
const MUCH: usize = 32 << 20;

/// Polls as a shard that spins, until `count` completions have come.
fn spins(driver: &mut UringDriver, count: usize) -> Vec<Completion> {
    let limit = driver.now() + Duration::from_secs(20);
    let mut done = Vec::new();
    while done.len() < count {
        assert!(driver.now() < limit, "{} of {count}", done.len());
        // Some passes find work and don't look around.
        if !driver.look() && !driver.random().is_multiple_of(8) {
            continue;
        }
        driver.poll(&mut done);
    }
    done
}

/// Has the peer speak until the ring has let go of its receive, `Token(1)`.
fn talk(driver: &mut UringDriver, peer: &mut TcpStream) {
    let mut said = 0;
    while driver.busy_poll.direct().is_none() {
        said += 1;
        // Now and then the peer is too slow to be worth it.
        assert!(said < 10_000, "the ring never lets go");
        peer.write_all(b"ping").expect("sends");
        let (bytes, more) = chunk(spins(driver, 1).remove(0));
        assert_eq!((&*bytes, more), (&b"ping"[..], true));
    }
}

fn send(driver: &mut UringDriver, socket: Handle, bytes: &[u8]) -> usize {
    let buffer = Bytes::copy_from_slice(bytes);
    driver.submit(Token(5), Op::Send { socket, buffer });
    for completion in spins(driver, 1) {
        assert_eq!(completion.token, Token(5));
        if let Ok(Outcome::Wrote(count)) = completion.result {
            return count;
        }
    }
    panic!("not sent");
}

#[test]
fn a_connection_that_is_alone_is_asked_by_plain_calls() {
    let mut driver = with_buffers(4);
    let listener = listener();
    let (socket, mut peer) = receiving(&mut driver, &listener, 1);
    talk(&mut driver, &mut peer);
    // No chunk of the ring's is out, and one of its own.
    peer.write_all(b"once more").expect("sends");
    let (bytes, _) = chunk(spins(&mut driver, 1).remove(0));
    assert_eq!((&*bytes, driver.kit.provided.out()), (&b"once more"[..], 0));
    // Nothing is read over it.
    peer.write_all(b"and more").expect("sends");
    let mut done = Vec::new();
    for _ in 0..2 {
        driver.look();
        driver.poll(&mut done);
    }
    assert!(done.is_empty(), "{done:?}");
    assert_eq!(*bytes, *b"once more");
    drop(bytes);
    let (bytes, _) = chunk(spins(&mut driver, 1).remove(0));
    assert_eq!(*bytes, *b"and more");
    drop(bytes);

    talk(&mut driver, &mut peer);
    assert!(driver.ring.submission().is_empty());
    assert_eq!(send(&mut driver, socket, b"pong"), 4);
    assert!(driver.ring.submission().is_empty());
    let mut pong = [0; 4];
    peer.read_exact(&mut pong).expect("comes");
    assert_eq!(&pong, b"pong");

    // What finds no room goes by the ring, which waits for it.
    let much = text(MUCH);
    let mut sent = 0;
    loop {
        talk(&mut driver, &mut peer);
        let buffer = Bytes::copy_from_slice(&much[sent..]);
        driver.submit(Token(6), Op::Send { socket, buffer });
        match driver.ready.pop_front().map(|sent| sent.result) {
            Some(Ok(Outcome::Wrote(count))) => sent += count,
            Some(other) => panic!("{other:?}"),
            None => break,
        }
    }
    assert_eq!(driver.in_flight(), 2);
    let reads = thread::spawn(move || {
        let mut read = vec![0; sent];
        peer.read_exact(&mut read).expect("comes");
        (peer, read)
    });
    let wrote = spins(&mut driver, 1).remove(0);
    assert_eq!(wrote.token, Token(6));
    let Ok(Outcome::Wrote(count @ 1..)) = wrote.result else {
        panic!("{wrote:?}");
    };
    let (mut peer, mut read) = reads.join().expect("the reader");
    read.resize(sent + count, 0);
    peer.read_exact(&mut read[sent..]).expect("comes");
    assert!(read == much[..sent + count], "other bytes came");

    drop(peer);
    let (end, more) = chunk(spins(&mut driver, 1).remove(0));
    assert!(end.is_empty() && !more);
    assert_eq!((driver.kit.provided.out(), driver.in_flight()), (0, 0));
}

#[test]
fn bytes_keep_their_order_on_both_ways_and_between_them() {
    let mut driver = with_buffers(8);
    let listener = listener();
    let (socket, mut peer) = receiving(&mut driver, &listener, 1);
    let (other, mut other_peer) = receiving(&mut driver, &listener, 2);
    let said = text(8 << 20);
    let (mut rest, mut heard) = (&said[..], Vec::new());
    let (mut directly, mut by_ring) = (0, 0);
    while !rest.is_empty() {
        let many = driver.random.within(0..=63) == 0;
        let most = rest.len().min(if many { 20_000 } else { 2_000 }) as u64;
        let (now, later) = rest.split_at(driver.random.within(1..=most) as usize);
        peer.write_all(now).expect("sends");
        rest = later;
        match driver.random.within(0..=63) {
            // It is not alone, or the shard has nothing to do for a while.
            0 => other_peer.write_all(b"me too").expect("sends"),
            1 => driver.park(Some(Time::ZERO)),
            _ => {}
        }
        while heard.len() < said.len() - rest.len() {
            match driver.busy_poll.direct() {
                Some(_) => directly += 1,
                None => by_ring += 1,
            }
            for completion in spins(&mut driver, 1) {
                let token = completion.token;
                let (bytes, more) = chunk(completion);
                if token == Token(1) {
                    heard.extend_from_slice(&bytes);
                }
                if !more {
                    let socket = if token == Token(1) { socket } else { other };
                    driver.submit(token, Op::RecvMany { socket });
                }
            }
        }
    }
    assert!(heard == said, "other bytes came");
    assert!(directly > 100 && by_ring > 100, "{directly}, {by_ring}");
    drop((peer, other_peer));
    let mut ends = Vec::new();
    while driver.in_flight() > 0 {
        ends.extend(spins(&mut driver, 1));
    }
    ends.retain(|end| !end.more);
    assert_eq!(ends.len(), 2);
    for end in ends.drain(..) {
        assert!(chunk(end).0.is_empty());
    }
    assert_eq!(driver.kit.provided.out(), 0);
}

#[test]
fn what_comes_in_bulk_goes_by_the_ring() {
    let mut driver = with_buffers(32);
    let listener = listener();
    let (_, mut peer) = receiving(&mut driver, &listener, 1);
    let (_, mut other_peer) = receiving(&mut driver, &listener, 2);
    talk(&mut driver, &mut peer);
    // In more chunks than it takes of short ones, and reaped together.
    let much = text(20 * CHUNK_BYTES);
    other_peer.write_all(&much).expect("sends");
    let mut heard = 0;
    while heard < much.len() {
        for completion in spins(&mut driver, 1) {
            assert_eq!(completion.token, Token(2));
            heard += chunk(completion).0.len();
        }
    }
    assert_eq!(driver.busy_poll.direct(), None);
    peer.write_all(b"still here").expect("sends");
    let (bytes, _) = chunk(spins(&mut driver, 1).remove(0));
    assert_eq!(*bytes, *b"still here");
    drop(bytes);
    talk(&mut driver, &mut peer);
    peer.write_all(&much).expect("sends");
    let mut heard = 0;
    while heard < much.len() {
        for completion in spins(&mut driver, 1) {
            heard += chunk(completion).0.len();
        }
        assert_eq!(driver.busy_poll.direct(), None);
    }
}

#[test]
fn whatever_ends_it_ends_it_once() {
    let mut driver = with_buffers(4);
    let listener = listener();
    let mut directly = 0;
    for round in 0..600 {
        let (socket, mut peer) = receiving(&mut driver, &listener, 1);
        // From too few chunks to more than enough: it may be at any step when it is ended.
        for _ in 0..6 + round % 8 {
            peer.write_all(b"ping").expect("sends");
            drop(spins(&mut driver, 1));
        }
        directly += usize::from(driver.busy_poll.direct().is_some());
        if round % 5 == 0 {
            peer.write_all(&text(2 * CHUNK_BYTES)).expect("sends");
        }
        if round % 2 == 0 {
            driver.cancel(Token(1));
        }
        let mut done = Vec::new();
        if round % 3 == 0 {
            driver.look();
            driver.poll(&mut done);
        }
        driver.submit(Token(2), Op::Close { handle: socket });
        let limit = driver.now() + Duration::from_secs(20);
        while driver.in_flight() > 0 {
            assert!(driver.now() < limit, "round {round}: it never ends");
            driver.look();
            driver.poll(&mut done);
        }
        let last = |token| {
            let last = |one: &&Completion| one.token == token && !one.more;
            done.iter().filter(last).count()
        };
        assert_eq!((last(Token(1)), last(Token(2))), (1, 1), "round {round}");
        drop(done);
        assert_eq!(driver.kit.provided.out(), 0, "round {round}");
    }
    assert!(directly > 100, "{directly}");
}

#[test]
fn a_connection_that_breaks_says_so_and_ends() {
    let mut driver = with_buffers(4);
    let listener = listener();
    let (socket, mut peer) = receiving(&mut driver, &listener, 1);
    talk(&mut driver, &mut peer);
    assert_eq!(send(&mut driver, socket, b"unread"), 6);
    // With something unread, closing resets it.
    drop(peer);
    let mut done = Vec::new();
    while driver.in_flight() > 0 {
        done.extend(spins(&mut driver, 1));
    }
    let last = done.pop().expect("it ends");
    assert!(!last.more);
    let first = done.pop().unwrap_or(last);
    let error = first.result.expect_err("it was reset");
    assert_eq!(error.raw_os_error(), Some(libc::ECONNRESET));
    assert!(done.is_empty(), "{done:?}");
    assert_eq!(driver.kit.provided.out(), 0);
}

#[test]
fn a_driver_ends_with_a_receive_that_it_had_taken_over() {
    let mut driver = with_buffers(4);
    let listener = listener();
    let (_, mut peer) = receiving(&mut driver, &listener, 1);
    talk(&mut driver, &mut peer);
    peer.write_all(b"still here").expect("sends");
    let (bytes, _) = chunk(spins(&mut driver, 1).remove(0));
    drop(driver);
    assert_eq!(*bytes, *b"still here");
    assert!(!matches!(peer.read(&mut [0; 1]), Ok(1)), "it was left open");
}
