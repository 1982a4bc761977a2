//! An authority of its own for each local cluster, made when that starts.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use quark::tls::{Pem, Source, Tls, TlsError};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
};
use thiserror::Error;

/// Signs the certificates of one cluster's nodes. Its own key is nowhere but in memory.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    cluster: String,
}

/// Why there are no certificates.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AuthorityError {
    /// They can't be made.
    #[error("no certificate for \"{name}\": {source}")]
    Certificate {
        /// For whom.
        name: String,
        /// Why.
        source: rcgen::Error,
    },
    /// They can't be written.
    #[error("{path}: {source}")]
    Io {
        /// Where to.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Authority {
    /// A new one, for the cluster of this name.
    ///
    /// # Errors
    /// [`AuthorityError`].
    pub fn new(cluster: &str) -> Result<Self, AuthorityError> {
        let make = || {
            let mut params = CertificateParams::new(Vec::new())?;
            params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
            params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
            let name = format!("the local cluster {cluster}");
            params.distinguished_name.push(DnType::CommonName, name);
            CertifiedIssuer::self_signed(params, KeyPair::generate()?)
        };
        let issuer = make().map_err(|source| AuthorityError::Certificate {
            name: cluster.to_owned(),
            source,
        })?;
        Ok(Authority {
            issuer,
            cluster: cluster.to_owned(),
        })
    }

    /// Writes into `folder` what the node called `name` needs to prove that it is that, and whom it
    /// may believe. The certificate is good for the cluster's name too, by which clients ask for
    /// whichever node they reach.
    ///
    /// # Errors
    /// [`AuthorityError`].
    pub fn equip(&self, folder: &Path, name: &str) -> Result<(), AuthorityError> {
        let make = || {
            let mut params = CertificateParams::new(vec![name.to_owned(), self.cluster.clone()])?;
            params.distinguished_name.push(DnType::CommonName, name);
            let key = KeyPair::generate()?;
            Ok((params.signed_by(&key, &self.issuer)?, key))
        };
        let (certificate, key) = make().map_err(|source| AuthorityError::Certificate {
            name: name.to_owned(),
            source,
        })?;
        let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.map_err(|source| AuthorityError::Io {
            path: folder.to_owned(),
            source,
        })?;
        write(&authorities(folder), &self.issuer.pem())?;
        write(&certificate_of(folder, name), &certificate.pem())?;
        write(&key_of(folder, name), &key.serialize_pem())
    }
}

/// What the node called `name` speaks TLS by, from what its [`Authority`] has put into `folder`: both
/// sides show their certificates.
///
/// # Errors
/// [`TlsError`].
pub fn tls_of(folder: &Path, name: &str) -> Result<Tls, TlsError> {
    Tls::new(Source {
        authorities: Pem::File(authorities(folder)),
        identity: Some((
            Pem::File(certificate_of(folder, name)),
            Pem::File(key_of(folder, name)),
        )),
        mutual: true,
    })
}

fn authorities(folder: &Path) -> PathBuf {
    folder.join("authority.pem")
}

fn certificate_of(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.pem"))
}

fn key_of(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.key"))
}

/// Nobody ever finds half of it: other nodes may be reading what is there already.
fn write(path: &Path, pem: &str) -> Result<(), AuthorityError> {
    let mut fresh = path.as_os_str().to_owned();
    fresh.push(".new");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let written = options
        .open(&fresh)
        .and_then(|mut file| file.write_all(pem.as_bytes()))
        .and_then(|()| fs::rename(&fresh, path));
    written.map_err(|source| AuthorityError::Io {
        path: path.to_owned(),
        source,
    })
}
