//! The store on Redis: one server, Sentinel or Cluster.
//!
//! Records are divided into 64 buckets by their slots. All keys of a bucket have one hash tag, so
//! that in a cluster they are on one node, and a script sees them in one step: each operation is
//! one, which checks the slot's epoch and the record's E-tag and writes. On a single server, one
//! script does a whole batch.
//!
//! | key | type | what |
//! |---|---|---|
//! | `{prefix:b}m` | hash | `n`: the bucket's last E-tag; `f<slot>`: the slot's highest epoch |
//! | `{prefix:b}s<id>` | hash | a state: `e` its E-tag, `t` who wrote it last, `v` its value |
//! | `{prefix:b}j<id>` | hash | a journal: `n` its length, `t`, and each event by its number |
//! | `{prefix:b}r<id>` | hash | a reminder: `e`, `t`, `d` when due, `p` its period, `c` catch-up |
//! | `{prefix:b}d` | sorted set | the bucket's reminders by when they are due |
//!
//! Ids are [`id_of`](crate::remote::id_of) the records. What has been removed leaves its `t` for
//! an hour, so that a removal that is asked again is known to have happened.
//!
//! A save that has returned is as durable as the server makes it: with `appendonly yes` and
//! `appendfsync always`, on its disk. Replicas follow later, so a failover may lose what was saved
//! last. [`Provider::report`](crate::provider::Provider::report) tells what the server is set to.

mod answer;
mod batch;
mod config;
mod connection;
mod tags;

use std::time::Duration;

pub use self::config::RedisConfig;
use self::connection::RedisConnection;
use crate::remote::{Backend, Control, Failure, Limits, Options, Remote};

/// The way to a Redis. Does not connect yet: [`Remote::check`] does.
#[must_use]
pub fn redis(control: &Control, config: RedisConfig, options: Options) -> Remote {
    Remote::new(control, Redis { config }, options)
}

struct Redis {
    config: RedisConfig,
}

impl Backend for Redis {
    type Connection = RedisConnection;

    fn kind(&self) -> &'static str {
        "redis"
    }

    fn place(&self) -> String {
        self.config.place().to_owned()
    }

    fn limits(&self) -> Limits {
        Limits {
            // What one script does; nobody else is served meanwhile.
            requests: 64,
            bytes: 256 << 10,
            batches: 4,
        }
    }

    /// One, as in a cluster each may be on another node.
    fn parts_at_once(&self) -> usize {
        1
    }

    async fn connect(&self, patience: Duration) -> Result<RedisConnection, Failure> {
        RedisConnection::open(&self.config, patience).await
    }
}
