//! Servers that stores stand on: one's own, or one started for a run alone and gone with it.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::cpu_time;
use crate::error::Error;
use crate::scratch::Scratch;

/// What kind of server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Redis; it syncs its append-only file before it answers.
    Redis,
    /// Redis that keeps nothing on disk.
    RedisInMemory,
    /// PostgreSQL as it comes.
    Postgres,
}

/// A server on a port of its own. Ends with this.
#[derive(Debug)]
pub struct Server {
    kind: Kind,
    port: u16,
    process: Child,
    /// Last: it goes when the process has gone.
    _folder: Scratch,
}

/// How long it may take to listen.
const PATIENCE: Duration = Duration::from_secs(60);
/// PostgreSQL does not run as root: then it runs as nobody.
const NOBODY: u32 = 65_534;

impl Server {
    /// Starts one in a fresh folder within `within`, as [`Scratch::new`] takes it.
    ///
    /// # Errors
    ///
    /// [`Error::Launch`], with the package that brings it if it is not there.
    pub fn start(kind: Kind, within: Option<&Path>) -> Result<Self, Error> {
        let folder = Scratch::new(within)?;
        let failed = |error: &dyn std::fmt::Display| kind.failed(error);
        let path = fs::canonicalize(folder.path()).map_err(|error| failed(&error))?;
        if kind == Kind::Postgres {
            if is_root() {
                chown(&path, Some(NOBODY), Some(NOBODY)).map_err(|error| failed(&error))?;
            }
            let mut init = kind.command("initdb", &path)?;
            init.args(["--username=quark", "--auth=trust", "--pgdata", "data"]);
            let made = init.output().map_err(|error| failed(&error))?;
            if !made.status.success() {
                return Err(failed(&String::from_utf8_lossy(&made.stderr).trim()));
            }
        }
        let free = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
        let port = free.map_err(|error| failed(&error))?.port();
        let mut command = match kind {
            Kind::Redis | Kind::RedisInMemory => {
                let mut command = kind.command("redis-server", &path)?;
                command.args(["--port", &port.to_string(), "--bind", "127.0.0.1"]);
                if kind == Kind::Redis {
                    command.args(["--appendonly", "yes", "--appendfsync", "always"]);
                } else {
                    command.args(["--appendonly", "no"]);
                }
                // Nothing in the background while it is measured.
                command.args(["--save", "", "--auto-aof-rewrite-percentage", "0"]);
                command
            }
            Kind::Postgres => {
                let mut command = kind.command("postgres", &path)?;
                command.args(["-D", "data", "-h", "127.0.0.1", "-p", &port.to_string()]);
                command.args([
                    "-c",
                    "unix_socket_directories=",
                    "-c",
                    "max_connections=150",
                ]);
                command
            }
        };
        let log = File::create(path.join("log")).map_err(|error| failed(&error))?;
        let errors = log.try_clone().map_err(|error| failed(&error))?;
        let process = command.stdin(Stdio::null()).stdout(log).stderr(errors);
        let mut server = Server {
            kind,
            port,
            process: process.spawn().map_err(|error| failed(&error))?,
            _folder: folder,
        };
        server.listens(&path)?;
        Ok(server)
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> String {
        let port = self.port;
        match self.kind {
            Kind::Redis | Kind::RedisInMemory => format!("redis://127.0.0.1:{port}"),
            Kind::Postgres => format!("postgres://quark@127.0.0.1:{port}/postgres?sslmode=disable"),
        }
    }

    /// The same, without words.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    /// CPU time of all its threads so far, where it has no processes beside its own.
    #[must_use]
    pub fn cpu_time(&self) -> Duration {
        cpu_time::of_process(self.process.id())
    }

    fn listens(&mut self, path: &Path) -> Result<(), Error> {
        let begun = Instant::now();
        loop {
            let ended = self.process.try_wait().is_ok_and(|ended| ended.is_some());
            let log = fs::read_to_string(path.join("log")).unwrap_or_default();
            // Both say so; PostgreSQL listens before.
            if log.contains("eady to accept connections") {
                return Ok(());
            }
            if ended || begun.elapsed() > PATIENCE {
                let last = log.lines().last().unwrap_or("it says nothing");
                return Err(self.kind.failed(&last));
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        match self.kind {
            Kind::Redis | Kind::RedisInMemory => drop(self.process.kill()),
            // At once, and all that it has started with it.
            Kind::Postgres => {
                let id = self.process.id().to_string();
                let _ = Command::new("kill").args(["-QUIT", &id]).status();
            }
        }
        let _ = self.process.wait();
    }
}

impl Kind {
    /// `program` of the kind, to be run in `folder`.
    fn command(self, program: &str, folder: &Path) -> Result<Command, Error> {
        let found = match self {
            Kind::Redis | Kind::RedisInMemory => on_path(program),
            Kind::Postgres => newest(program).or_else(|| on_path(program)),
        };
        let package = match self {
            Kind::Redis | Kind::RedisInMemory => "redis-server",
            Kind::Postgres => "postgresql",
        };
        let found = found.ok_or_else(|| {
            let mut why = format!("{program} is not there; Debian's package {package} brings it");
            if let Some(option) = self.option() {
                why += &format!(", and {option} takes a server of your own");
            }
            Error::Launch(why)
        })?;
        let mut command = Command::new(found);
        command.current_dir(folder);
        if self == Kind::Postgres && is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        Ok(command)
    }

    fn option(self) -> Option<&'static str> {
        match self {
            Kind::Redis => Some("--redis-url"),
            Kind::RedisInMemory => None,
            Kind::Postgres => Some("--postgres-url"),
        }
    }

    fn failed(self, error: &dyn std::fmt::Display) -> Error {
        let name = match self {
            Kind::Redis | Kind::RedisInMemory => "Redis",
            Kind::Postgres => "PostgreSQL",
        };
        Error::Launch(format!("{name} does not start: {error}"))
    }
}

fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let programs = std::env::split_paths(&path).map(|folder| folder.join(program));
    programs.into_iter().find(|program| program.is_file())
}

/// Where Debian keeps it.
fn newest(program: &str) -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?.flatten();
    let programs = versions.map(|version| version.path().join("bin").join(program));
    programs.filter(|program| program.is_file()).max()
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_told_with_its_remedy() {
        for (kind, package) in [
            (Kind::Redis, "redis-server"),
            (Kind::RedisInMemory, "redis-server"),
            (Kind::Postgres, "postgresql"),
        ] {
            let error = kind.command("no-such-program", Path::new("/")).unwrap_err();
            let text = error.to_string();
            assert!(
                text.contains(package) && text.contains(kind.option().unwrap_or_default()),
                "{text}"
            );
            assert_eq!(error.exit_code(), 2);
        }
    }
}
