//! Settings of TLS clients: always verified, by the system's authorities or by those that are named.
//!
//! Kafka has its own TLS inside librdkafka; its settings are in [`crate::kafka`].

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

/// Why no TLS client could be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The operator's fault: the text holds no certificate.
    #[error("the named authorities hold no PEM certificate")]
    NoCertificate,
    /// The machine's fault: there are no authorities to trust.
    #[error("the system has no trusted authorities; name some by `ca_file`")]
    NoSystemRoots,
    /// The TLS library refused its own defaults.
    #[error("TLS cannot be set up: {0}")]
    Library(#[from] rustls::Error),
}

/// A client that trusts the authorities in `ca` (PEM), or without it those of the system.
///
/// # Errors
/// [`TlsError`] when there is no authority to trust.
pub fn client(ca: Option<&str>) -> Result<Arc<ClientConfig>, TlsError> {
    let mut roots = RootCertStore::empty();
    match ca {
        Some(pem) => {
            let certificates: Vec<_> = CertificateDer::pem_slice_iter(pem.as_bytes()).filter_map(Result::ok).collect();
            roots.add_parsable_certificates(certificates);
            if roots.is_empty() {
                return Err(TlsError::NoCertificate);
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if roots.is_empty() {
                return Err(TlsError::NoSystemRoots);
            }
        }
    }
    with_roots(roots)
}

/// A client that trusts nobody, for clients of plain HTTP: they want to have one.
///
/// # Errors
/// [`TlsError`] when the TLS library refuses its own defaults.
pub fn trusting_nobody() -> Result<Arc<ClientConfig>, TlsError> {
    with_roots(RootCertStore::empty())
}

fn with_roots(roots: RootCertStore) -> Result<Arc<ClientConfig>, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
}
