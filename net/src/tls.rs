//! TLS 1.3: who may be talked to, and by which certificate.
//!
//! Certificates are read from files or memory, by threads that may block. [`Tls::reload`] reads the
//! files again: sessions that open from then on use what is there then, and those that are open go
//! on as they began.
#![allow(clippy::disallowed_methods)]

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::client::WebPkiServerVerifier;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, version::TLS13,
};
use thiserror::Error;

use crate::transport::Shield;

/// One side's certificates, and whose it accepts. Clones share them.
#[derive(Clone, Debug)]
pub struct Tls(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    source: Source,
    current: RwLock<Configs>,
}

#[derive(Clone, Debug)]
struct Configs {
    /// What this side accepts by; nothing if it has no certificate.
    server: Option<Arc<ServerConfig>>,
    client: Arc<ClientConfig>,
}

/// Where certificates are, as PEM.
#[derive(Clone, Debug)]
pub struct Source {
    /// Whose certificates are accepted: those that these have signed.
    pub authorities: Pem,
    /// This side's own certificate, with all between it and the authority, and its key. A client
    /// can do without, where the server lets it.
    pub identity: Option<(Pem, Pem)>,
    /// Whether who dials must show a certificate, too.
    pub mutual: bool,
}

/// PEM, wherever it is.
#[derive(Clone, Debug)]
pub enum Pem {
    /// Here.
    Bytes(Vec<u8>),
    /// In this file.
    File(PathBuf),
}

/// Why certificates can't be used.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A file can't be read.
    #[error("{path}: {error}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// There is no certificate or key where one was to be.
    #[error("{what} holds no {wanted} in PEM: {error}")]
    Pem {
        /// What was read.
        what: String,
        /// What was looked for.
        wanted: &'static str,
        /// What was found instead.
        error: rustls::pki_types::pem::Error,
    },
    /// They don't go together, or can't be used.
    #[error("the certificates can't be used: {0}")]
    Rustls(#[from] rustls::Error),
    /// The authorities can't be used.
    #[error("the authorities can't be used: {0}")]
    Verifier(#[from] rustls::server::VerifierBuilderError),
    /// No name that a certificate could have.
    #[error(
        "\"{0}\" is no name that a certificate could have: give the one in the server's certificate"
    )]
    Name(String),
    /// A side that is to accept sessions has no certificate.
    #[error("a side that accepts sessions needs a certificate and its key")]
    NoIdentity,
}

impl Tls {
    /// Reads the certificates of `source`. It may block.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn new(source: Source) -> Result<Self, TlsError> {
        let current = RwLock::new(source.read()?);
        Ok(Tls(Arc::new(Shared { source, current })))
    }

    /// Reads them again, for all sessions from now on. It may block. If anything is wrong with
    /// them, those that were read last stay in use.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn reload(&self) -> Result<(), TlsError> {
        let fresh = self.0.source.read()?;
        *self
            .0
            .current
            .write()
            .unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(())
    }

    /// Whether sessions can be accepted by it.
    #[must_use]
    pub fn can_accept(&self) -> bool {
        self.current().server.is_some()
    }

    /// The accepting end of a connection.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn accept(&self) -> Result<Shield, TlsError> {
        let config = self.current().server.ok_or(TlsError::NoIdentity)?;
        Ok(Shield::tls(ServerConnection::new(config)?))
    }

    /// The dialing end of a connection to whom this name was given by an authority.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn dial(&self, name: &str) -> Result<Shield, TlsError> {
        let server = ServerName::try_from(name.to_owned());
        let server = server.map_err(|_| TlsError::Name(name.to_owned()))?;
        Ok(Shield::tls(ClientConnection::new(
            self.current().client,
            server,
        )?))
    }

    fn current(&self) -> Configs {
        let current = self.0.current.read();
        current.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Source {
    fn read(&self) -> Result<Configs, TlsError> {
        let mut roots = RootCertStore::empty();
        for authority in certificates(&self.authorities)? {
            roots.add(authority)?;
        }
        let roots = Arc::new(roots);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier =
            WebPkiServerVerifier::builder_with_provider(roots.clone(), provider.clone()).build()?;
        let client = ClientConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&[&TLS13])?
            .with_webpki_verifier(verifier);
        let Some((chain, key)) = &self.identity else {
            return Ok(Configs {
                server: None,
                client: Arc::new(client.with_no_client_auth()),
            });
        };
        let (chain, key) = (certificates(chain)?, private_key(key)?);
        let clients = WebPkiClientVerifier::builder_with_provider(roots, provider.clone());
        let clients = if self.mutual {
            clients.build()?
        } else {
            clients.allow_unauthenticated().build()?
        };
        let server = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])?
            .with_client_cert_verifier(clients)
            .with_single_cert(chain.clone(), key.clone_key())?;
        Ok(Configs {
            server: Some(Arc::new(server)),
            client: Arc::new(client.with_client_auth_cert(chain, key)?),
        })
    }
}

impl Pem {
    fn read(&self) -> Result<Vec<u8>, TlsError> {
        match self {
            Pem::Bytes(bytes) => Ok(bytes.clone()),
            Pem::File(path) => std::fs::read(path).map_err(|error| TlsError::File {
                path: path.clone(),
                error,
            }),
        }
    }

    fn what(&self) -> String {
        match self {
            Pem::Bytes(_) => "what was given".to_owned(),
            Pem::File(path) => path.display().to_string(),
        }
    }
}

fn certificates(pem: &Pem) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let bytes = pem.read()?;
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    let wrong = |error| TlsError::Pem {
        what: pem.what(),
        wanted: "certificate",
        error,
    };
    match read {
        Ok(read) if read.is_empty() => Err(wrong(rustls::pki_types::pem::Error::NoItemsFound)),
        read => read.map_err(wrong),
    }
}

fn private_key(pem: &Pem) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(&pem.read()?).map_err(|error| TlsError::Pem {
        what: pem.what(),
        wanted: "private key",
        error,
    })
}
