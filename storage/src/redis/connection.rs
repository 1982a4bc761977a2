//! A connection of fred's, made anew by us when it breaks.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use fred::clients::Client;
use fred::error::{Error, ErrorKind};
use fred::interfaces::{ClientLike, LuaInterface};
use fred::types::config::{ConnectionConfig, TcpConfig};
use fred::types::{ClusterHash, CustomCommand, InfoKind, Value};
use fred::util::sha1_hash;
use futures_util::future::join_all;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::answer;
use super::batch::{Batch, bucket_of};
use super::config::RedisConfig;
use crate::provider::StoreError;
use crate::remote::{Answer, Connection, Failure, Request};

const SCRIPT: &str = include_str!("ops.lua");

/// A client that does not connect again: who answers for which attempt would be uncertain.
pub(super) struct RedisConnection {
    client: Client,
    router: AbortHandle,
    /// Closed when the client's task has ended: what it is asked then, it answers never.
    ended: watch::Receiver<()>,
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
        let (ends, ended) = watch::channel(());
        let abort = router.abort_handle();
        tokio::spawn(async move {
            let _ends = ends;
            if let Ok(Err(error)) = router.await {
                tracing::debug!(%error, "a connection has ended");
            }
        });
        let mut this = RedisConnection {
            client,
            router: abort,
            ended,
            hash: sha1_hash(SCRIPT),
            prefix: config.prefix.clone(),
            place,
            is_cluster: config.is_cluster(),
            notes: Vec::new(),
        };
        this.notes = this.durability().await;
        Ok(this)
    }

    /// What the server lacks to keep what it has acknowledged, as far as it tells: one that lets us
    /// see no settings says no more than whether it has an append-only file.
    async fn durability(&self) -> Vec<String> {
        let info = self.client.info(Some(InfoKind::Persistence));
        let info: Result<String, Error> = self.unless_ended(info).await;
        let says = |word: &str| {
            let mut lines = info.iter().flat_map(|info| info.lines());
            lines.any(|line| line.trim() == word)
        };
        if says("aof_enabled:0") {
            return vec![
                "appendonly is off: a crash of the server loses what it was told last".to_owned(),
            ];
        }
        let config = CustomCommand::new_static("CONFIG", ClusterHash::Random, false);
        let asked = self.client.custom(config, vec!["GET", "appendfsync"]);
        let asked: Result<BTreeMap<String, String>, Error> = self.unless_ended(asked).await;
        let found = asked.unwrap_or_default();
        let lax = found.get("appendfsync").filter(|set| *set != "always");
        let note =
            |set| format!("appendfsync is {set}: a loss of power loses what it was told last");
        lax.map(note).into_iter().collect()
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

    /// What the client answers, as long as there is somebody to answer.
    async fn unless_ended<T>(
        &self,
        answer: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let mut ended = self.ended.clone();
        tokio::select! {
            biased;
            answer = answer => answer,
            _ = ended.changed() => Err(Error::new(ErrorKind::IO, "the connection was lost")),
        }
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
        let call = self.client.evalsha(hash, keys, args);
        let mut called: Result<Value, Error> = self.unless_ended(call).await;
        if matches!(&called, Err(error) if error.details().starts_with("NOSCRIPT")) {
            // The server remembers it from now on.
            let mut again = Batch::default();
            for at in &requests {
                again.add(&self.prefix, *at, &all[*at]);
            }
            let call = self.client.eval(SCRIPT, again.keys, again.args);
            called = self.unless_ended(call).await;
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
