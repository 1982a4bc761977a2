//! The store on Redis: one server, Sentinel or Cluster.
//!
//! Records are divided into 64 buckets by their slots. All keys of a bucket have one hash tag, so
//! that in a cluster they are on one node, and a script sees them in one step: each operation is
//! one, which checks the slot's epoch and the record's E-tag and writes. On a single server, one
//! script does a whole batch.
//!
//! | key | type | what |
//! |---|---|---|
//! | `{prefix:b}n` | number | how many blocks of E-tags the bucket has given out |
//! | `{prefix:b}f<slot>` | string | the slot's highest epoch, in eight bytes |
//! | `{prefix:b}s<id>` | string | a state: 8 bytes of E-tag, 16 of who wrote it last, and the value |
//! | `{prefix:b}j<id>` | hash | a journal: `n` its length, `t` who wrote last, each event by its number |
//! | `{prefix:b}r<id>` | hash | a reminder: `e` its E-tag, `t`, `d` when due, `p` its period, `c` catch-up |
//! | `{prefix:b}d` | sorted set | the bucket's reminders by when they are due |
//!
//! Ids are [`id_of`](crate::remote::id_of) the records. What has been removed leaves who did it for
//! an hour (of a state, with zeros for an E-tag), so that a removal that is asked again is known to
//! have happened.
//!
//! To call a command costs the script more than what the command does. So the epochs and the states
//! that a batch is about are read by one `MGET`, and the states written by one `MSET`; only states
//! of which the E-tag doesn't say that they are small are looked at one by one, so that no more is
//! read than where they begin. E-tags are made by the client (`tags`), which reserves millions
//! at a time: counters that each save raised would be a write more for each.
//!
//! A save that has returned is as durable as the server makes it: with `appendonly yes` and
//! `appendfsync always`, on its disk. Replicas follow later, so a failover may lose what was saved
//! last. [`Provider::report`](crate::provider::Provider::report) tells what the server is set to.

mod answer;
mod batch;
mod config;
mod connection;
mod document;
mod tags;

use std::time::Duration;

pub use self::config::RedisConfig;
use self::connection::RedisConnection;
pub use self::document::{Document, DocumentError};
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
