//! Calls from programs that host no actors.

use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::mpsc;
use std::time::Duration;

use quark_net::tls::Tls;
use quark_numa::Topology;
use quark_shards::idle::IdlePolicy;

use super::LineError;
use super::settings::check_name;
use crate::builder::EngineBuilder;
use crate::contract::{Addressed, RefOf};
use crate::engine::Engine;
use crate::errand::run_on;
use crate::key::Key;
use crate::launch::LaunchError;

/// A program's way to the actors of an engine elsewhere; it hosts none itself.
///
/// References are the same as within an engine, and so are calls: awaited by whatever executor the
/// program has, waited for by plain threads, told. Clones are handles to the same; with the last one
/// the connections end.
///
/// A client runs one shard, on a thread of its own, which keeps a connection to each shard of the
/// engine it calls, opened when it is first needed; of a [cluster](crate::Cluster), to each shard of each
/// node, and hears from them who serves what. One that breaks is opened again; calls that were
/// under way are answered [`Disconnected`](crate::CallError::Disconnected), those that had not left
/// [`Unreachable`](crate::CallError::Unreachable).
///
/// ```
/// use quark::prelude::*;
/// use quark::{ActorOptions, Client, Listen};
///
/// #[derive(Default)]
/// pub struct Account {
///     cents: i64,
/// }
///
/// #[actor]
/// impl Account {
///     pub fn deposit(&mut self, cents: i64) -> i64 {
///         self.cents += cents;
///         self.cents
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = Engine::builder()
///     .configure::<Account>(ActorOptions::new())
///     .listen(Listen::at("127.0.0.1:0".parse()?))
///     .launch()?;
///
/// // In another process, usually.
/// let client = Client::connect(engine.addresses()[0])?;
/// assert_eq!(client.actor::<Account>("alice").deposit(5).wait()?, 5);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Client {
    engine: Engine,
}

/// Configures a client; see [`Client::builder`].
#[must_use = "nobody is called until it connects"]
pub struct ClientBuilder {
    engine: EngineBuilder,
}

/// Why a client has not connected.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// Its own shard could not be launched.
    #[error(transparent)]
    Launch(#[from] LaunchError),
    /// The engine can't be reached, or does not let it in.
    #[error(transparent)]
    Peer(#[from] LineError),
    /// Its own shard has ended.
    #[error("the client's own thread has ended; its panic says why")]
    Died,
}

impl Client {
    /// Connects to the engine that [listens](EngineBuilder::listen) at `addr`, at any of its shards.
    ///
    /// # Errors
    /// [`ConnectError`], a line that says what is wrong.
    pub fn connect(addr: SocketAddr) -> Result<Client, ConnectError> {
        Client::builder().connect(addr)
    }

    /// A client to be configured.
    pub fn builder() -> ClientBuilder {
        ClientBuilder {
            engine: Engine::builder(),
        }
    }

    /// A reference to the actor `key` of type `A`. Nothing is sent until it is called.
    #[must_use]
    pub fn actor<A: Addressed + ?Sized>(&self, key: impl Into<Key>) -> RefOf<A> {
        self.engine.actor::<A>(key)
    }

    /// Runs what `begin` gives on the client's own shard, where calls take the shortest way.
    ///
    /// It is dropped there when the client is [shut down](Self::shutdown) before it has ended.
    pub fn spawn<F: Future<Output = ()> + 'static>(
        &self,
        begin: impl FnOnce() -> F + std::marker::Send + 'static,
    ) {
        run_on(&self.engine, 0, move |shard, _| {
            shard.spawn(begin());
        });
    }

    /// The engine that the client is, which has one shard and no actors: for ports, or to run tasks
    /// on its shard.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Ends the connections, once what is under way has been answered.
    pub fn shutdown(self) {
        self.engine.shutdown();
    }
}

impl ClientBuilder {
    /// The name of the cluster; `quark` by default. Engines of another one don't let it in.
    pub fn cluster(mut self, name: impl Into<String>) -> Self {
        self.engine.settings.remote.cluster = name.into();
        self
    }

    /// Speaks TLS 1.3 by these certificates, to servers that can show one for `name`, signed by an
    /// authority that these trust.
    pub fn tls(mut self, tls: Tls, name: impl Into<String>) -> Self {
        self.engine.settings.remote.dials_by = Some((tls, name.into()));
        self
    }

    /// What its thread does when there is nothing to do: [`IdlePolicy::ADAPTIVE`] by default.
    pub fn idle(mut self, policy: IdlePolicy) -> Self {
        self.engine = self.engine.idle(policy);
        self
    }

    /// Which core its thread is pinned to; to none by default.
    pub fn cpu(mut self, topology: Topology) -> Self {
        self.engine = self.engine.topology(topology.shards(1));
        self
    }

    /// How long calls wait unless they say otherwise; 30 seconds by default.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.engine = self.engine.timeout(timeout);
        self
    }

    /// The engine that the client will be.
    pub(crate) fn into_engine(self, addr: SocketAddr) -> EngineBuilder {
        let mut builder = self.engine;
        builder.settings.remote.peer = Some(addr);
        builder
    }

    /// Connects.
    ///
    /// # Errors
    /// [`ConnectError`], a line that says what is wrong.
    pub fn connect(self, addr: SocketAddr) -> Result<Client, ConnectError> {
        check_name(&self.engine.settings.remote.cluster)
            .map_err(|source| LaunchError::Listen { shard: 0, source })?;
        let mut builder = self.into_engine(addr);
        if builder.topology.is_none() {
            let topology = Topology::detect().map_err(LaunchError::from)?;
            builder = builder.topology(topology.shards(1));
        }
        let client = Client {
            engine: builder.launch()?,
        };
        let (says, said) = mpsc::channel();
        run_on(&client.engine, 0, move |shard, runtime| {
            if let Some(remote) = runtime.remote() {
                let meeting = Rc::clone(remote).meet();
                shard.spawn(async move {
                    let _ = says.send(meeting.await);
                });
            }
        });
        said.recv().map_err(|_| ConnectError::Died)??;
        Ok(client)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Client").field(&self.engine).finish()
    }
}
