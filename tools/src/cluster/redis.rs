//! A Redis of the cluster's own.

use std::fs::{self, File};
use std::io;
use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use thiserror::Error;

use super::process::{leashed, wait_or_kill};

/// A Redis that only this user reaches, by a socket in a folder. Ends with this.
#[derive(Debug)]
pub struct OwnRedis {
    process: Child,
    socket: PathBuf,
    /// Where others reach it, too.
    addr: Option<SocketAddr>,
}

/// Why there is none.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RedisError {
    /// It is not installed.
    #[error(
        "there is no redis-server here: install the package redis-server, or name a Redis that runs \
         (--redis redis://host:6379)"
    )]
    NotInstalled,
    /// It does not start.
    #[error("redis-server does not start: {log} says why")]
    NotReady {
        /// What it wrote.
        log: PathBuf,
    },
    /// The folder can't be used.
    #[error("{path}: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No socket can be there.
    #[error(
        "{0} is too long for a socket's name, which has {SOCKET_MOST} bytes at most: give a shorter --dir"
    )]
    LongPath(PathBuf),
}

const SOCKET_MOST: usize = 107;
const READY_WITHIN: Duration = Duration::from_secs(20);

impl OwnRedis {
    /// Starts one that keeps what it is told in `folder`, on disk before it answers, and ends with
    /// the calling thread; `quark` is this very program.
    ///
    /// # Errors
    /// [`RedisError`].
    pub fn start(quark: &Path, folder: &Path) -> Result<Self, RedisError> {
        Self::start_at(quark, folder, None)
    }

    /// The same, which whoever is on the network reaches at `addr`, too, without a password.
    ///
    /// # Errors
    /// [`RedisError`].
    pub fn start_at(
        quark: &Path,
        folder: &Path,
        addr: Option<SocketAddr>,
    ) -> Result<Self, RedisError> {
        let io = |path: &Path| {
            let path = path.to_owned();
            move |source| RedisError::Io { path, source }
        };
        if !is_installed() {
            return Err(RedisError::NotInstalled);
        }
        fs::create_dir_all(folder).map_err(io(folder))?;
        let folder = folder.canonicalize().map_err(io(folder))?;
        let socket = folder.join("redis.sock");
        if socket.as_os_str().len() > SOCKET_MOST {
            return Err(RedisError::LongPath(socket));
        }
        let log = folder.join("redis.log");
        let output = File::create(&log).map_err(io(&log))?;
        let errors = output.try_clone().map_err(io(&log))?;
        let mut command = leashed(quark, "redis-server");
        command.args(["--unixsocketperm", "700", "--save", ""]);
        match addr {
            None => command.args(["--port", "0"]),
            Some(addr) => command
                .args(["--bind", &addr.ip().to_string()])
                .args(["--port", &addr.port().to_string()])
                .args(["--protected-mode", "no"]),
        };
        command.args(["--appendonly", "yes", "--appendfsync", "always"]);
        command.arg("--unixsocket").arg(&socket);
        command.arg("--dir").arg(&folder);
        command.stdin(Stdio::null()).stdout(output).stderr(errors);
        let process = command.spawn().map_err(io(quark))?;
        let mut redis = OwnRedis {
            process,
            socket,
            addr,
        };
        if redis.is_ready() {
            Ok(redis)
        } else {
            Err(RedisError::NotReady { log })
        }
    }

    /// Where stores find it.
    #[must_use]
    pub fn url(&self) -> String {
        if let Some(addr) = self.addr {
            return format!("redis://{addr}");
        }
        // What means something else in a URL is written by its number.
        let path = self.socket.as_os_str().as_bytes();
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte);
        let bytes = path.iter().map(|byte| match plain(*byte) {
            true => char::from(*byte).to_string(),
            false => format!("%{byte:02X}"),
        });
        format!("redis+unix://{}", bytes.collect::<String>())
    }

    /// Its process.
    #[must_use]
    pub fn process(&self) -> u32 {
        self.process.id()
    }

    fn is_ready(&mut self) -> bool {
        let until = Instant::now() + READY_WITHIN;
        while Instant::now() < until && matches!(self.process.try_wait(), Ok(None)) {
            if UnixStream::connect(&self.socket).is_ok() {
                return true;
            }
            thread::sleep(Duration::from_millis(10));
        }
        false
    }
}

impl Drop for OwnRedis {
    fn drop(&mut self) {
        // What it has answered is on disk.
        let _ = wait_or_kill(&mut self.process, Instant::now());
    }
}

fn is_installed() -> bool {
    let mut asked = Command::new("redis-server");
    asked.arg("--version").stdin(Stdio::null());
    asked.stdout(Stdio::null()).stderr(Stdio::null());
    !matches!(asked.status(), Err(error) if error.kind() == io::ErrorKind::NotFound)
}
