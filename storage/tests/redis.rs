//! The store on Redis, against servers started here.

mod common;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use bytes::Bytes;
use common::proxy::Proxy;
use common::{
    Process, block_on, certificate, conforms, eventually, free_port, impatient, load, options,
    patient_for, run,
};
use futures_util::future::{join_all, join4};
use quark_storage::provider::{
    ETag, Epoch, Expected, Provider, RecordKey, StoreError, VALUE_BYTES_MOST, Write,
};
use quark_storage::redis::{Document, RedisConfig, redis};
use quark_storage::remote::{Control, Remote, RemoteStore, Share};
use tempfile::TempDir;

const PACKAGE: &str = "redis-server";

/// A server in a folder of its own, on a port and a Unix socket.
struct Server {
    folder: TempDir,
    port: u16,
    args: Vec<String>,
    process: Option<Process>,
}

impl Server {
    fn start(args: &[&str]) -> Self {
        let mut server = Server {
            folder: tempfile::tempdir().expect("a folder is made"),
            port: free_port(),
            args: args.iter().map(|&arg| arg.to_owned()).collect(),
            process: None,
        };
        server.launch();
        server
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Starts it, again if it has run before.
    fn launch(&mut self) {
        let mut command = Command::new("redis-server");
        command.arg("--dir").arg(self.path());
        command.args(["--unixsocket", "redis.sock", "--save", ""]);
        if !self.args.iter().any(|arg| arg == "--port") {
            command.args(["--port", &self.port.to_string()]);
        }
        command.args(&self.args);
        let log = self.path().join("log");
        self.process = Some(Process::start(command, PACKAGE, &log));
        let socket = self.path().join("redis.sock");
        eventually("a Redis listens", || {
            std::os::unix::net::UnixStream::connect(&socket).is_ok()
        });
    }

    fn kill(&mut self) {
        self.process.take().expect("it runs").kill();
    }

    fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// What it answers to a command.
    fn cli(&self, command: &[&str]) -> String {
        let mut cli = Command::new("redis-cli");
        cli.args(["-p", &self.port.to_string()]).args(command);
        let answer = cli.output().expect("redis-cli runs").stdout;
        String::from_utf8_lossy(&answer).trim().to_owned()
    }
}

fn open(control: &Control, url: &str) -> Remote {
    let config = RedisConfig::from_url(url).expect("is a URL");
    redis(control, config, options())
}

/// The same, for a server that a busy machine may take long to bring back.
fn open_patiently(control: &Control, url: &str) -> Remote {
    let config = RedisConfig::from_url(url).expect("is a URL");
    redis(control, config, patient_for(Duration::from_secs(60)))
}

#[test]
fn conforms_over_tcp_with_a_password() {
    let server = Server::start(&["--requirepass", "pass@word"]);
    let control = Control::start().expect("a thread starts");
    let url = format!("redis://:pass%40word@127.0.0.1:{}/1", server.port);
    conforms(|| open(&control, &url));
}

#[test]
fn conforms_over_a_unix_socket() {
    let server = Server::start(&["--requirepass", "secret", "--port", "0"]);
    let control = Control::start().expect("a thread starts");
    let path = server.path().join("redis.sock");
    let url = format!(
        "redis+unix://{}?password=secret&prefix=other",
        path.display()
    );
    conforms(|| open(&control, &url));
}

#[test]
fn conforms_over_tls() {
    let folder = tempfile::tempdir().expect("a folder is made");
    certificate(folder.path());
    let file = |name| folder.path().join(name).display().to_string();
    let (cert, key, port) = (file("cert.pem"), file("key.pem"), free_port());
    let port_text = port.to_string();
    let _server = Server::start(&[
        "--port",
        "0",
        "--tls-port",
        &port_text,
        "--tls-auth-clients",
        "no",
        "--tls-cert-file",
        &cert,
        "--tls-key-file",
        &key,
    ]);
    let control = Control::start().expect("a thread starts");
    conforms(|| open(&control, &format!("rediss://localhost:{port}?ca={cert}")));
    // Who is not signed by a name that is trusted is not spoken to.
    let stranger = RedisConfig::from_url(&format!("rediss://localhost:{port}"));
    if let Ok(stranger) = stranger {
        let remote = redis(&control, stranger, impatient());
        assert!(remote.check().is_err());
    }
}

#[test]
fn conforms_on_a_cluster() {
    let folder = tempfile::tempdir().expect("a folder is made");
    let nodes: Vec<Server> = (0..3)
        .map(|node| {
            let (port, bus) = (free_port().to_string(), free_port().to_string());
            let config = folder
                .path()
                .join(format!("nodes-{node}"))
                .display()
                .to_string();
            let mut server = Server::start(&[
                "--port",
                &port,
                "--cluster-enabled",
                "yes",
                "--cluster-port",
                &bus,
                "--cluster-config-file",
                &config,
            ]);
            server.port = port.parse().expect("is a port");
            server
        })
        .collect();
    let mut command = Command::new("redis-cli");
    command.args(["--cluster", "create"]);
    command.args(nodes.iter().map(|node| format!("127.0.0.1:{}", node.port)));
    command.arg("--cluster-yes");
    run(&mut command, PACKAGE);
    for node in &nodes {
        eventually("the cluster is whole", || {
            let info = node.cli(&["cluster", "info"]);
            info.contains("cluster_state:ok")
        });
    }
    let control = Control::start().expect("a thread starts");
    conforms(|| {
        open(
            &control,
            &format!("redis-cluster://127.0.0.1:{}", nodes[0].port),
        )
    });
}

#[test]
fn conforms_behind_a_sentinel() {
    let server = Server::start(&[]);
    let folder = tempfile::tempdir().expect("a folder is made");
    let config = folder.path().join("sentinel.conf");
    let port = free_port();
    let text = format!(
        "port {port}\ndir {}\nsentinel monitor main 127.0.0.1 {} 1\n",
        folder.path().display(),
        server.port
    );
    std::fs::write(&config, text).expect("a file is written");
    let mut command = Command::new("redis-server");
    command.arg(&config).arg("--sentinel");
    let _sentinel = Process::start(command, PACKAGE, &folder.path().join("log"));
    eventually("the sentinel listens", || {
        std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
    });
    let control = Control::start().expect("a thread starts");
    let url = format!("redis-sentinel://127.0.0.1:{port}?service=main");
    conforms(|| open(&control, &url));
}

#[test]
fn what_is_acknowledged_outlives_the_server() {
    let mut server = Server::start(&["--appendonly", "yes", "--appendfsync", "always"]);
    let control = Control::start().expect("a thread starts");
    let remote = open_patiently(&control, &server.url());
    remote.check().expect("the server answers");
    load::loses_nothing(&remote, |count| {
        for _ in 0..3 {
            load::goes_on(count);
            server.kill();
            server.launch();
        }
        load::goes_on(count);
    });
    server.kill();
    load::waits_for_the_server(&remote, || server.launch());
}

#[test]
fn an_idle_connection_that_is_lost_holds_up_nobody() {
    let mut server = Server::start(&[]);
    let control = Control::start().expect("a thread starts");
    let url = server.url();
    load::loses_an_idle_connection(
        || open(&control, &url),
        || {
            server.kill();
            server.launch();
        },
    );
}

#[test]
fn what_comes_late_changes_nothing() {
    let server = Server::start(&[]);
    let control = Control::start().expect("a thread starts");
    let proxy = Proxy::to(server.port);
    let url = format!("redis://127.0.0.1:{}", proxy.port());
    let config = RedisConfig::from_url(&url).expect("is a URL");
    // Enough for a connection to be made.
    let options = patient_for(Duration::from_secs(2));
    load::late_writes_change_nothing(&proxy, &redis(&control, config, options));
}

#[test]
fn each_share_of_what_is_due_costs_its_own() {
    let server = Server::start(&[]);
    let control = Control::start().expect("a thread starts");
    let url = server.url();
    // Reminders are read by this command, and by no other way.
    let reads = || {
        let stats = server.cli(&["info", "commandstats"]);
        let calls = stats
            .split_once("cmdstat_hmget:calls=")
            .map(|(_, calls)| calls);
        let calls = calls.and_then(|calls| calls.split(',').next());
        calls.map_or(0, |calls| calls.parse().expect("is a number"))
    };
    load::shares_are_apart(|| open(&control, &url), reads);
}

#[test]
fn a_server_that_may_forget_is_told_of() {
    let always = ["--appendonly", "yes", "--appendfsync", "always"];
    for (args, says) in [
        (&[][..], Some("appendonly is off")),
        (&always[..2], Some("appendfsync is everysec")),
        (&always[..], None),
    ] {
        let server = Server::start(args);
        let control = Control::start().expect("a thread starts");
        let remote = open(&control, &server.url());
        remote.check().expect("the server answers");
        let notes = RemoteStore::new(&remote, Share::whole()).report().notes;
        match says {
            Some(says) => assert!(notes.iter().any(|note| note.starts_with(says)), "{notes:?}"),
            None => assert!(notes.is_empty(), "{notes:?}"),
        }
    }
}

#[test]
fn of_two_owners_one_commits() {
    let server = Server::start(&[]);
    let control = Control::start().expect("a thread starts");
    let url = server.url();
    load::one_of_two_commits(&open(&control, &url), &open(&control, &url));
}

#[test]
fn patience_ends_and_passwords_are_not_told() {
    let server = Server::start(&["--requirepass", "sesame"]);
    let control = Control::start().expect("a thread starts");
    let away = format!("redis://:sesame@127.0.0.1:{}", free_port());
    let config = RedisConfig::from_url(&away).expect("is a URL");
    load::gives_up(&redis(&control, config, impatient()), "sesame");
    let wrong = format!("redis://:guess@127.0.0.1:{}", server.port);
    let refused = open(&control, &wrong).check();
    let Err(StoreError::Refused { why, .. }) = refused else {
        panic!("a wrong password is refused, not {refused:?}");
    };
    assert!(!why.contains("guess"));
}

const EPOCH: Epoch = Epoch(1);

fn store(remote: &Remote) -> RemoteStore {
    RemoteStore::new(remote, Share::whole())
}

fn write(epoch: Epoch, expected: Expected, value: impl Into<Bytes>) -> Write {
    let value = value.into();
    Write {
        epoch,
        expected,
        value,
    }
}

fn is_conflict<T>(result: &Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::Conflict { .. }))
}

