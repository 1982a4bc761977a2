//! Makes our schema, and brings it up to date.

use tokio_postgres::{Client, Error};

use super::failure::failure;
use crate::provider::StoreError;
use crate::remote::Failure;

/// From one version to the next; what has been released is never changed.
const MIGRATIONS: [&str; 1] = [include_str!("migrations/1.sql")];

/// Makes this session's names those of `schema`, after it has been made or brought up to date.
pub(super) async fn prepare(client: &Client, schema: &str, place: &str) -> Result<(), Failure> {
    let said = |error: Error| failure(&error, place);
    // The server's defaults may be others.
    let session = format!(
        "SET search_path TO \"{schema}\"; SET standard_conforming_strings TO on; \
         SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED READ WRITE; \
         SELECT set_config('synchronous_commit', 'on', false) \
             WHERE current_setting('synchronous_commit') = 'off'"
    );
    client.batch_execute(&session).await.map_err(said)?;
    if version(client, schema).await.map_err(said)? == Some(MIGRATIONS.len()) {
        return Ok(());
    }
    // One process at a time. Before the transaction, which would not see what another has made
    // since it began; after an error the lock goes with the session.
    let lock = "SELECT pg_advisory_lock(hashtextextended('quark ' || $1, 0))";
    client.execute(lock, &[&schema]).await.map_err(said)?;
    client.batch_execute("BEGIN").await.map_err(said)?;
    let found = version(client, schema).await.map_err(said)?;
    let current = found.unwrap_or(0);
    if current > MIGRATIONS.len() {
        return Err(Failure::Said(StoreError::Refused {
            place: place.to_owned(),
            why: format!(
                "its schema {schema} has version {current}, and {} is the newest known here; \
                 update this program",
                MIGRATIONS.len()
            ),
        }));
    }
    if found.is_none() {
        let is_there = "SELECT 1 FROM pg_namespace WHERE nspname = $1";
        if client
            .query_opt(is_there, &[&schema])
            .await
            .map_err(said)?
            .is_none()
        {
            let make = format!("CREATE SCHEMA \"{schema}\"");
            client.batch_execute(&make).await.map_err(said)?;
        }
        let make = "CREATE TABLE migration (version integer PRIMARY KEY, \
            applied timestamptz NOT NULL DEFAULT now())";
        client.batch_execute(make).await.map_err(said)?;
    }
    for (at, migration) in MIGRATIONS.iter().enumerate().skip(current) {
        client.batch_execute(migration).await.map_err(said)?;
        let note = format!("INSERT INTO migration (version) VALUES ({})", at + 1);
        client.batch_execute(&note).await.map_err(said)?;
    }
    client.batch_execute("COMMIT").await.map_err(said)?;
    let unlock = "SELECT pg_advisory_unlock(hashtextextended('quark ' || $1, 0))";
    client.execute(unlock, &[&schema]).await.map_err(said)?;
    Ok(())
}

/// Which migration was the last; `None` if there never was one.
async fn version(client: &Client, schema: &str) -> Result<Option<usize>, Error> {
    let table = format!("{schema}.migration");
    let is_there = "SELECT to_regclass($1) IS NOT NULL";
    let is_there: bool = client.query_one(is_there, &[&table]).await?.try_get(0)?;
    if !is_there {
        return Ok(None);
    }
    let newest = "SELECT coalesce(max(version), 0) FROM migration";
    let newest: i32 = client.query_one(newest, &[]).await?.try_get(0)?;
    Ok(Some(usize::try_from(newest).unwrap_or(0)))
}
