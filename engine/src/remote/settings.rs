use std::net::SocketAddr;
use std::time::Duration;

use quark_net::session::{ACTORS_MOST, FRAME_LEAST, NAME_MOST, Patience, SHARDS_MOST, Window};
use quark_net::tls::{Tls, TlsError};
use quark_net::transport::ListenLimits;

use crate::cluster::Cluster;

/// Has an engine take calls from other processes: see
/// [`EngineBuilder::listen`](crate::EngineBuilder::listen).
///
/// The first shard listens at the address, each further one at a port of its own: the next ones, or,
/// where the port is 0, any that are free.
#[derive(Clone, Debug)]
#[must_use = "nothing listens until an engine is given it"]
pub struct Listen {
    pub(crate) addr: SocketAddr,
    pub(crate) cluster: String,
    pub(crate) insecure: bool,
    pub(crate) tls: Option<Tls>,
    pub(crate) limits: ListenLimits,
    pub(crate) handshake_within: Duration,
}

/// Why an engine can't listen as it is to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListenError {
    /// Others on the network could read and forge all that is said.
    #[error(
        "{0} can be reached from other machines, and what is said there could be read and forged: \
         give it certificates (.tls(…)), listen on loopback, or say .insecure() where the network \
         is trusted"
    )]
    Insecure(SocketAddr),
    /// There are more shards than ports behind the one given.
    #[error("{addr} leaves no ports for {shards} shards, which take one each: begin lower")]
    NoPorts {
        /// Where the first is to listen.
        addr: SocketAddr,
        /// How many there are.
        shards: u16,
    },
    /// The name of the cluster is too long.
    #[error("a cluster's name has {NAME_MOST} bytes at most, not {0}")]
    LongName(usize),
    /// More of something than can be said to peers.
    #[error("{is} {what} are more than the {most} that peers can be told of")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many there are.
        is: usize,
        /// How many there may be.
        most: usize,
    },
    /// Its certificates can't be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The system does not let it.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

impl Listen {
    /// At `addr`.
    pub fn at(addr: SocketAddr) -> Self {
        Listen {
            addr,
            cluster: DEFAULT_CLUSTER.to_owned(),
            insecure: false,
            tls: None,
            limits: ListenLimits::default(),
            handshake_within: Patience::default().handshake,
        }
    }

    /// What the cluster is called; `quark` by default. Who names another is not let in.
    pub fn cluster(mut self, name: impl Into<String>) -> Self {
        self.cluster = name.into();
        self
    }

    /// Speaks TLS 1.3, and nothing else, by these certificates.
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Lets calls come over a network in plain text, which anyone on it can read and forge. Without
    /// it, only loopback may be listened on.
    pub fn insecure(mut self) -> Self {
        self.insecure = true;
        self
    }

    /// How many open sessions each shard takes at once; 4,096 by default. Beyond these, connections
    /// are closed as soon as they are accepted.
    pub fn sessions(mut self, sessions: usize) -> Self {
        self.limits.sessions = sessions.max(1);
        self
    }

    /// How many handshakes each shard has under way at once; 256 by default. Beyond these, the
    /// oldest is given up for the newest.
    pub fn handshakes(mut self, handshakes: usize) -> Self {
        self.limits.handshakes = handshakes.max(1);
        self
    }

    /// How long a handshake may take, TLS included; 5 seconds by default. Then it is given up.
    pub fn handshake_within(mut self, limit: Duration) -> Self {
        self.handshake_within = limit;
        self
    }

    /// How many bytes the sessions of each shard may hold together; 1 GiB by default, 1 MiB at least.
    /// What has come in part counts, calls that wait for their answers, and answers that their callers do
    /// not take. Beyond it, the session is cut off that holds the most.
    pub fn memory(mut self, bytes: u64) -> Self {
        self.limits.memory = bytes.max(1 << 20);
        self
    }

    pub(crate) fn check(&self, shards: u16, served: usize) -> Result<(), ListenError> {
        for (what, is, most) in [
            ("shards", usize::from(shards), SHARDS_MOST),
            ("actor types", served, ACTORS_MOST),
        ] {
            if is > most {
                return Err(ListenError::TooMany { what, is, most });
            }
        }
        if self.tls.as_ref().is_some_and(|tls| !tls.can_accept()) {
            return Err(TlsError::NoIdentity.into());
        }
        if self.tls.is_none() && !self.insecure && !self.addr.ip().is_loopback() {
            return Err(ListenError::Insecure(self.addr));
        }
        check_name(&self.cluster)?;
        let last = self.addr.port().checked_add(shards.saturating_sub(1));
        if last.is_none() {
            return Err(ListenError::NoPorts {
                addr: self.addr,
                shards,
            });
        }
        Ok(())
    }

    /// Where this shard is to listen.
    pub(crate) fn addr_of(&self, shard: u16) -> SocketAddr {
        let mut addr = self.addr;
        if addr.port() != 0 {
            addr.set_port(addr.port().saturating_add(shard));
        }
        addr
    }
}

/// Whether a cluster can be called so.
pub(crate) fn check_name(cluster: &str) -> Result<(), ListenError> {
    match cluster.len() {
        0..=NAME_MOST => Ok(()),
        long => Err(ListenError::LongName(long)),
    }
}

/// What a cluster is called that was given no name.
pub(crate) const DEFAULT_CLUSTER: &str = "quark";

/// How an engine speaks to other processes.
#[derive(Clone, Debug)]
pub(crate) struct RemoteSettings {
    pub(crate) cluster: String,
    /// Where it takes calls.
    pub(crate) listen: Option<Listen>,
    /// Which cluster it is a node of.
    pub(crate) joins: Option<Cluster>,
    /// Whom a client asks where its actors live.
    pub(crate) peer: Option<SocketAddr>,
    /// By which certificates it speaks to that, and to whom: what the peer's certificate says.
    pub(crate) dials_by: Option<(Tls, String)>,
    pub(crate) patience: Patience,
    pub(crate) window: Window,
    /// The longest frame it reads, in bytes.
    pub(crate) max_frame: u32,
}

impl RemoteSettings {
    /// Whether there is any need of it.
    pub(crate) fn is_used(&self) -> bool {
        self.listen.is_some() || self.peer.is_some()
    }
}

impl Default for RemoteSettings {
    fn default() -> Self {
        const MAX_FRAME: u32 = 1 << 20;
        const { assert!(MAX_FRAME >= FRAME_LEAST) };
        RemoteSettings {
            cluster: DEFAULT_CLUSTER.to_owned(),
            listen: None,
            joins: None,
            peer: None,
            dials_by: None,
            patience: Patience::default(),
            window: Window::default(),
            max_frame: MAX_FRAME,
        }
    }
}
