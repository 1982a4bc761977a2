//! Servers that stores stand on, started for a test in folders of their own, and killed.

use std::fs::{self, File};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// What kind of server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Redis, which syncs its append-only file before it answers.
    Redis,
    /// PostgreSQL as it comes.
    Postgres,
}

/// A server on a port of its own. Ends with this.
#[derive(Debug)]
pub struct Server {
    kind: Kind,
    folder: TempDir,
    port: u16,
    process: Option<Child>,
}

/// PostgreSQL does not run as root: then it runs as nobody.
const NOBODY: u32 = 65_534;

impl Server {
    /// Starts one.
    ///
    /// # Panics
    /// If it does not start, with the package that brings it.
    #[must_use]
    pub fn start(kind: Kind) -> Self {
        let folder = tempfile::tempdir().expect("a folder is made");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let mut server = Server {
            kind,
            folder,
            port: listener.local_addr().expect("it has an address").port(),
            process: None,
        };
        drop(listener);
        if kind == Kind::Postgres {
            give_away(server.folder.path());
            let mut init = server.command("initdb");
            init.args([
                "--username=quark",
                "--auth=trust",
                "--no-sync",
                "--pgdata",
                "data",
            ]);
            let made = init.stdout(Stdio::null()).status();
            assert!(
                made.is_ok_and(|made| made.success()),
                "initdb: {}",
                kind.remedy()
            );
        }
        server.launch();
        server
    }

    /// Where a store finds it.
    #[must_use]
    pub fn url(&self) -> String {
        let port = self.port;
        match self.kind {
            Kind::Redis => format!("redis://127.0.0.1:{port}"),
            Kind::Postgres => format!("postgres://quark@127.0.0.1:{port}/postgres?sslmode=disable"),
        }
    }

    /// Ends it as a loss of power would: nothing is tidied up.
    pub fn kill(&mut self) {
        let Some(mut process) = self.process.take() else {
            return;
        };
        let id = process.id();
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children"));
        let _ = process.kill();
        let _ = process.wait();
        let children = children.unwrap_or_default();
        if !children.is_empty() {
            let mut kill = Command::new("kill");
            kill.arg("-9").args(children.split_whitespace());
            let _ = kill.stderr(Stdio::null()).status();
        }
    }

    /// Starts it again on what it has kept, and waits until it is ready.
    ///
    /// # Panics
    /// If it does not start.
    pub fn launch(&mut self) {
        let port = self.port.to_string();
        let mut command = match self.kind {
            Kind::Redis => {
                let mut command = self.command("redis-server");
                command.args(["--port", &port, "--bind", "127.0.0.1", "--save", ""]);
                command.args(["--appendonly", "yes", "--appendfsync", "always"]);
                command
            }
            Kind::Postgres => {
                let mut command = self.command("postgres");
                command.args(["-D", "data", "-p", &port, "-h", "127.0.0.1"]);
                command.args(["-c", "unix_socket_directories="]);
                command
            }
        };
        let log = File::create(self.folder.path().join("log")).expect("a log is created");
        let errors = log.try_clone().expect("a file has two handles");
        let process = command
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .spawn();
        self.process = Some(process.unwrap_or_else(|error| {
            panic!(
                "{:?} does not start ({error}): {}",
                self.kind,
                self.kind.remedy()
            )
        }));
        let begun = Instant::now();
        while !self.is_ready() {
            assert!(
                begun.elapsed() < Duration::from_secs(60),
                "{:?} is not ready",
                self.kind
            );
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// PostgreSQL listens before it has recovered.
    fn is_ready(&self) -> bool {
        if self.kind == Kind::Redis {
            return TcpStream::connect(("127.0.0.1", self.port)).is_ok();
        }
        let mut ready = self.command("pg_isready");
        let port = self.port.to_string();
        ready.args(["-q", "-h", "127.0.0.1", "-p", &port]);
        ready.status().is_ok_and(|status| status.success())
    }

    fn command(&self, program: &str) -> Command {
        let program = match self.kind {
            Kind::Redis => PathBuf::from(program),
            Kind::Postgres => newest(program),
        };
        let mut command = Command::new(program);
        command.current_dir(self.folder.path());
        if self.kind == Kind::Postgres && is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        command
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Kind {
    fn remedy(self) -> &'static str {
        match self {
            Kind::Redis => "install the package redis-server",
            Kind::Postgres => "install the package postgresql",
        }
    }
}

/// Where Debian keeps the newest, or where the path leads.
fn newest(program: &str) -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let programs = versions
        .flatten()
        .map(|it| it.path().join("bin").join(program));
    let newest = programs.filter(|program| program.exists()).max();
    newest.unwrap_or_else(|| PathBuf::from(program))
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

fn give_away(path: &Path) {
    if is_root() {
        chown(path, Some(NOBODY), Some(NOBODY)).expect("a folder is given away");
    }
}
