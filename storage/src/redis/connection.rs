//! A connection of fred's, made anew by us when it breaks.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use fred::clients::Client;
use fred::error::{Error, ErrorKind};
use fred::interfaces::{ClientLike, LuaInterface};
use fred::types::config::{ConnectionConfig, TcpConfig};
use fred::types::{ConnectHandle, InfoKind, Value};
use fred::util::sha1_hash;
use futures_util::future::join_all;

use super::answer;
use super::batch::{Batch, bucket_of};
use super::config::RedisConfig;
use crate::provider::StoreError;
use crate::remote::{Answer, Connection, Failure, Request};

const SCRIPT: &str = include_str!("ops.lua");

/// A client that does not connect again: who answers for which attempt would be uncertain.
pub(super) struct RedisConnection {
    client: Client,
    router: ConnectHandle,
    hash: String,
    prefix: String,
    place: String,
    is_cluster: bool,
    notes: Vec<String>,
}

impl RedisConnection {
    pub(super) async fn open(config: &RedisConfig, patience: Duration) -> Result<Self, Failure> {
        let place = config.place().to_owned();
        let connection = ConnectionConfig {
            connection_timeout: patience,
            internal_command_timeout: patience,
            max_command_attempts: 1,
            tcp: TcpConfig {
                nodelay: Some(true),
                ..TcpConfig::default()
            },
            ..ConnectionConfig::default()
        };
        let client = Client::new(config.fred.clone(), None, Some(connection), None);
        let router = client
            .init()
            .await
            .map_err(|error| failure(&error, &place))?;
        let mut this = RedisConnection {
            client,
            router,
            hash: sha1_hash(SCRIPT),
            prefix: config.prefix.clone(),
            place,
            is_cluster: config.is_cluster(),
            notes: Vec::new(),
        };
        this.notes = this.durability().await;
        Ok(this)
    }

    /// What the server does for what it has acknowledged, as far as it tells.
    async fn durability(&self) -> Vec<String> {
        let info: Result<String, Error> = self.client.info(Some(InfoKind::Persistence)).await;
        let Ok(info) = info else {
            return Vec::new();
        };
        let is_off = info.lines().any(|line| line.trim() == "aof_enabled:0");
        let note = "appendonly is off: a crash of the server loses what it was told last";
        is_off.then(|| note.to_owned()).into_iter().collect()
    }

    /// Requests that may be in one script.
    fn divide(&self, requests: &[Arc<Request>]) -> Vec<Batch> {
        let mut batches: BTreeMap<u16, Batch> = BTreeMap::new();
        for (at, request) in requests.iter().enumerate() {
            let bucket = match self.is_cluster {
                true => bucket_of(&request.op),
                false => 0,
            };
            let batch = batches.entry(bucket).or_default();
            batch.add(&self.prefix, at, request);
        }
        batches.into_values().collect()
    }

    async fn call(
        &self,
        batch: Batch,
        all: &[Arc<Request>],
    ) -> (Vec<usize>, Result<Vec<Value>, Error>) {
        let Batch {
            keys,
            args,
            requests,
        } = batch;
        let hash = self.hash.as_str();
        let mut called: Result<Value, Error> = self.client.evalsha(hash, keys, args).await;
        if matches!(&called, Err(error) if error.details().starts_with("NOSCRIPT")) {
            // The server remembers it from now on.
            let mut again = Batch::default();
            for at in &requests {
                again.add(&self.prefix, *at, &all[*at]);
            }
            called = self.client.eval(SCRIPT, again.keys, again.args).await;
        }
        let answers = called.and_then(|value| match value {
            Value::Array(answers) if answers.len() == requests.len() => Ok(answers),
            _ => Err(Error::new(
                ErrorKind::Protocol,
                "not as many answers as requests",
            )),
        });
        (requests, answers)
    }
}

impl Connection for RedisConnection {
    async fn run(&self, requests: &[Arc<Request>]) -> Vec<Result<Answer, Failure>> {
        let calls = self.divide(requests).into_iter();
        let calls = calls.map(|batch| self.call(batch, requests));
        let unanswered = || Err(Failure::Broken("no answer".to_owned()));
        let mut results: Vec<_> = requests.iter().map(|_| unanswered()).collect();
        for (places, answers) in join_all(calls).await {
            match answers {
                Ok(answers) => {
                    for (at, value) in places.into_iter().zip(answers) {
                        results[at] = answer::read(&requests[at].op, value, &self.place);
                    }
                }
                Err(error) => {
                    let failure = failure(&error, &self.place);
                    for at in places {
                        results[at] = Err(failure.clone());
                    }
                }
            }
        }
        results
    }

    fn notes(&self) -> Vec<String> {
        self.notes.clone()
    }
}

impl Drop for RedisConnection {
    fn drop(&mut self) {
        self.router.abort();
    }
}

fn failure(error: &Error, place: &str) -> Failure {
    let why = error.details().to_owned();
    match error.kind() {
        ErrorKind::Auth | ErrorKind::Config | ErrorKind::Url | ErrorKind::InvalidCommand => {
            Failure::Said(StoreError::Refused {
                place: place.to_owned(),
                why,
            })
        }
        ErrorKind::InvalidArgument | ErrorKind::Unknown => answer::refusal(&why, place),
        _ => Failure::Broken(why),
    }
}
