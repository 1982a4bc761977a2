use std::sync::Arc;
use std::time::Duration;

use quark_net::cluster::{StoreAnswer, Table, TableStore, TableStoreError};
use quark_storage::redis::{Document, RedisConfig};
use quark_storage::remote::Control;

/// How long an answer of the server is waited for.
const PATIENCE: Duration = Duration::from_secs(1);

/// A cluster's table on Redis (cargo feature `redis`), for nodes on any machines: one server, Sentinel
/// or Cluster. While it can't be reached, the cluster goes on as it is, and can't change.
///
/// A failover may take the server back to an earlier version of the table. Nodes don't go back: they
/// keep the newest version that they have seen.
#[derive(Clone)]
pub struct RedisTable(Document);

impl RedisTable {
    /// The table called `cluster` on the server at `url`, which is as for
    /// [`Store::redis`](crate::Store::redis). Begins to connect, and goes on trying.
    ///
    /// # Errors
    /// [`TableStoreError`] where the URL can't be read.
    pub fn new(url: &str, cluster: &str) -> Result<Self, TableStoreError> {
        let control = Control::shared().map_err(|error| TableStoreError(error.to_string()))?;
        let config =
            RedisConfig::from_url(url).map_err(|error| TableStoreError(error.to_string()))?;
        let name = format!(":cluster:{cluster}");
        Ok(RedisTable(Document::new(&control, config, &name, PATIENCE)))
    }
}

impl TableStore for RedisTable {
    fn read(&self) -> StoreAnswer<Option<Arc<Table>>> {
        let read = self.0.read();
        Box::pin(async move {
            let document = read
                .await
                .map_err(|error| TableStoreError(error.to_string()))?;
            let Some((version, bytes)) = document else {
                return Ok(None);
            };
            let table =
                Table::decode(&bytes).map_err(|error| TableStoreError(error.to_string()))?;
            if table.version() != version {
                let why = format!("version {version} says that it is {}", table.version());
                return Err(TableStoreError(why));
            }
            Ok(Some(Arc::new(table)))
        })
    }

    fn write(&self, behind: u64, table: Arc<Table>) -> StoreAnswer<bool> {
        let written = self.0.write(behind, table.version(), &table.encode());
        Box::pin(async move {
            written
                .await
                .map_err(|error| TableStoreError(error.to_string()))
        })
    }

    fn watch(&self, changed: Box<dyn Fn() + Send + Sync>) {
        self.0.watch(changed);
    }
}
