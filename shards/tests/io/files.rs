//! Files, and operations as such.

use super::*;

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
