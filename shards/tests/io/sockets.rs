//! Listeners and connections.

use super::*;

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
