//! What the tests of stores on servers share: processes of their own, and an executor without
//! tokio, since shards have none.

#![allow(dead_code, reason = "each test uses a part")]

pub(crate) mod load;
pub(crate) mod proxy;

use std::future::Future;
use std::net::TcpListener;
use std::path::Path;
use std::pin::pin;
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use quark_storage::conformance::{Subject, provider_conformance};
use quark_storage::provider::Provider;
use quark_storage::remote::{Options, Remote, RemoteStore, Share};

/// Runs a future on this thread.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut cx = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut cx) {
            Poll::Ready(value) => return value,
            Poll::Pending => thread::park(),
        }
    }
}

/// A server's process, which ends with the test.
pub(crate) struct Process(Child);

impl Process {
    /// Starts one; what it says goes to the file `log`.
    pub(crate) fn start(mut command: Command, package: &str, log: &Path) -> Self {
        let file = std::fs::File::create(log).expect("a log is created");
        let other = file.try_clone().expect("a file has two handles");
        let child = command
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(other)
            .spawn();
        let program = command.get_program().to_string_lossy().into_owned();
        let child = child.unwrap_or_else(|error| {
            panic!("{program} does not start ({error}); install the package {package}")
        });
        Process(child)
    }

    /// As power goes: what it has started goes too.
    pub(crate) fn kill(mut self) {
        self.end();
    }

    fn end(&mut self) {
        let id = self.0.id();
        let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children"));
        let _ = self.0.kill();
        let _ = self.0.wait();
        let children = children.unwrap_or_default();
        if !children.is_empty() {
            // Some may have gone by themselves, so whether it succeeds says nothing.
            let mut kill = Command::new("kill");
            kill.arg("-9").args(children.split_whitespace());
            let _ = kill.stderr(Stdio::null()).status();
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

/// Runs a program that has to succeed.
pub(crate) fn run(command: &mut Command, package: &str) {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().unwrap_or_else(|error| {
        panic!("{program} does not start ({error}); install the package {package}")
    });
    assert!(
        output.status.success(),
        "{program} fails: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener.local_addr().expect("it has an address").port()
}

/// Waits until `is_so`, half a minute at most.
pub(crate) fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(30), "never: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// A certificate for localhost and the key to it, signed by itself: `cert.pem` and `key.pem`.
pub(crate) fn certificate(folder: &Path) {
    let mut command = Command::new("openssl");
    command.current_dir(folder).args([
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
        "-addext",
        "subjectAltName=DNS:localhost,IP:127.0.0.1",
        "-addext",
        "basicConstraints=critical,CA:FALSE",
        "-keyout",
        "key.pem",
        "-out",
        "cert.pem",
    ]);
    run(&mut command, "openssl");
}

/// Options with a client of its own.
pub(crate) fn options() -> Options {
    static CLIENTS: AtomicU64 = AtomicU64::new(1);
    Options::new(CLIENTS.fetch_add(1, Ordering::Relaxed))
}

/// The same, with little patience.
pub(crate) fn impatient() -> Options {
    patient_for(Duration::from_millis(400))
}

/// The same, with this much patience.
pub(crate) fn patient_for(patience: Duration) -> Options {
    Options {
        patience,
        ..options()
    }
}

/// Runs what every store must do; each asking gets a way of its own.
pub(crate) fn conforms(open: impl Fn() -> Remote) {
    struct Server<F>(F);
    impl<F: Fn() -> Remote> Subject for Server<F> {
        fn provider(&self) -> Rc<dyn Provider> {
            Rc::new(RemoteStore::new(&(self.0)(), Share::whole()))
        }
    }
    open().check().expect("the server answers");
    block_on(provider_conformance(&Server(open)));
}