#[test]
fn e_tags_never_come_back() {
    let server = Server::start(&[]);
    let control = Control::start().expect("a thread starts");
    let key = RecordKey::new("Tags", "a", "x", 3);
    let name = "{quark:3}s3.4.1:Tags/a:x";
    let mut seen: BTreeSet<ETag> = BTreeSet::new();
    let stores = [0, 1].map(|_| store(&open(&control, &server.url())));
    for round in 0..40 {
        // Others have saved since, and some are new.
        let new = (round % 8 == 7).then(|| store(&open(&control, &server.url())));
        let store = new.as_ref().unwrap_or(&stores[round % 2]);
        let save = |expected| block_on(store.save(&key, write(EPOCH, expected, "value")));
        let first = save(Expected::Absent).expect("it is not there");
        let second = save(Expected::Tag(first)).expect("it is as it was left");
        assert!(seen.insert(first) && seen.insert(second), "round {round}");
        for stale in seen.iter().filter(|tag| **tag != second) {
            assert!(is_conflict(&save(Expected::Tag(*stale))), "round {round}");
        }
        assert_eq!(server.cli(&["PTTL", name]), "-1", "what is there stays");
        block_on(store.clear(&key, EPOCH, Expected::Tag(second))).expect("it was just saved");
        assert_eq!(block_on(store.load(&key, EPOCH)), Ok(None));
        for stale in seen.iter().copied().chain([ETag(0)]) {
            let expected = Expected::Tag(stale);
            assert!(is_conflict(&save(expected)), "round {round}");
            let cleared = block_on(store.clear(&key, EPOCH, expected));
            assert!(is_conflict(&cleared), "round {round}");
        }
        let left: i64 = server.cli(&["PTTL", name]).parse().expect("is a number");
        assert!((1..=3_600_000).contains(&left), "{left} ms");
        if round % 4 > 1 {
            // As when the hour is over.
            assert_eq!(server.cli(&["PEXPIRE", name, "0"]), "1");
        }
    }
}

