//! Which servers are believed to be who they say.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore, crypto};

/// TLS to servers whose certificate is signed by one in the file `roots` (PEM), or if there is no
/// such file, by one that the system trusts.
pub(crate) fn client(roots: Option<&Path>) -> io::Result<ClientConfig> {
    let mut store = RootCertStore::empty();
    match roots {
        Some(path) => {
            for certificate in CertificateDer::pem_file_iter(path).map_err(io::Error::other)? {
                let certificate = certificate.map_err(io::Error::other)?;
                store.add(certificate).map_err(io::Error::other)?;
            }
        }
        None => {
            let found = rustls_native_certs::load_native_certs();
            for error in found.errors {
                tracing::warn!(%error, "a certificate of the system can't be read");
            }
            store.add_parsable_certificates(found.certs);
        }
    }
    if store.is_empty() {
        let where_ = roots.map_or("the system".into(), Path::to_string_lossy);
        return Err(io::Error::other(format!("no certificate in {where_}")));
    }
    let provider = Arc::new(crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?;
    Ok(config.with_root_certificates(store).with_no_client_auth())
}
