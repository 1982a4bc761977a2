//! Bytes and connections as they come.

use quark_shards::driver::{CHUNK_BYTES, Received};
use quark_shards::io::Incoming;

use super::*;

/// Both ends of a connection.
async fn pair(cx: &Bench) -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind(cx, loopback(), 16).expect("listens");
    let addr = listener.local_addr(cx).expect("bound");
    let (near, far) = join(TcpStream::connect(cx, addr), listener.accept(cx)).await;
    (near.expect("connects"), far.expect("accepts"))
}

/// Bytes of which no two runs of four are alike.
fn text(len: usize) -> Bytes {
    (0..len as u32 / 4).flat_map(u32::to_le_bytes).collect()
}

async fn take(cx: &Bench, incoming: &mut Incoming, len: usize) -> Vec<u8> {
    let mut whole = Vec::new();
    while whole.len() < len {
        let chunk = incoming.next(cx).await.expect("receives");
        let chunk = chunk.expect("more to come");
        assert!(!chunk.is_empty() && chunk.len() <= CHUNK_BYTES);
        whole.extend_from_slice(&chunk);
    }
    whole
}

/// Gives the others a turn.
async fn pause() {
    let mut waited = false;
    poll_fn(|task| {
        if std::mem::replace(&mut waited, true) {
            return Poll::Ready(());
        }
        task.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[test]
fn what_an_echo_sends_back_is_what_it_was_sent() {
    on_every_driver(async |cx| {
        let listener = TcpListener::bind(cx, loopback(), 16).expect("listens");
        let addr = listener.local_addr(cx).expect("bound");
        let text = text(4 << 20);
        let server = async {
            let mut arrivals = listener.incoming(cx);
            let stream = arrivals.next(cx).await.expect("accepts");
            let mut incoming = stream.incoming(cx);
            while let Some(chunk) = incoming.next(cx).await.expect("receives") {
                let back = Bytes::copy_from_slice(&chunk);
                stream.send_all(cx, back).await.expect("sends");
            }
            assert!(incoming.next(cx).await.expect("no more").is_none());
        };
        let client = async {
            let stream = TcpStream::connect(cx, addr).await.expect("connects");
            let mut incoming = stream.incoming(cx);
            let received = take(cx, &mut incoming, text.len());
            let (sent, received) = join(stream.send_all(cx, text.clone()), received).await;
            sent.expect("sends");
            assert!(received == text, "other bytes came back");
            // Dropped, it is closed by the next sweep; the server waits for that.
        };
        join(server, client).await;
    });
}

#[test]
fn connections_are_taken_as_they_come() {
    on_every_driver(async |cx| {
        let listener = TcpListener::bind(cx, loopback(), 200).expect("listens");
        let addr = listener.local_addr(cx).expect("bound");
        let mut arrivals = listener.incoming(cx);
        // More than wait at once, so that some stay in the system's backlog for a time.
        let mut near = Vec::new();
        for _ in 0..150 {
            near.push(TcpStream::connect(cx, addr).await.expect("connects"));
            let polled = poll_fn(|task| {
                let polled = (near.len() == 1).then(|| arrivals.poll_next(cx, task));
                Poll::Ready(polled)
            });
            if let Some(Poll::Ready(_)) = polled.await {
                near.pop();
            }
        }
        let mut far: Vec<SocketAddr> = Vec::new();
        while far.len() < near.len() {
            let stream = arrivals.next(cx).await.expect("accepts");
            far.push(stream.peer_addr(cx).expect("connected"));
        }
        let near = near.iter().map(|stream| stream.local_addr(cx));
        let near: Vec<SocketAddr> = near.map(|addr| addr.expect("bound")).collect();
        far.sort();
        let mut sorted = near.clone();
        sorted.sort();
        assert_eq!(far, sorted);

        drop(arrivals);
        let mut arrivals = listener.incoming(cx);
        listener.close(cx).await.expect("closes");
        let closed = arrivals.next(cx).await.err().expect("closed");
        assert_eq!(closed.kind(), io::ErrorKind::NotConnected);
    });
}

#[test]
fn connections_that_nobody_has_taken_are_closed() {
    on_every_driver(async |cx| {
        let listener = TcpListener::bind(cx, loopback(), 16).expect("listens");
        let addr = listener.local_addr(cx).expect("bound");
        let mut arrivals = listener.incoming(cx);
        start_and_drop(arrivals.next(cx)).await;
        let near = TcpStream::connect(cx, addr).await.expect("connects");
        drop((arrivals, listener));
        let received = near.recv(cx, BytesMut::with_capacity(10)).await;
        assert!(
            received.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionReset)
                || near
                    .recv(cx, BytesMut::with_capacity(10))
                    .await
                    .is_ok_and(|end| end.is_empty())
        );
    });
}

#[test]
fn who_does_not_read_holds_up_his_peer_and_nobody_else() {
    on_every_driver(async |cx| {
        let (near, far) = pair(cx).await;
        let (other_near, other_far) = pair(cx).await;
        let text = text(16 << 20);
        let mut slow = far.incoming(cx);
        let sent = Cell::new(false);
        let sends = async {
            near.send_all(cx, text.clone()).await.expect("sends");
            sent.set(true);
        };
        let reads = async {
            let first = slow.next(cx).await.expect("receives").expect("some");
            let mut quick = other_far.incoming(cx);
            for round in 0..500u32 {
                let message = Bytes::copy_from_slice(&round.to_le_bytes());
                let send = other_near.send_all(cx, message.clone());
                let (sent, got) = join(send, take(cx, &mut quick, 4)).await;
                sent.expect("sends");
                assert_eq!(got, message);
            }
            assert!(!sent.get(), "nothing held the sender up");
            let mut whole = first.to_vec();
            drop(first);
            whole.extend(take(cx, &mut slow, text.len() - whole.len()).await);
            assert!(whole == text, "other bytes came");
        };
        join(sends, reads).await;
    });
}

#[test]
fn who_keeps_his_chunks_starves_nobody() {
    on_every_driver(async |cx| {
        let (near, far) = pair(cx).await;
        let (other_near, other_far) = pair(cx).await;
        // Twice as much as all the shard's buffers hold.
        let text = text(4 << 20);
        let mut incoming = far.incoming(cx);
        let mut quick = other_far.incoming(cx);
        let keeps = async {
            let mut kept: Vec<Received> = Vec::new();
            let mut count = 0;
            while count < text.len() {
                let chunk = incoming.next(cx).await.expect("receives").expect("some");
                count += chunk.len();
                kept.push(chunk);
            }
            kept
        };
        let (sent, kept) = join(near.send_all(cx, text.clone()), keeps).await;
        sent.expect("sends");
        for round in 0..500u32 {
            let message = Bytes::copy_from_slice(&round.to_le_bytes());
            let send = other_near.send_all(cx, message.clone());
            let (sent, got) = join(send, take(cx, &mut quick, 4)).await;
            sent.expect("sends");
            assert_eq!(got, message);
        }
        let kept: Vec<u8> = kept.iter().flat_map(|chunk| chunk.to_vec()).collect();
        assert!(kept == text, "a chunk was written over");
    });
}

#[test]
fn one_that_is_dropped_leaves_everything_to_the_next() {
    on_every_driver(async |cx| {
        let (near, far) = pair(cx).await;
        let text = text(1 << 20);
        let reads = async {
            let mut whole = Vec::new();
            while whole.len() < text.len() {
                let mut incoming = far.incoming(cx);
                for _ in 0..whole.len() % 5 {
                    pause().await;
                }
                let next = incoming.next(cx).await.expect("receives");
                whole.extend_from_slice(&next.expect("some"));
                // Begins to receive more, which the next one finds.
                let more = poll_fn(|task| Poll::Ready(incoming.poll_next(cx, task))).await;
                if let Poll::Ready(more) = more {
                    whole.extend_from_slice(&more.expect("receives").expect("some"));
                }
            }
            whole
        };
        let (sent, received) = join(near.send_all(cx, text.clone()), reads).await;
        sent.expect("sends");
        assert!(received == text, "bytes were lost or changed places");
    });
}

#[test]
fn closing_ends_what_comes() {
    on_every_driver(async |cx| {
        let (near, far) = pair(cx).await;
        let mut incoming = near.incoming(cx);
        start_and_drop(incoming.next(cx)).await;
        near.close(cx).await.expect("closes");
        let closed = incoming.next(cx).await.expect_err("closed");
        assert_eq!(closed.kind(), io::ErrorKind::NotConnected);
        assert!(incoming.next(cx).await.expect("no more").is_none());
        // The number may be another's by now: nothing is taken from that.
        let mut theirs = far.incoming(cx);
        assert!(theirs.next(cx).await.expect("the end").is_none());
        let (near, far) = pair(cx).await;
        assert!(incoming.next(cx).await.expect("no more").is_none());
        near.send_all(cx, Bytes::from_static(b"whole"))
            .await
            .expect("sends");
        assert_eq!(take(cx, &mut far.incoming(cx), 5).await, b"whole");
    });
}

#[test]
fn a_reset_is_told_once() {
    on_every_driver(async |cx| {
        let (near, far) = pair(cx).await;
        let mut incoming = near.incoming(cx);
        start_and_drop(incoming.next(cx)).await;
        near.send_all(cx, Bytes::from_static(b"unread"))
            .await
            .expect("sends");
        // What is closed with something unread resets its connection; let it arrive first.
        far.recv(cx, BytesMut::with_capacity(1))
            .await
            .expect("receives");
        far.close(cx).await.expect("closes");
        let reset = incoming.next(cx).await.expect_err("reset");
        assert_eq!(reset.kind(), io::ErrorKind::ConnectionReset);
        assert!(incoming.next(cx).await.expect("no more").is_none());
    });
}

#[test]
fn everything_can_be_dropped_at_any_time() {
    on_every_driver(async |cx| {
        for round in 0..60 {
            let (near, far) = pair(cx).await;
            let mut incoming = far.incoming(cx);
            start_and_drop(incoming.next(cx)).await;
            let sent = near.send(cx, text(200_000)).await.expect("sends");
            assert!(sent > 0);
            let chunk = match round % 4 {
                0 => None,
                _ => incoming.next(cx).await.expect("receives"),
            };
            for _ in 0..round % 7 {
                pause().await;
            }
            match round % 3 {
                0 => drop((incoming, far)),
                1 => drop((far, incoming)),
                _ => drop(near),
            }
            if let Some(chunk) = chunk {
                assert!(text(200_000).starts_with(&chunk));
            }
        }
    });
}

#[test]
#[should_panic(expected = "one taker of a socket at a time")]
fn two_do_not_take_from_one_connection() {
    let bench = Bench::sim(1, SimConfig::default());
    bench.block_on(async {
        let (near, _far) = pair(&bench).await;
        let _first = near.incoming(&bench);
        near.incoming(&bench);
    });
}

#[test]
fn many_buffers_go_as_one() {
    on_every_driver(async |cx| {
        let (near, far) = pair(cx).await;
        let text = text(2 << 20);
        // More than one operation takes, of every size from none.
        let mut buffers = Vec::new();
        let mut rest = text.clone();
        for number in 0..200 {
            buffers.push(rest.split_to((number * number % 30_000).min(rest.len())));
        }
        buffers.push(rest);
        let room = buffers.capacity();
        let mut incoming = far.incoming(cx);
        let received = take(cx, &mut incoming, text.len());
        let (sent, received) = join(near.send_vectored(cx, buffers), received).await;
        let back = sent.expect("sends");
        assert!(back.is_empty() && back.capacity() == room);
        assert!(received == text, "other bytes came");
        drop((incoming, far));
        let mut gone = None;
        for _ in 0..100 {
            let buffers = vec![Bytes::from_static(b"anyone"), Bytes::from_static(b"there?")];
            if let Err(error) = near.send_vectored(cx, buffers).await {
                gone = Some(error);
                break;
            }
        }
        assert!(gone.is_some(), "sent to nobody");
    });
}

/// An echo under everything that can go wrong on the network; the trace it leaves.
fn echo_in_a_storm(seed: u64) -> (u64, bool) {
    let config = SimConfig {
        short_probability: 0.3,
        reset_probability: 0.01,
        socket_bytes: 20_000,
        ..SimConfig::default()
    };
    let cx = Bench::sim(seed, config);
    let text = text(100_000);
    let whole = cx.block_on(async {
        let (near, far) = pair(&cx).await;
        let server = async {
            let mut incoming = far.incoming(&cx);
            while let Ok(Some(chunk)) = incoming.next(&cx).await {
                let back = Bytes::copy_from_slice(&chunk);
                if far.send_all(&cx, back).await.is_err() {
                    break;
                }
            }
            drop((incoming, far));
        };
        let client = async {
            let mut received = Vec::new();
            let mut incoming = near.incoming(&cx);
            let reads = async {
                while received.len() < text.len() {
                    match incoming.next(&cx).await {
                        Ok(Some(chunk)) => received.extend_from_slice(&chunk),
                        Ok(None) | Err(_) => break,
                    }
                }
            };
            let parts = text
                .chunks(7_000)
                .map(|part| text.slice_ref(part))
                .collect();
            let (_, ()) = join(near.send_vectored(&cx, parts), reads).await;
            drop((incoming, near));
            assert!(text.starts_with(&received), "seed {seed}: other bytes came");
            received.len() == text.len()
        };
        join(server, client).await.1
    });
    cx.settle();
    (cx.world.as_ref().expect("simulated").trace(), whole)
}

#[test]
fn what_comes_is_always_a_beginning_of_what_was_sent_and_replays() {
    let mut whole = 0;
    for seed in 0..100 {
        let first = echo_in_a_storm(seed);
        assert_eq!(first, echo_in_a_storm(seed), "seed {seed} did not replay");
        whole += u32::from(first.1);
    }
    assert!((10..=90).contains(&whole), "{whole} of 100 came through");
}