#[test]
fn large_numbers_are_not_rounded() {
    let server = Server::start(&[]);
    let control = Control::start().expect("a thread starts");
    let blocks = |count: &str| server.cli(&["SET", "{quark:0}n", count]);
    blocks("2000000000");
    let own = store(&open(&control, &server.url()));
    let key = RecordKey::new("Large", "a", "x", 3);
    let mut known = Expected::Absent;
    for _ in 0..10 {
        let saved = block_on(own.save(&key, write(EPOCH, known, "value")));
        let tag = saved.expect("it is as it was left");
        assert!(tag.0 > 1 << 62, "{tag}");
        for near in [tag.0 - 2, tag.0 - 1, tag.0 + 1, tag.0 + 2] {
            let wrong = write(EPOCH, Expected::Tag(ETag(near)), "wrong");
            assert!(is_conflict(&block_on(own.save(&key, wrong))), "{near}");
        }
        let found = block_on(own.load(&key, EPOCH)).expect("it answers");
        assert_eq!(found.map(|found| found.etag), Some(tag));
        known = Expected::Tag(tag);
    }
    let mut before = EPOCH;
    for epoch in [
        255,
        256,
        (1 << 53) - 1,
        1 << 53,
        (1 << 53) + 1,
        (1 << 63) - 1,
        1 << 63,
        u64::MAX - 1,
        u64::MAX,
    ]
    .map(Epoch)
    {
        block_on(own.load(&key, epoch)).expect("it is the highest");
        let late = block_on(own.save(&key, write(before, known, "late")));
        assert!(
            matches!(late, Err(StoreError::Fenced { current, .. }) if current == epoch),
            "{late:?}"
        );
        before = epoch;
    }
    block_on(own.save(&key, write(before, known, "in time"))).expect("it is the highest");
    blocks("2147483647");
    let late = store(&open(&control, &server.url()));
    let refused = block_on(late.save(&key, write(before, Expected::Any, "no E-tag is left")));
    assert!(
        matches!(refused, Err(StoreError::Damaged { .. })),
        "{refused:?}"
    );
    let found = block_on(late.load(&key, before)).expect("nothing is written");
    assert_eq!(found.map(|found| found.value), Some("in time".into()));
}

