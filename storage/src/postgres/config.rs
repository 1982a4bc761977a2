//! Which PostgreSQL, and how.

use std::str::FromStr;

use rustls::ClientConfig;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

use crate::remote::UrlError;
use crate::remote::tls;
use crate::remote::url::{Parts, parameter};

const EXAMPLE: &str = "postgres://user:password@host:5432/database";
const CONNECTIONS: usize = 4;
const CONNECTIONS_MOST: usize = 64;

/// Where a PostgreSQL is, and which schema is ours in it.
#[derive(Clone)]
pub struct PostgresConfig {
    pub(super) server: Config,
    pub(super) tls: Option<ClientConfig>,
    pub(super) schema: String,
    pub(super) connections: usize,
    place: String,
}

impl PostgresConfig {
    /// Reads a URL as PostgreSQL's own programs do, `postgres://user:password@host:5432/database`,
    /// for a Unix socket `postgres:///database?host=/folder&user=name`, and these parameters beside:
    ///
    /// - `sslmode`: `disable`; `prefer` (if none is given): TLS if the server has it; `require`.
    ///   With TLS, the server's certificate is always checked;
    /// - `sslrootcert`: a file of certificates (PEM) that the server's must be signed by one of, in
    ///   place of those that the system trusts;
    /// - `schema`: ours (`quark`);
    /// - `connections`: how many are used at once (4, at most 64).
    ///
    /// # Errors
    /// [`UrlError`], where something is missing, unknown or wrong.
    pub fn from_url(url: &str) -> Result<Self, UrlError> {
        let (scheme, _) = url.split_once("://").unwrap_or_default();
        if !scheme.is_empty() && scheme != "postgres" && scheme != "postgresql" {
            return Err(UrlError::Scheme {
                scheme: scheme.to_owned(),
                known: "postgres, postgresql",
            });
        }
        let mut parts = Parts::parse(url, EXAMPLE)?;
        let roots = parts.take_roots("sslrootcert");
        let schema = parts.take("schema").unwrap_or_else(|| "quark".to_owned());
        check_schema(&schema)?;
        let connections = match parts.take("connections") {
            Some(text) => connections(&text)?,
            None => CONNECTIONS,
        };
        let mut server = Config::from_str(&parts.rest()).map_err(|error| {
            let why = std::error::Error::source(&error)
                .map_or_else(|| error.to_string(), |source| source.to_string());
            let example = EXAMPLE;
            UrlError::Malformed { why, example }
        })?;
        if server.get_hosts().is_empty() {
            return Err(UrlError::Malformed {
                why: "it names no host".to_owned(),
                example: EXAMPLE,
            });
        }
        if server.get_application_name().is_none() {
            server.application_name("quark");
        }
        let is_local = |host: &Host| matches!(host, Host::Unix(_));
        let is_tls =
            server.get_ssl_mode() != SslMode::Disable && !server.get_hosts().iter().all(is_local);
        let tls = match is_tls {
            true => {
                let client = tls::client(roots.as_deref());
                Some(client.map_err(|error| parameter("sslrootcert", error.to_string()))?)
            }
            false => None,
        };
        let place = place(&server);
        Ok(PostgresConfig {
            server,
            tls,
            schema,
            connections,
            place,
        })
    }

    /// Where it is, without secrets.
    #[must_use]
    pub fn place(&self) -> &str {
        &self.place
    }
}

impl std::fmt::Debug for PostgresConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PostgresConfig({}, schema {})", self.place, self.schema)
    }
}

fn place(server: &Config) -> String {
    let ports = server.get_ports();
    let hosts = server.get_hosts().iter().enumerate().map(|(at, host)| {
        let port = ports.get(at).or(ports.first()).unwrap_or(&5432);
        match host {
            Host::Tcp(name) => format!("{name}:{port}"),
            Host::Unix(path) => format!("{}:{port}", path.display()),
        }
    });
    let hosts: Vec<String> = hosts.collect();
    let database = server
        .get_dbname()
        .or(server.get_user())
        .unwrap_or_default();
    format!("postgres://{}/{database}", hosts.join(","))
}

/// It is written into statements, where it can't be a parameter.
fn check_schema(schema: &str) -> Result<(), UrlError> {
    let is_fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let starts_well = schema.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
    if starts_well && schema.len() <= 63 && schema.chars().all(is_fine) {
        return Ok(());
    }
    let why = "has to be 1 to 63 of a to z, digits and _, and not to begin with a digit";
    Err(parameter("schema", why))
}

fn connections(text: &str) -> Result<usize, UrlError> {
    let number = text.parse().ok();
    number
        .filter(|number| (1..=CONNECTIONS_MOST).contains(number))
        .ok_or_else(|| parameter("connections", "has to be a number from 1 to 64"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read() {
        let url =
            "postgres://me:pass%40word@example.com/db?sslmode=disable&schema=a_1&connections=2";
        let config = PostgresConfig::from_url(url).expect("is one");
        assert_eq!(config.place(), "postgres://example.com:5432/db");
        assert_eq!((config.schema.as_str(), config.connections), ("a_1", 2));
        assert_eq!(config.server.get_password(), Some(&b"pass@word"[..]));
        assert!(config.tls.is_none());
        let config = PostgresConfig::from_url("postgresql:///db?host=/run/pg&port=5433&user=me");
        assert_eq!(
            config.expect("is one").place(),
            "postgres:///run/pg:5433/db"
        );
    }

    #[test]
    fn what_is_wrong_is_told_without_secrets() {
        for (url, what) in [
            ("secret", "can't be read"),
            ("redis://:secret@host", "redis:// is none of"),
            ("postgres://me:secret@host/db?colour=red", "colour"),
            ("postgres://me:secret@host/db?schema=A%22", "schema"),
            ("postgres://me:secret@host/db?connections=0", "connections"),
            (
                "postgres://me:secret@host/db?sslrootcert=/nowhere",
                "sslrootcert",
            ),
        ] {
            let error = PostgresConfig::from_url(url).expect_err(url).to_string();
            assert!(
                error.contains(what) && !error.contains("secret"),
                "{url}: {error}"
            );
        }
    }
}
