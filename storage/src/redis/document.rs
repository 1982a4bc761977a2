//! One versioned document: what a cluster's nodes agree on, in whatever form.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use fred::clients::{Client, SubscriberClient};
use fred::error::Error;
use fred::interfaces::{ClientLike, EventInterface, KeysInterface, LuaInterface, PubsubInterface};
use fred::types::config::{ConnectionConfig, PerformanceConfig, ReconnectPolicy};
use thiserror::Error;
use tokio::sync::{oneshot, watch};

use super::config::RedisConfig;
use crate::remote::Control;

/// Replaces the document if its version is the one that is expected. A string: eight bytes of
/// version, and the document. Who subscribes to the channel of the key's name hears of it.
const SCRIPT: &str = "local now = redis.call('GETRANGE', KEYS[1], 0, 7)
if now == '' then now = string.rep('\\0', 8) end
if now ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
redis.call('PUBLISH', KEYS[1], '')
return 1";

/// Bytes of the version.
const VERSION_LEN: usize = 8;

/// The longest wait between two tries to connect.
const LONGEST_REST_MS: u32 = 1000;

/// How long it is waited where a subscription was refused.
const BEFORE_SUBSCRIBING_AGAIN: Duration = Duration::from_millis(100);

/// A document on Redis whose every version is written behind the one before it. Connects as often as
/// it takes; what it is asked meanwhile fails after its patience.
///
/// A write that fails may have happened: the next reading tells. What was acknowledged is as durable
/// as the server makes it, and a failover may go back to an earlier version.
#[derive(Clone)]
pub struct Document(Arc<Shared>);

struct Shared {
    control: Control,
    client: Client,
    key: String,
    place: String,
    patience: Duration,
    config: RedisConfig,
    /// Closed with the last handle: connections end then.
    ends: watch::Sender<()>,
}

/// Why a document could not be read or written.
#[derive(Clone, Debug, Error)]
pub enum DocumentError {
    /// The server can't be reached, or says no.
    #[error("the document at {place}: {why}")]
    Unavailable {
        /// Where.
        place: String,
        /// Why.
        why: String,
    },
    /// What is there is no document.
    #[error("the document at {place} is damaged: {length} bytes can't be one")]
    Damaged {
        /// Where.
        place: String,
        /// How long it is.
        length: usize,
    },
}

impl Document {
    /// The document of this name, for who waits so long for any answer. Begins to connect.
    #[must_use]
    pub fn new(control: &Control, config: RedisConfig, name: &str, patience: Duration) -> Self {
        let (connection, policy) = (how_to_connect(patience), as_often_as_it_takes());
        let mut plain = config.fred.clone();
        plain.fail_fast = false;
        let performance = PerformanceConfig {
            default_command_timeout: patience,
            ..PerformanceConfig::default()
        };
        let client = Client::new(plain, Some(performance), Some(connection), Some(policy));
        let (ends, mut ended) = watch::channel(());
        let connecting = client.clone();
        control.spawn(async move {
            let mut connected = connecting.connect();
            tokio::select! {
                _ = &mut connected => {}
                _ = ended.changed() => connected.abort(),
            }
        });
        Document(Arc::new(Shared {
            key: format!("{{{}}}{name}", config.prefix),
            place: config.place().to_owned(),
            control: control.clone(),
            client,
            patience,
            config,
            ends,
        }))
    }

    /// Its version and what it says; `None` if it was never written.
    pub fn read(
        &self,
    ) -> impl Future<Output = Result<Option<(u64, Bytes)>, DocumentError>> + Send + 'static {
        let this = self.0.clone();
        self.0.run(async move {
            let read: Option<Bytes> = this
                .client
                .get(this.key.as_str())
                .await
                .map_err(|error| this.unavailable(&error))?;
            let Some(read) = read else { return Ok(None) };
            let Some(version) = read.first_chunk::<VERSION_LEN>() else {
                return Err(DocumentError::Damaged {
                    place: this.place.clone(),
                    length: read.len(),
                });
            };
            let version = u64::from_be_bytes(*version);
            Ok(Some((version, read.slice(VERSION_LEN..))))
        })
    }

    /// Writes `version` behind the version `behind`, of which zero is none at all; false if another
    /// is there.
    pub fn write(
        &self,
        behind: u64,
        version: u64,
        document: &[u8],
    ) -> impl Future<Output = Result<bool, DocumentError>> + Send + 'static {
        let mut whole = BytesMut::with_capacity(VERSION_LEN + document.len());
        whole.put_u64(version);
        whole.extend_from_slice(document);
        let this = self.0.clone();
        self.0.run(async move {
            let behind = Bytes::copy_from_slice(&behind.to_be_bytes());
            let args = vec![behind, whole.freeze()];
            let written: Result<u32, Error> =
                this.client.eval(SCRIPT, this.key.as_str(), args).await;
            written
                .map(|written| written == 1)
                .map_err(|error| this.unavailable(&error))
        })
    }

    /// Calls `changed` whenever a version was written, as far as the server manages to say so, and
    /// whenever some may have been missed. Not instead of reading now and then.
    pub fn watch(&self, changed: impl Fn() + Send + Sync + 'static) {
        let mut plain = self.0.config.fred.clone();
        plain.fail_fast = false;
        let (connection, policy) = (how_to_connect(self.0.patience), as_often_as_it_takes());
        let (key, mut ended) = (self.0.key.clone(), self.0.ends.subscribe());
        self.0.control.spawn(async move {
            let client = SubscriberClient::new(plain, None, Some(connection), Some(policy));
            let (mut messages, mut connections) = (client.message_rx(), client.reconnect_rx());
            let _again = client.manage_subscriptions();
            let mut connected = client.connect();
            // Subscribed as soon as there is a connection.
            let subscribing = client.clone();
            let subscribed = async move {
                while subscribing.subscribe(key.as_str()).await.is_err() {
                    tokio::time::sleep(BEFORE_SUBSCRIBING_AGAIN).await;
                }
            };
            let mut subscribed = std::pin::pin!(subscribed);
            let mut is_subscribed = false;
            loop {
                tokio::select! {
                    () = &mut subscribed, if !is_subscribed => {
                        is_subscribed = true;
                        changed();
                    }
                    _ = messages.recv() => changed(),
                    _ = connections.recv() => changed(),
                    _ = &mut connected => return,
                    _ = ended.changed() => return connected.abort(),
                }
            }
        });
    }
}

impl Shared {
    /// Has the control thread do it.
    fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, DocumentError>> + Send + 'static,
    ) -> impl Future<Output = Result<T, DocumentError>> + Send + 'static {
        let (answer, answered) = oneshot::channel();
        self.control.spawn(async move {
            // Who has asked may have gone.
            let _ = answer.send(work.await);
        });
        let place = self.place.clone();
        async move {
            answered.await.unwrap_or_else(|_| {
                Err(DocumentError::Unavailable {
                    place,
                    why: "the control thread has ended".to_owned(),
                })
            })
        }
    }

    fn unavailable(&self, error: &Error) -> DocumentError {
        DocumentError::Unavailable {
            place: self.place.clone(),
            why: error.details().to_owned(),
        }
    }
}

fn how_to_connect(patience: Duration) -> ConnectionConfig {
    ConnectionConfig {
        connection_timeout: patience,
        internal_command_timeout: patience,
        max_command_attempts: 1,
        ..ConnectionConfig::default()
    }
}

fn as_often_as_it_takes() -> ReconnectPolicy {
    ReconnectPolicy::new_exponential(0, 10, LONGEST_REST_MS, 2)
}