#[test]
fn of_one_record_all_happens_in_its_order() {
    let server = Server::start(&[]);
    let control = Control::start().expect("a thread starts");
    let store = store(&open(&control, &server.url()));
    let key = RecordKey::new("Order", "a", "x", 3);
    for _ in 0..20 {
        let save = |expected, value| store.save(&key, write(EPOCH, expected, value));
        let load = || store.load(&key, EPOCH);
        let first = join4(
            save(Expected::Absent, "one"),
            load(),
            save(Expected::Absent, "no"),
            load(),
        );
        let then = join4(
            save(Expected::Any, "two"),
            load(),
            store.clear(&key, EPOCH, Expected::Any),
            load(),
        );
        let all = futures_util::future::join(first, then);
        let ((one, had_one, no, has_one), (two, had_two, gone, has_none)) = block_on(all);
        let (one, two) = (one.expect("it is not there"), two.expect("it may be any"));
        assert!(matches!(no, Err(StoreError::Conflict { current, .. }) if current == Some(one)));
        for (found, etag, value) in [
            (had_one, one, "one"),
            (has_one, one, "one"),
            (had_two, two, "two"),
        ] {
            let found = found.expect("it answers").expect("it is there");
            assert_eq!((found.etag, found.value), (etag, value.into()));
        }
        assert_eq!((gone, has_none), (Ok(()), Ok(None)));
    }
}

