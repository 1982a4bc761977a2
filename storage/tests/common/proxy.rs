//! A way to a server that can stall: what clients send by it then arrives late.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// Stands between clients and a server.
pub(crate) struct Proxy {
    address: SocketAddr,
    gates: Arc<Mutex<Gates>>,
}

#[derive(Default)]
struct Gates {
    /// Whether what comes by a connection is kept back, one for each.
    connections: Vec<Arc<AtomicBool>>,
    /// And by those that are made from now on.
    stalls: bool,
}

impl Proxy {
    /// To the server at `port` on this machine.
    pub(crate) fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it has an address");
        let gates: Arc<Mutex<Gates>> = Arc::default();
        let shared = gates.clone();
        // It ends with the test's process.
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let server = TcpStream::connect(("127.0.0.1", port)).expect("the server listens");
                let mut gates = shared.lock().expect("no panic");
                let stalls = Arc::new(AtomicBool::new(gates.stalls));
                gates.connections.push(stalls.clone());
                drop(gates);
                let (from, to) = (server.try_clone(), client.try_clone());
                let (from, to) = (from.expect("two handles"), to.expect("two handles"));
                thread::spawn(move || copy(client, server, &stalls));
                thread::spawn(move || copy(from, to, &AtomicBool::new(false)));
            }
        });
        Proxy { address, gates }
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// From here on, whatever clients send is kept back.
    pub(crate) fn stall(&self) {
        self.set(true);
    }

    /// But not what is sent by connections that are made from here on.
    pub(crate) fn spare_new(&self) {
        self.gates.lock().expect("no panic").stalls = false;
    }

    /// All that was kept back arrives.
    pub(crate) fn flow(&self) {
        self.set(false);
    }

    fn set(&self, stalls: bool) {
        let mut gates = self.gates.lock().expect("no panic");
        gates.stalls = stalls;
        for connection in &gates.connections {
            connection.store(stalls, Ordering::SeqCst);
        }
    }
}

/// Hands on what comes, when it may. Whoever goes leaves what he has sent.
fn copy(mut from: TcpStream, mut to: TcpStream, stalls: &AtomicBool) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        while stalls.load(Ordering::SeqCst) {
            thread::sleep(Duration::from_millis(5));
        }
        if to.write_all(&buffer[..count]).is_err() {
            return;
        }
    }
}
