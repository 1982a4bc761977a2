//! Certificates of a run's own, made on the fly.

use quark::tls::{Pem, Source, Tls};

use super::LoadError;

/// What both sides go by.
#[derive(Clone, Debug)]
pub struct Certificates {
    /// The server's.
    pub server: Tls,
    /// That of who dials: it has no certificate of its own.
    pub client: Tls,
    /// The authority that has signed the server's, as PEM.
    pub authority: String,
}

/// An authority, and a certificate for `name` that it has signed.
///
/// # Errors
///
/// [`LoadError::Tls`].
pub fn make(name: &str) -> Result<Certificates, LoadError> {
    let (authority, certificate, key) =
        sign(name).map_err(|error| LoadError::Tls(error.to_string()))?;
    let pem = |text: String| Pem::Bytes(text.into_bytes());
    let source = |identity| Source {
        authorities: pem(authority.clone()),
        identity,
        mutual: false,
    };
    Ok(Certificates {
        server: Tls::new(source(Some((pem(certificate), pem(key)))))?,
        client: Tls::new(source(None))?,
        authority,
    })
}

/// The authority, the certificate and its key.
fn sign(name: &str) -> Result<(String, String, String), rcgen::Error> {
    let key = rcgen::KeyPair::generate()?;
    let mut params = rcgen::CertificateParams::new(Vec::new())?;
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority = params.self_signed(&key)?;
    let issuer = rcgen::Issuer::new(params, key);
    let key = rcgen::KeyPair::generate()?;
    let params = rcgen::CertificateParams::new(vec![name.to_owned()])?;
    let certificate = params.signed_by(&key, &issuer)?;
    Ok((authority.pem(), certificate.pem(), key.serialize_pem()))
}