#[test]
fn values_are_of_any_bytes_and_sizes() {
    let server = Server::start(&[]);
    let control = Control::start().expect("a thread starts");
    let store = store(&open(&control, &server.url()));
    let sizes = [
        0,
        1,
        8,
        24,
        25,
        1023,
        1024,
        1025,
        70_000,
        VALUE_BYTES_MOST,
        2,
        VALUE_BYTES_MOST,
        1024,
        0,
    ];
    let value = |size: usize, seed: usize| -> Bytes {
        (0..size).map(|at| (at * 7 + seed * 31) as u8).collect()
    };
    // Many in one batch, so that small and large, new and known stand beside each other.
    const RECORDS: u16 = 100;
    let key = |record: u16| RecordKey::new("Sizes", &record.to_string(), "x", record % 70);
    let mut known = vec![Expected::Absent; RECORDS.into()];
    for (round, size) in sizes.into_iter().enumerate() {
        let size_of = |record: u16| match record % 10 {
            0 => size,
            other => sizes[(round + usize::from(other)) % sizes.len()].min(2000),
        };
        let saves = (0..RECORDS).map(|record| {
            let value = value(size_of(record), record.into());
            store.save(
                &key(record),
                write(EPOCH, known[usize::from(record)], value),
            )
        });
        for (record, saved) in block_on(join_all(saves)).into_iter().enumerate() {
            let tag = saved.unwrap_or_else(|error| panic!("{record}, round {round}: {error}"));
            assert_ne!(known[record], Expected::Tag(tag));
            known[record] = Expected::Tag(tag);
        }
        let loads = (0..RECORDS).map(|record| store.load(&key(record), EPOCH));
        for (record, found) in (0..RECORDS).zip(block_on(join_all(loads))) {
            let found = found.expect("it answers").expect("it was saved");
            let expected = known[usize::from(record)];
            assert_eq!(
                expected,
                Expected::Tag(found.etag),
                "{record}, round {round}"
            );
            let expected = value(size_of(record), record.into());
            assert!(found.value == expected, "{record}, round {round}");
        }
    }
}

#[test]
fn a_document_is_written_behind_its_last_version_only_and_told_of() {
    let mut server = Server::start(&["--appendonly", "yes", "--appendfsync", "always"]);
    let control = Control::start().expect("a thread starts");
    let open = || {
        let config = RedisConfig::from_url(&server.url()).expect("a URL");
        Document::new(&control, config, "table", Duration::from_millis(500))
    };
    let (ours, theirs) = (open(), open());
    let (tell, told) = std::sync::mpsc::channel();
    theirs.watch(move || {
        // Who looks may have gone.
        let _ = tell.send(());
    });
    told.recv_timeout(Duration::from_secs(10))
        .expect("it is subscribed");
    assert_eq!(block_on(ours.read()).expect("it answers"), None);
    let write = |document: &Document, behind, version, what: &[u8]| {
        block_on(document.write(behind, version, what))
    };
    assert!(write(&ours, 0, 1, b"one").expect("it answers"));
    told.recv_timeout(Duration::from_secs(10))
        .expect("it is told of");
    assert!(!write(&theirs, 0, 1, b"also one").expect("it answers"));
    let read = block_on(theirs.read()).expect("it answers");
    assert_eq!(read, Some((1, Bytes::from_static(b"one"))));
    let large = vec![7; 150_000];
    assert!(write(&theirs, 1, 2, &large).expect("it answers"));
    assert!(!write(&ours, 1, 2, b"two").expect("it answers"));

    server.kill();
    assert!(write(&ours, 2, 3, b"three").is_err());
    assert!(block_on(theirs.read()).is_err());
    while told.try_recv().is_ok() {}
    server.launch();
    eventually("it connects again", || block_on(theirs.read()).is_ok());
    told.recv_timeout(Duration::from_secs(10))
        .expect("it may have missed something");
    let read = block_on(theirs.read()).expect("it answers");
    assert_eq!(read, Some((2, Bytes::from(large))));
    eventually("it connects again", || {
        write(&ours, 2, 3, b"three").is_ok_and(|written| written)
    });
    told.recv_timeout(Duration::from_secs(10))
        .expect("it is told of");

    server.cli(&["SET", "{quark}table", "x"]);
    let damaged = block_on(ours.read()).expect_err("it is none");
    assert!(damaged.to_string().contains("damaged"), "{damaged}");
}
