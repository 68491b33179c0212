//! A certificate for `localhost` by an authority of its own, for tests of TLS.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

/// PEM files.
#[derive(Clone, Debug)]
pub struct Files {
    /// The authority's certificate: what a client must trust.
    pub authority: PathBuf,
    /// The server's certificate, for `localhost` and 127.0.0.1.
    pub certificate: PathBuf,
    /// The server's key.
    pub key: PathBuf,
}

/// Makes an authority and a certificate, and writes them to the folder.
///
/// # Panics
/// When the folder cannot be written.
pub fn for_localhost(folder: &Path) -> Files {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(rcgen::DnType::CommonName, "Leadline tests");
    let authority = CertifiedIssuer::self_signed(params, key()).expect("an authority can be made");
    let server_key = key();
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let server = CertificateParams::new(names).expect("the names are right");
    let server = server.signed_by(&server_key, &authority).expect("a certificate can be made");
    let write = |name: &str, text: String| {
        let path = folder.join(name);
        fs::write(&path, text).unwrap_or_else(|error| panic!("{} cannot be written: {error}", path.display()));
        path
    };
    Files {
        authority: write("authority.pem", authority.pem()),
        certificate: write("certificate.pem", server.pem()),
        key: write("key.pem", server_key.serialize_pem()),
    }
}

fn key() -> KeyPair {
    KeyPair::generate().expect("a key can be made")
}
