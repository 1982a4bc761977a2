//! The floor of saves on PostgreSQL: an upsert by the same client in a bare loop of tokio.

use tokio_postgres::{Client, Error, NoTls, Statement};

use super::Floor;
use super::bare::{self, Lane};
use crate::pace::Pace;
use crate::workloads::saves::SAVERS;

/// What is measured.
pub const NAME: &str = "tokio-postgres: upsert, 64 tasks";

/// A table of its own, so that nobody else's is touched.
const TABLE: &str = "CREATE TABLE IF NOT EXISTS quark_bench_floor \
    (id bigint PRIMARY KEY, value text NOT NULL) WITH (fillfactor = 80)";
const UPSERT: &str = "INSERT INTO quark_bench_floor VALUES ($1, $2) \
    ON CONFLICT (id) DO UPDATE SET value = excluded.value";

/// A connection with the statement prepared.
pub struct Postgres {
    client: Client,
    upsert: Statement,
}

impl Postgres {
    async fn open(url: &str) -> Result<Self, Error> {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
        tokio::spawn(connection);
        client.batch_execute(TABLE).await?;
        let upsert = client.prepare(UPSERT).await?;
        Ok(Postgres { client, upsert })
    }
}

impl Lane for Postgres {
    type Error = Error;

    async fn write(&self, task: usize, text: &str) -> Result<(), Error> {
        let task = i64::try_from(task).unwrap_or(i64::MAX);
        let rows = self.client.execute(&self.upsert, &[&task, &text]).await;
        rows.map(drop)
    }
}

/// Rows written in a second by as many tasks as there are savers, each by a connection of its own,
/// the next when the last is committed.
///
/// # Errors
///
/// [`FloorError::Server`](super::FloorError::Server).
pub fn saves_per_s(url: &str, pace: &Pace) -> Result<Floor, super::FloorError> {
    bare::saves_per_s(NAME, "PostgreSQL", pace, async || {
        let mut lanes = Vec::with_capacity(SAVERS);
        for _ in 0..SAVERS {
            lanes.push(Postgres::open(url).await?);
        }
        Ok(lanes)
    })
}

/// Which version it is, and what it does for what it has acknowledged.
///
/// # Errors
///
/// [`FloorError::Server`](super::FloorError::Server).
pub fn about(url: &str) -> Result<String, super::FloorError> {
    bare::ask("PostgreSQL", async || {
        let client = Postgres::open(url).await?.client;
        let mut about = "PostgreSQL".to_owned();
        for (show, name) in [
            ("SHOW server_version", ""),
            ("SHOW fsync", ", fsync"),
            ("SHOW synchronous_commit", ", synchronous_commit"),
        ] {
            let row = client.query_one(show, &[]).await?;
            about += &format!("{name} {}", row.try_get::<_, &str>(0)?);
        }
        Ok::<_, Error>(about)
    })
}
