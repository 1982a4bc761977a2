//! The store on Redis, against servers started here.

mod common;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use common::proxy::Proxy;
use common::{
    Process, certificate, conforms, eventually, free_port, impatient, load, options, patient_for,
    run,
};
use quark_storage::provider::{Provider, StoreError};
use quark_storage::redis::{RedisConfig, redis};
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
}

fn open(control: &Control, url: &str) -> Remote {
    let config = RedisConfig::from_url(url).expect("is a URL");
    redis(control, config, options())
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
            let mut info = Command::new("redis-cli");
            info.args(["-p", &node.port.to_string(), "cluster", "info"]);
            let info = info.output().expect("redis-cli runs").stdout;
            String::from_utf8_lossy(&info).contains("cluster_state:ok")
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
    let remote = open(&control, &format!("redis://127.0.0.1:{}", server.port));
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
    let url = format!("redis://127.0.0.1:{}", server.port);
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
    let url = format!("redis://127.0.0.1:{}", server.port);
    // Reminders are read by this command, and by no other way.
    let reads = || {
        let mut stats = Command::new("redis-cli");
        stats.args(["-p", &server.port.to_string(), "info", "commandstats"]);
        let stats = stats.output().expect("redis-cli runs").stdout;
        let stats = String::from_utf8_lossy(&stats);
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
        let remote = open(&control, &format!("redis://127.0.0.1:{}", server.port));
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
    let url = format!("redis://127.0.0.1:{}", server.port);
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
