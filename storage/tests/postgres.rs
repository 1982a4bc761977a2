//! The store on PostgreSQL, against servers started here.

mod common;

use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use common::proxy::Proxy;
use common::{
    Process, certificate, conforms, eventually, free_port, impatient, load, options, patient_for,
    run,
};
use quark_storage::postgres::{PostgresConfig, postgres};
use quark_storage::provider::StoreError;
use quark_storage::remote::{Control, Remote};
use tempfile::TempDir;

const PACKAGE: &str = "postgresql";

/// A server in a folder of its own, on a port and a Unix socket; its superuser is `quark`, with
/// the password `pass@word` for who comes by TCP.
struct Server {
    folder: TempDir,
    port: u16,
    process: Option<Process>,
}

impl Server {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder is made");
        let path = folder.path();
        std::fs::write(path.join("password"), "pass@word").expect("a file is written");
        give(path);
        give(&path.join("password"));
        let mut command = Command::new(program("initdb"));
        command.args(["--username=quark", "--auth-local=trust"]);
        command.args(["--auth-host=scram-sha-256", "--encoding=UTF8", "--no-sync"]);
        command.args(["--pwfile", "password", "--pgdata", "data"]);
        command.current_dir(path);
        run(&mut unprivileged(command), PACKAGE);
        let mut server = Server {
            folder,
            port: free_port(),
            process: None,
        };
        server.launch(&[]);
        server
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Starts it, again if it has run before.
    fn launch(&mut self, settings: &[&str]) {
        let mut command = Command::new(program("postgres"));
        command.args(["-D", "data", "-k"]).arg(self.path());
        command.args(["-p", &self.port.to_string(), "-h", "127.0.0.1"]);
        for setting in settings {
            command.args(["-c", setting]);
        }
        command.current_dir(self.path());
        let log = self.path().join("log");
        self.process = Some(Process::start(unprivileged(command), PACKAGE, &log));
        eventually("a PostgreSQL listens", || {
            let mut ready = Command::new(program("pg_isready"));
            ready.arg("-q").arg("-h").arg(self.path());
            ready.args(["-p", &self.port.to_string()]);
            ready.status().is_ok_and(|status| status.success())
        });
    }

    fn kill(&mut self) {
        self.process.take().expect("it runs").kill();
    }

    fn socket_url(&self) -> String {
        let path = self.path().display();
        format!(
            "postgres:///postgres?host={path}&port={}&user=quark",
            self.port
        )
    }

    fn tcp_url(&self, parameters: &str) -> String {
        let port = self.port;
        format!("postgres://quark:pass%40word@localhost:{port}/postgres?{parameters}")
    }
}

/// Where Debian keeps the newest, or where the path leads.
fn program(name: &str) -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql");
    let versions = versions.into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = versions
        .map(|version| version.path().join("bin").join(name))
        .filter(|program| program.exists())
        .collect();
    found.sort();
    found.pop().unwrap_or_else(|| PathBuf::from(name))
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

/// PostgreSQL does not run as root: then it runs as nobody.
const NOBODY: u32 = 65534;

fn give(path: &Path) {
    if is_root() {
        chown(path, Some(NOBODY), Some(NOBODY)).expect("a file is given away");
    }
}

