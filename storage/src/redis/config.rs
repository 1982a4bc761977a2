//! Which Redis, and how.

use std::path::PathBuf;

use fred::types::config::{
    ClusterDiscoveryPolicy, Config, Server, ServerConfig, TlsConfig, TlsConnector, TlsHostMapping,
};

use crate::remote::UrlError;
use crate::remote::tls;
use crate::remote::url::{Parts, decoded, parameter};

const KNOWN: &str = "redis, rediss, redis-sentinel, rediss-sentinel, redis-cluster, \
    rediss-cluster, redis+unix";
const EXAMPLE: &str = "redis://:password@host:6379/0";

/// Where a Redis is, and what our keys in it begin with.
#[derive(Clone)]
pub struct RedisConfig {
    pub(super) fred: Config,
    pub(super) prefix: String,
    place: String,
}

impl RedisConfig {
    /// Reads a URL:
    ///
    /// - `redis://[[user]:password@]host[:port][/database]`; with TLS, `rediss://`;
    /// - `redis-cluster://host[:port][?node=host:port…]`; with TLS, `rediss-cluster://`;
    /// - `redis-sentinel://host[:port][/database]?service=name[&node=host:port…]`, the user and the
    ///   password being the servers', the sentinels' `sentinel_user` and `sentinel_password`; with
    ///   TLS, `rediss-sentinel://`;
    /// - `redis+unix:///path[?database=0&user=…&password=…]`.
    ///
    /// All take `prefix=…`, what our keys begin with (`quark`), and those with TLS `ca=/path`, a
    /// file of certificates (PEM) that the server's must be signed by one of, in place of those
    /// that the system trusts. What is special in a URL is written with `%`.
    ///
    /// # Errors
    /// [`UrlError`], where something is missing, unknown or wrong.
    pub fn from_url(url: &str) -> Result<Self, UrlError> {
        let mut parts = Parts::parse(url, EXAMPLE)?;
        let scheme = parts.url.scheme().to_owned();
        let (is_tls, kind) = match scheme.as_str() {
            "redis" => (false, Kind::Single),
            "rediss" => (true, Kind::Single),
            "redis-sentinel" => (false, Kind::Sentinel),
            "rediss-sentinel" => (true, Kind::Sentinel),
            "redis-cluster" => (false, Kind::Cluster),
            "rediss-cluster" => (true, Kind::Cluster),
            "redis+unix" => (false, Kind::Unix),
            _ => {
                let known = KNOWN;
                return Err(UrlError::Scheme { scheme, known });
            }
        };
        let prefix = parts.take("prefix").unwrap_or_else(|| "quark".to_owned());
        check_prefix(&prefix)?;
        let some = |text: &str| (!text.is_empty()).then(|| decoded(text));
        let mut username = some(parts.url.username());
        let mut password = parts.url.password().map(decoded);
        let mut database = None;
        let place;
        let server = match kind {
            Kind::Unix => {
                let path = PathBuf::from(decoded(parts.url.path()));
                username = parts.take("user").or(username);
                password = parts.take("password").or(password);
                database = parts.take("database");
                place = format!("{scheme}://{}", path.display());
                ServerConfig::Unix { path }
            }
            _ => {
                let first = first(&parts)?;
                place = format!("{scheme}://{}:{}", first.host, first.port);
                let path = parts.url.path().trim_start_matches('/');
                if !path.is_empty() {
                    database = Some(path.to_owned());
                }
                match kind {
                    Kind::Sentinel => ServerConfig::Sentinel {
                        hosts: nodes(first, &mut parts)?,
                        service_name: parts
                            .take("service")
                            .ok_or_else(|| parameter("service", "is missing"))?,
                        username: parts.take("sentinel_user"),
                        password: parts.take("sentinel_password"),
                    },
                    Kind::Cluster => ServerConfig::Clustered {
                        hosts: nodes(first, &mut parts)?,
                        policy: ClusterDiscoveryPolicy::UseCache,
                    },
                    Kind::Single | Kind::Unix => ServerConfig::Centralized { server: first },
                }
            }
        };
        let database = database.map(|text| number(&text)).transpose()?;
        if kind == Kind::Cluster && database.is_some_and(|database| database != 0) {
            return Err(parameter("database", "a cluster has none but 0"));
        }
        let tls = match is_tls {
            true => Some(tls_config(&mut parts)?),
            false => None,
        };
        parts.finish()?;
        let fred = Config {
            username,
            password,
            server,
            database,
            tls,
            ..Config::default()
        };
        Ok(RedisConfig {
            fred,
            prefix,
            place,
        })
    }

