//! The public port with TLS: both versions of HTTP, and a certificate that is renewed while leads come.

use std::fs;
use std::path::Path;

use leadline_tests::binaries::Binaries;
use leadline_tests::certificate::{self, Files};
use leadline_tests::{Stack, Suite, blocking, eventually, fixtures};
use reqwest::{Client, Version};

use crate::support::{NOWHERE, PATIENCE, Product, Running, Sinks};

const CERTIFICATE: &str = "LEADLINE__INGEST__TLS__CERTIFICATE_FILE";
const KEY: &str = "LEADLINE__INGEST__TLS__KEY_FILE";
/// What a client offers in its handshake.
const BOTH: &[&str] = &["h2", "http/1.1"];

pub(crate) fn tests(suite: &mut Suite) {
    suite.test("tls::leads_come_over_both_versions_of_http", [], leads_come_over_both_versions);
    suite.test("tls::a_renewed_certificate_needs_no_restart", [], a_renewed_certificate_needs_no_restart);
    suite.test("tls::a_certificate_that_cannot_be_used_stops_the_start", [], a_bad_certificate_stops_the_start);
}

/// A product whose leads go into the spool, so that it needs nothing.
fn product(stack: &Stack, name: &str) -> Product {
    Product::new(stack, name, NOWHERE, &Sinks { email: String::new(), crm_url: None }, "")
}

fn start(product: &Product, files: &Files) -> Running {
    let [certificate, key] = [&files.certificate, &files.key].map(|file| file.to_str().unwrap());
    product.start_ingest_with(&[(CERTIFICATE, certificate), (KEY, key), ("LEADLINE__INGEST__PUBLISH_DEADLINE", "10ms")])
}

/// A client that trusts this authority only, and offers these versions of HTTP.
fn client(authority: &Path, versions: &[&str]) -> Client {
    let mut tls = (*leadline_platform::tls::client(Some(&fs::read_to_string(authority).unwrap())).unwrap()).clone();
    tls.alpn_protocols = versions.iter().map(|version| version.as_bytes().to_vec()).collect();
    Client::builder().timeout(PATIENCE).tls_backend_preconfigured(tls).build().unwrap()
}

/// The version and status of the answer, if there is one.
fn post(client: &Client, url: &str) -> Option<(Version, u16)> {
    blocking::block_on(ask(client, url))
}

async fn ask(client: &Client, url: &str) -> Option<(Version, u16)> {
    let request = client.post(url.replace("http://", "https://")).body(fixtures::lead("sample"));
    let answer = request.send().await.ok()?;
    Some((answer.version(), answer.status().as_u16()))
}

fn leads_come_over_both_versions(stack: &Stack) {
    let product = product(stack, "versions");
    let files = certificate::for_localhost(product.folder());
    let mut ingest = start(&product, &files);
    let newest = client(&files.authority, BOTH);
    assert_eq!(post(&newest, &product.url()), Some((Version::HTTP_2, 202)));
    let older = client(&files.authority, &["http/1.1"]);
    assert_eq!(post(&older, &product.url()), Some((Version::HTTP_11, 202)));
    assert_eq!(post(&newest, &product.url().replace(&product.token, "x")), Some((Version::HTTP_2, 401)));
    let stranger = tempfile::tempdir().unwrap();
    let other = certificate::for_localhost(stranger.path());
    assert_eq!(post(&client(&other.authority, BOTH), &product.url()), None, "the certificate is not its");
    // As long as both are there, so is their connection.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let open = client(&files.authority, BOTH);
    assert_eq!(runtime.block_on(ask(&open, &product.url())), Some((Version::HTTP_2, 202)));
    assert_eq!(ingest.stop(), 0, "open connections do not hold it up");
    drop((open, runtime));
}

fn a_renewed_certificate_needs_no_restart(stack: &Stack) {
    let product = product(stack, "renewed");
    let files = certificate::for_localhost(product.folder());
    let ingest = start(&product, &files);
    let old = client(&files.authority, BOTH);
    assert_eq!(post(&old, &product.url()).map(|answer| answer.1), Some(202));
    let next = tempfile::tempdir().unwrap();
    let renewed = certificate::for_localhost(next.path());
    fs::copy(&renewed.certificate, &files.certificate).unwrap();
    fs::copy(&renewed.key, &files.key).unwrap();
    eventually("new connections are shown the new certificate", PATIENCE, || {
        assert_eq!(post(&old, &product.url()).map(|answer| answer.1), Some(202), "a connection goes on");
        post(&client(&renewed.authority, BOTH), &product.url())
    });
    let expires = ingest.metrics();
    let expires = expires.lines().find_map(|line| line.strip_prefix("leadline_ingest_certificate_expires_timestamp_seconds "));
    assert!(expires.unwrap().parse::<f64>().unwrap() > 1_790_000_000.0);
}

fn a_bad_certificate_stops_the_start(stack: &Stack) {
    let product = product(stack, "bad-certificate");
    let files = certificate::for_localhost(product.folder());
    let mut command = product.command(&Binaries::built().ingest(), &[]);
    command.env(CERTIFICATE, &files.certificate).env(KEY, &files.certificate);
    let output = command.output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(64), "{error}");
    assert!(error.contains("`ingest.tls.key`: it holds no private key in PEM"), "{error}");
}