fn unprivileged(command: Command) -> Command {
    use std::os::unix::process::CommandExt;
    let mut command = command;
    if is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

fn open(control: &Control, url: &str) -> Remote {
    let config = PostgresConfig::from_url(url).expect("is a URL");
    postgres(control, config, options())
}

/// The same, for a server that a busy machine may take long to bring back.
fn open_patiently(control: &Control, url: &str) -> Remote {
    let config = PostgresConfig::from_url(url).expect("is a URL");
    postgres(control, config, patient_for(Duration::from_secs(60)))
}

#[test]
fn conforms_over_a_unix_socket() {
    let server = Server::start();
    let control = Control::start().expect("a thread starts");
    conforms(|| open(&control, &server.socket_url()));
}

#[test]
fn conforms_over_tcp_with_a_password() {
    let server = Server::start();
    let control = Control::start().expect("a thread starts");
    conforms(|| {
        open(
            &control,
            &server.tcp_url("sslmode=disable&schema=other&connections=1"),
        )
    });
}

#[test]
fn conforms_over_tls() {
    let mut server = Server::start();
    server.kill();
    certificate(server.path());
    for file in ["cert.pem", "key.pem"] {
        give(&server.path().join(file));
    }
    server.launch(&[
        "ssl=on",
        "ssl_cert_file=../cert.pem",
        "ssl_key_file=../key.pem",
    ]);
    let control = Control::start().expect("a thread starts");
    let roots = server.path().join("cert.pem");
    let url = server.tcp_url(&format!("sslmode=require&sslrootcert={}", roots.display()));
    conforms(|| open(&control, &url));
    // Who is not signed by a name that is trusted is not spoken to.
    let stranger = PostgresConfig::from_url(&server.tcp_url("sslmode=require"));
    if let Ok(stranger) = stranger {
        let remote = postgres(&control, stranger, impatient());
        assert!(remote.check().is_err());
    }
}

#[test]
fn what_is_acknowledged_outlives_the_server() {
    let mut server = Server::start();
    let control = Control::start().expect("a thread starts");
    let remote = open_patiently(&control, &server.socket_url());
    remote.check().expect("the server answers");
    load::loses_nothing(&remote, |count| {
        for _ in 0..3 {
            load::goes_on(count);
            server.kill();
            server.launch(&[]);
        }
        load::goes_on(count);
    });
    server.kill();
    load::waits_for_the_server(&remote, || server.launch(&[]));
}

#[test]
fn an_idle_connection_that_is_lost_holds_up_nobody() {
    let mut server = Server::start();
    let control = Control::start().expect("a thread starts");
    let url = server.socket_url();
    load::loses_an_idle_connection(
        || open(&control, &url),
        || {
            server.kill();
            server.launch(&[]);
        },
    );
}

#[test]
fn what_comes_late_changes_nothing() {
    let server = Server::start();
    let control = Control::start().expect("a thread starts");
    let proxy = Proxy::to(server.port);
    let url = server.tcp_url("sslmode=disable");
    let url = url.replace(&server.port.to_string(), &proxy.port().to_string());
    let config = PostgresConfig::from_url(&url).expect("is a URL");
    // Enough for a connection to be made.
    let options = patient_for(Duration::from_secs(2));
    load::late_writes_change_nothing(&proxy, &postgres(&control, config, options));
}

#[test]
fn each_share_of_what_is_due_is_its_own() {
    let server = Server::start();
    let control = Control::start().expect("a thread starts");
    let url = server.socket_url();
    load::shares_are_apart(|| open(&control, &url), || 0);
}

#[test]
fn of_two_owners_one_commits() {
    let server = Server::start();
    let control = Control::start().expect("a thread starts");
    let url = server.socket_url();
    load::one_of_two_commits(&open(&control, &url), &open(&control, &url));
}

#[test]
fn patience_ends_and_passwords_are_not_told() {
    let server = Server::start();
    let control = Control::start().expect("a thread starts");
    let away = format!(
        "postgres://me:sesame@127.0.0.1:{}/db?sslmode=disable",
        free_port()
    );
    let config = PostgresConfig::from_url(&away).expect("is a URL");
    load::gives_up(&postgres(&control, config, impatient()), "sesame");
    let wrong = server
        .tcp_url("sslmode=disable")
        .replace("pass%40word", "guess");
    let refused = open(&control, &wrong).check();
    let Err(StoreError::Refused { why, .. }) = refused else {
        panic!("a wrong password is refused, not {refused:?}");
    };
    assert!(!why.contains("guess"));
}

#[test]
fn a_newer_schema_is_refused() {
    let server = Server::start();
    let control = Control::start().expect("a thread starts");
    open(&control, &server.socket_url())
        .check()
        .expect("the schema is made");
    let mut newer = Command::new(program("psql"));
    newer.args([
        "-U",
        "quark",
        "-d",
        "postgres",
        "-p",
        &server.port.to_string(),
        "-h",
    ]);
    newer.arg(server.path());
    newer.args(["-c", "INSERT INTO quark.migration (version) VALUES (99)"]);
    run(&mut newer, PACKAGE);
    let refused = open(&control, &server.socket_url()).check();
    let is_refused = matches!(&refused, Err(StoreError::Refused { why, .. }) if why.contains("99"));
    assert!(is_refused, "{refused:?}");
}
