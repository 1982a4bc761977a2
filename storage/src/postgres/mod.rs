//! The store on PostgreSQL, 13 or later.
//!
//! Each operation is one call of a function in the database, which checks the slot's epoch and the
//! record's E-tag and writes, in one transaction; a batch of operations is one transaction, so that
//! many share the wait for the disk. Several connections are used at once. Tables and functions
//! are in a schema of their own, which the store makes and brings up to date when it connects; one
//! that is newer than the store knows is refused.
//!
//! A save that has returned is on the server's disk, unless the server is set not to wait for it
//! (`fsync = off`), which [`Provider::report`](crate::provider::Provider::report) tells.
//!
//! What has been removed leaves its row without a value for an hour, so that a removal that is
//! asked again is known to have happened.

mod config;
mod connection;
mod failure;
mod schema;
mod statements;

use std::time::Duration;

pub use self::config::PostgresConfig;
use self::connection::PostgresConnection;
use crate::remote::{Backend, Control, Failure, Limits, Options, PARTS, Remote};

/// The way to a PostgreSQL. Does not connect yet: [`Remote::check`] does.
#[must_use]
pub fn postgres(control: &Control, config: PostgresConfig, options: Options) -> Remote {
    Remote::new(control, Postgres { config }, options)
}

struct Postgres {
    config: PostgresConfig,
}

impl Backend for Postgres {
    type Connection = PostgresConnection;

    fn kind(&self) -> &'static str {
        "postgres"
    }

    fn place(&self) -> String {
        self.config.place().to_owned()
    }

    fn limits(&self) -> Limits {
        Limits {
            requests: 64,
            bytes: 1 << 20,
            batches: self.config.connections,
        }
    }

    fn parts_at_once(&self) -> usize {
        PARTS.into()
    }

    async fn connect(&self, patience: Duration) -> Result<PostgresConnection, Failure> {
        PostgresConnection::open(&self.config, patience).await
    }
}
