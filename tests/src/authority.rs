//! An authority made for a test, and the certificates that it gives out.

use quark::tls::{Pem, Source, Tls};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

/// Signs certificates.
#[derive(Debug)]
pub struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// One that nobody knows yet.
    ///
    /// # Panics
    /// If no key can be made; so for the others.
    #[must_use]
    pub fn make() -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).expect("a certificate");
        Authority {
            pem: certificate.pem(),
            issuer: Issuer::new(params, key),
        }
    }

    /// A certificate for `name`, whose owner accepts those of `accepts`, or of this authority.
    #[must_use]
    pub fn source(&self, name: &str, accepts: Option<&Authority>) -> Source {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        let signed = params.signed_by(&key, &self.issuer).expect("it is signed");
        let pem = |text: String| Pem::Bytes(text.into_bytes());
        Source {
            authorities: pem(accepts.unwrap_or(self).pem.clone()),
            identity: Some((pem(signed.pem()), pem(key.serialize_pem()))),
            mutual: true,
        }
    }

    /// The same, ready for use.
    #[must_use]
    pub fn tls(&self, name: &str) -> Tls {
        Tls::new(self.source(name, None)).expect("good certificates")
    }
}
