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
use tokio::sync::{Mutex, watch};
use tokio::task::AbortHandle;

use super::answer;
use super::batch::{BUCKETS, Batch, bucket_of, counter};
use super::config::RedisConfig;
use super::tags::{Numbers, needs_tag};
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
    numbers: Mutex<Numbers>,
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
            numbers: Mutex::default(),
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

    /// The places of requests that may be in one script.
    fn divide(&self, requests: &[Arc<Request>]) -> Vec<Vec<usize>> {
        if !self.is_cluster {
            return vec![(0..requests.len()).collect()];
        }
        let mut buckets: BTreeMap<u16, Vec<usize>> = BTreeMap::new();
        for (at, request) in requests.iter().enumerate() {
            buckets.entry(bucket_of(&request.op)).or_default().push(at);
        }
        buckets.into_values().collect()
    }

    /// The first of as many numbers as there are requests, if one of them needs any.
    async fn numbers(&self, requests: &[Arc<Request>]) -> Result<u64, Failure> {
        if !requests.iter().any(|request| needs_tag(&request.op)) {
            return Ok(0);
        }
        let mut numbers = self.numbers.lock().await;
        let count = requests.len() as u64;
        if let Some(first) = numbers.take(count) {
            return Ok(first);
        }
        *numbers = Box::pin(self.block()).await?;
        numbers.take(count).ok_or_else(|| self.used_up())
    }

    /// Numbers that nobody else has, from a bucket whose node answers.
    async fn block(&self) -> Result<Numbers, Failure> {
        let buckets = if self.is_cluster { BUCKETS } else { 1 };
        let mut failed = None;
        for bucket in 0..buckets {
            let count = CustomCommand::new_static("INCR", ClusterHash::FirstKey, false);
            let key = counter(&self.prefix, bucket);
            let count = self.client.custom(count, vec![key]);
            let count: Result<u64, Error> = self.unless_ended(count).await;
            match count {
                Ok(count) => {
                    return Numbers::of_block(bucket, count).ok_or_else(|| self.used_up());
                }
                Err(error) => failed = Some(failure(&error, &self.place)),
            }
        }
        Err(failed.unwrap_or_else(|| self.used_up()))
    }

    fn used_up(&self) -> Failure {
        Failure::Said(StoreError::Damaged {
            what: format!("a counter at {}", self.place),
            why: "it has no more E-tags to give".to_owned(),
        })
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

    /// Does the requests at `places`, whose E-tags have the numbers from `number` on.
    async fn call(
        &self,
        places: Vec<usize>,
        number: u64,
        all: &[Arc<Request>],
    ) -> Vec<(usize, Result<Answer, Failure>)> {
        let pack = || Batch::pack(&self.prefix, all, &places, number);
        let batch = pack();
        let asked = batch.requests;
        let call = self
            .client
            .evalsha(self.hash.as_str(), batch.keys, batch.args);
        let mut called: Result<Value, Error> = self.unless_ended(call).await;
        if matches!(&called, Err(error) if error.details().starts_with("NOSCRIPT")) {
            // The server remembers it from now on. Rare, so that its room is not always taken up.
            let again = pack();
            let call = Box::pin(self.client.eval(SCRIPT, again.keys, again.args));
            called = self.unless_ended(call).await;
        }
        let answers = called.and_then(|value| {
            let answers = answer::read(value, &asked, all, &self.place);
            let why = "not as many answers as requests";
            answers.ok_or_else(|| Error::new(ErrorKind::Protocol, why))
        });
        answers.unwrap_or_else(|error| {
            let failure = failure(&error, &self.place);
            let failed = |at: usize| (at, Err(failure.clone()));
            places.into_iter().map(failed).collect()
        })
    }
}

impl Connection for RedisConnection {
    async fn run(&self, requests: &[Arc<Request>]) -> Vec<Result<Answer, Failure>> {
        let first = match self.numbers(requests).await {
            Ok(first) => first,
            Err(failure) => return requests.iter().map(|_| Err(failure.clone())).collect(),
        };
        let mut number = first;
        let calls = self.divide(requests).into_iter().map(|places| {
            let first = number;
            number += places.len() as u64;
            self.call(places, first, requests)
        });
        let unanswered = || Err(Failure::Broken("no answer".to_owned()));
        let mut results: Vec<_> = requests.iter().map(|_| unanswered()).collect();
        for (at, answer) in join_all(calls).await.into_iter().flatten() {
            results[at] = answer;
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
