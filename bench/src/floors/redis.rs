//! The floor of saves on Redis: `SET` by the same client in a bare loop of tokio.

use fred::clients::Client;
use fred::error::Error;
use fred::interfaces::ClientLike;
use fred::types::config::{Config, ConnectionConfig, TcpConfig};
use fred::types::{ClusterHash, CustomCommand, InfoKind};

use super::Floor;
use super::bare::{self, Lane};
use crate::pace::Pace;

/// What is measured.
pub const NAME: &str = "fred: SET, 64 tasks";

/// One connection, which sends at once what tasks ask at once; its settings are those of the store.
pub struct Redis(Client);

impl Redis {
    async fn open(url: &str) -> Result<Self, Error> {
        let connection = ConnectionConfig {
            max_command_attempts: 1,
            tcp: TcpConfig {
                nodelay: Some(true),
                ..TcpConfig::default()
            },
            ..ConnectionConfig::default()
        };
        let client = Client::new(Config::from_url(url)?, None, Some(connection), None);
        client.init().await?;
        Ok(Redis(client))
    }
}

impl Lane for Redis {
    type Error = Error;

    async fn write(&self, task: usize, text: &str) -> Result<(), Error> {
        let key = format!("quark-bench:floor:{task}");
        // As its own `set` does, which is behind a feature that all of fred would be built for.
        let set = CustomCommand::new_static("SET", ClusterHash::FirstKey, false);
        self.0.custom(set, vec![key, text.to_owned()]).await
    }
}

/// Keys set in a second by as many tasks as there are savers, each the next when the last is
/// answered.
///
/// # Errors
///
/// [`FloorError::Server`](super::FloorError::Server).
pub fn saves_per_s(url: &str, pace: &Pace) -> Result<Floor, super::FloorError> {
    bare::saves_per_s(NAME, "Redis", pace, async || {
        Ok(vec![Redis::open(url).await?])
    })
}

/// Which version it is, and what it does for what it has acknowledged.
///
/// # Errors
///
/// [`FloorError::Server`](super::FloorError::Server).
pub fn about(url: &str) -> Result<String, super::FloorError> {
    bare::ask("Redis", async || {
        let Redis(client) = Redis::open(url).await?;
        let info: String = client.info(Some(InfoKind::Server)).await?;
        let version = info
            .lines()
            .find_map(|line| line.strip_prefix("redis_version:"));
        let mut about = format!("Redis {}", version.unwrap_or("?").trim());
        for name in ["appendonly", "appendfsync"] {
            let get = CustomCommand::new_static("CONFIG", ClusterHash::FirstKey, false);
            let found: Result<(String, String), Error> =
                client.custom(get, vec!["GET", name]).await;
            // Not every server tells.
            let (_, value) = found.unwrap_or_else(|_| (String::new(), "unknown".to_owned()));
            about += &format!(", {name} {value}");
        }
        Ok::<_, Error>(about)
    })
}