    /// Where it is, without secrets.
    #[must_use]
    pub fn place(&self) -> &str {
        &self.place
    }

    pub(super) fn is_cluster(&self) -> bool {
        matches!(self.fred.server, ServerConfig::Clustered { .. })
    }
}

impl std::fmt::Debug for RedisConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RedisConfig({}, prefix {})", self.place, self.prefix)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Single,
    Sentinel,
    Cluster,
    Unix,
}

/// Braces would be taken for hash tags.
fn check_prefix(prefix: &str) -> Result<(), UrlError> {
    let is_fine = |c: char| c.is_ascii_alphanumeric() || "_-.:".contains(c);
    if (1..=64).contains(&prefix.len()) && prefix.chars().all(is_fine) {
        return Ok(());
    }
    let why = "has to be 1 to 64 of the letters a to z, digits, and _ - . :";
    Err(parameter("prefix", why))
}

fn first(parts: &Parts) -> Result<Server, UrlError> {
    let host = parts.url.host_str().filter(|host| !host.is_empty());
    let host = host.ok_or(UrlError::Malformed {
        why: "it names no host".to_owned(),
        example: EXAMPLE,
    })?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    Ok(Server::new(host, parts.url.port().unwrap_or(6379)))
}

fn nodes(first: Server, parts: &mut Parts) -> Result<Vec<Server>, UrlError> {
    let mut nodes = vec![first];
    for node in parts.take_all("node") {
        let wrong = || parameter("node", "has to be host:port");
        let (host, port) = node.rsplit_once(':').ok_or_else(wrong)?;
        let port: u16 = port.parse().map_err(|_| wrong())?;
        nodes.push(Server::new(host, port));
    }
    Ok(nodes)
}

fn number(text: &str) -> Result<u8, UrlError> {
    let wrong = |_| parameter("database", "has to be a number from 0 to 255");
    text.parse().map_err(wrong)
}

fn tls_config(parts: &mut Parts) -> Result<TlsConfig, UrlError> {
    let roots = parts.take_roots("ca");
    let client = tls::client(roots.as_deref());
    let client = client.map_err(|error| parameter("ca", error.to_string()))?;
    Ok(TlsConfig {
        connector: TlsConnector::from(client),
        // Nodes tell each other's addresses, not the names that their certificates have.
        hostnames: TlsHostMapping::DefaultHost,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read() {
        let config = RedisConfig::from_url("redis://:p%40ss@example.com/3").expect("is one");
        assert_eq!(config.place(), "redis://example.com:6379");
        assert_eq!(config.fred.password.as_deref(), Some("p@ss"));
        assert_eq!(
            (config.fred.username.as_deref(), config.fred.database),
            (None, Some(3))
        );
        assert!(!format!("{config:?}").contains("p@ss"));
        let config = RedisConfig::from_url("redis+unix:///run/redis.sock?password=x&prefix=a");
        let config = config.expect("is one");
        assert_eq!(config.place(), "redis+unix:///run/redis.sock");
        assert_eq!(config.prefix, "a");
        let config = RedisConfig::from_url("redis-cluster://[::1]:7000?node=b:7001");
        assert!(config.expect("is one").is_cluster());
        let config = RedisConfig::from_url("redis-sentinel://a:26379/1?service=main");
        assert_eq!(config.expect("is one").fred.database, Some(1));
    }

    #[test]
    fn what_is_wrong_is_told_without_secrets() {
        for (url, what) in [
            ("secret", "can't be read"),
            ("http://:secret@host", "http:// is none of"),
            ("redis://:secret@", "can't be read"),
            ("redis://:secret@host/x", "database"),
            ("redis://:secret@host?colour=red", "colour"),
            ("redis://:secret@host?prefix={}", "prefix"),
            ("redis-sentinel://:secret@host", "service"),
            ("redis-cluster://:secret@host/2", "database"),
            ("redis-cluster://:secret@host?node=x", "node"),
            ("rediss://:secret@host?ca=/nowhere", "ca"),
        ] {
            let error = RedisConfig::from_url(url).expect_err(url).to_string();
            assert!(
                error.contains(what) && !error.contains("secret"),
                "{url}: {error}"
            );
        }
    }
}
