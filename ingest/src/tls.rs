//! TLS of the public port by rustls: TLS 1.2 and 1.3, HTTP/1.1 and HTTP/2, and a certificate that may be renewed at any time.
//!
//! Certificates of clients of TLS belong in `platform::tls`.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use leadline_platform::config::ConfigError;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use secrecy::ExposeSecret as _;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::config::Tls as Config;

/// A certificate with its key.
pub(crate) struct Identity {
    key: Arc<CertifiedKey>,
    /// When it is good no longer, in seconds since 1970.
    pub(crate) expires: i64,
}

impl Identity {
    /// Reads what the configuration names; `None` when the port is not encrypted.
    pub(crate) fn read(config: &Config) -> Result<Option<Self>, ConfigError> {
        let Some((certificate, key)) = config.certificate.as_ref().zip(config.key.as_ref()) else { return Ok(None) };
        let certificates: Vec<_> =
            CertificateDer::pem_slice_iter(certificate.as_bytes()).collect::<Result<_, _>>().unwrap_or_default();
        let invalid = |key: &str, why: &str| ConfigError::invalid(&format!("ingest.tls.{key}"), why);
        let first = certificates.first().ok_or_else(|| invalid("certificate", "it holds no certificate in PEM"))?;
        let (_, parsed) = X509Certificate::from_der(first).map_err(|_| invalid("certificate", "it cannot be read"))?;
        let expires = parsed.validity().not_after.timestamp();
        // The errors may quote what they read.
        let key = PrivateKeyDer::from_pem_slice(key.expose_secret().as_bytes())
            .map_err(|_| invalid("key", "it holds no private key in PEM"))?;
        let key = CertifiedKey::from_der(certificates, key, &ring::default_provider())
            .map_err(|_| invalid("key", "it cannot be used, or is not the key of the certificate"))?;
        Ok(Some(Self { key: Arc::new(key), expires }))
    }
}

/// The certificate that new connections are shown.
pub(crate) struct Presented(RwLock<Arc<CertifiedKey>>);

impl Presented {
    pub(crate) fn new(identity: &Identity) -> Arc<Self> {
        Arc::new(Self(RwLock::new(identity.key.clone())))
    }

    /// Shows another one from now on.
    pub(crate) fn swap(&self, identity: &Identity) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = identity.key.clone();
    }
}

impl fmt::Debug for Presented {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Presented")
    }
}

impl ResolvesServerCert for Presented {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

/// The settings of the port. The server adds the protocols that it speaks.
pub(crate) fn server(presented: Arc<Presented>) -> Result<ServerConfig, rustls::Error> {
    let versions =
        ServerConfig::builder_with_provider(Arc::new(ring::default_provider())).with_safe_default_protocol_versions();
    Ok(versions?.with_no_client_auth().with_cert_resolver(presented))
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::*;

    fn pair() -> (String, String) {
        let made = rcgen::generate_simple_self_signed(["leads.contoso.example".to_owned()]).unwrap();
        (made.cert.pem(), made.signing_key.serialize_pem())
    }

    fn read(certificate: &str, key: &str) -> Result<Option<Identity>, String> {
        let config = Config { certificate: Some(certificate.to_owned()), key: Some(SecretString::from(key)) };
        Identity::read(&config).map_err(|error| error.to_string())
    }

    fn refusal(certificate: &str, key: &str) -> String {
        read(certificate, key).err().unwrap_or_else(|| panic!("it was taken"))
    }

    #[test]
    fn a_certificate_with_its_key_is_read() {
        let (certificate, key) = pair();
        let identity = read(&certificate, &key).unwrap().unwrap();
        assert!(identity.expires > jiff::Timestamp::now().as_second());
        assert!(server(Presented::new(&identity)).is_ok());
        assert!(Identity::read(&Config { certificate: None, key: None }).unwrap().is_none());
    }

    #[test]
    fn what_is_wrong_is_one_sentence_that_quotes_nothing() {
        let ((certificate, key), (_, other)) = (pair(), pair());
        assert!(refusal("", &key).starts_with("`ingest.tls.certificate`: it holds no certificate"));
        let broken = "-----BEGIN CERTIFICATE-----\naGFsbG8=\n-----END CERTIFICATE-----\n";
        assert!(refusal(broken, &key).starts_with("`ingest.tls.certificate`: it cannot be read"));
        assert!(refusal(&certificate, "hunter2").starts_with("`ingest.tls.key`: it holds no private key"));
        let mismatch = refusal(&certificate, &other);
        assert!(mismatch.starts_with("`ingest.tls.key`: it cannot be used"), "{mismatch}");
    }
}
