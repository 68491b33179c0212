//! Requests from a thread without a runtime, to collectors of all manners.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::TlsAcceptor;

use super::super::variables::Sampler;
use super::*;

const ANSWER: &str = "HTTP/1.1 503 Service Unavailable\r\nretry-after: 7\r\ncontent-length: 4\r\n\r\nbusy";

/// Answers each connection with these bytes; the connection stays open. The request is read up to its body, `spans`.
fn collector(answer: impl Into<Vec<u8>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1/traces?key=secret", listener.local_addr().unwrap());
    let answer = answer.into();
    std::thread::spawn(move || {
        let mut open = Vec::new();
        for stream in listener.incoming() {
            let (mut stream, mut request) = (stream.unwrap(), Vec::new());
            while !request.ends_with(b"spans") {
                let mut part = [0; 1024];
                let length = stream.read(&mut part).unwrap();
                request.extend_from_slice(&part[..length]);
            }
            // Who has heard enough closes.
            let _ = stream.write_all(&answer);
            open.push(stream);
        }
    });
    url
}

/// A collector that speaks TLS and has this certificate (PEM).
async fn encrypted() -> (String, String) {
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
    let builder = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let acceptor = TlsAcceptor::from(Arc::new(builder.with_single_cert(vec![certified.cert.der().clone()], key).unwrap()));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}/v1/traces", listener.local_addr().unwrap().port());
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            // Who does not trust it breaks off.
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut request = Vec::new();
            while !request.ends_with(b"spans") {
                stream.read_buf(&mut request).await.unwrap();
            }
            stream.write_all(ANSWER.as_bytes()).await.unwrap();
        }
    });
    (url, certified.cert.pem())
}

fn export(url: &str, timeout: Duration) -> Export {
    let sampler = Sampler { by_parent: true, share: 1.0 };
    Export { endpoint: url.parse().unwrap(), timeout, authorities: None, sampler, service: None }
}

async fn ask(url: &str, timeout: Duration) -> Result<Response<Bytes>, HttpError> {
    ask_as(&export(url, timeout)).await
}

/// Sends as the SDK does: from a thread that has no runtime.
async fn ask_as(export: &Export) -> Result<Response<Bytes>, HttpError> {
    let client = Client::new(export).unwrap();
    let request = Request::post(export.endpoint.as_str()).body(Bytes::from_static(b"spans")).unwrap();
    let (done, answer) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        assert!(Handle::try_current().is_err());
        assert!(done.send(futures::executor::block_on(client.send_bytes(request))).is_ok(), "the test waits for it");
    });
    answer.await.unwrap()
}

#[tokio::test]
async fn an_answer_comes_back_whole() {
    let answer = ask(&collector(ANSWER), Duration::from_secs(30)).await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.headers()["retry-after"].as_bytes()), (503, &b"7"[..]));
    assert_eq!(answer.body().as_ref(), b"busy");
}

#[tokio::test]
async fn a_collector_that_does_not_answer_is_given_up() {
    let error = ask(&collector(""), Duration::from_millis(200)).await.unwrap_err();
    assert!(!error.to_string().contains("secret"), "{error}");
}

#[tokio::test]
async fn nobody_there_is_an_error_that_does_not_print_the_query() {
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = ask(&format!("http://{gone}/v1/traces?key=secret"), Duration::from_secs(30)).await.unwrap_err();
    assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
}

#[tokio::test]
async fn a_redirection_is_not_followed() {
    let elsewhere = collector(ANSWER);
    let there = collector(format!("HTTP/1.1 307 Temporary Redirect\r\nlocation: {elsewhere}\r\ncontent-length: 0\r\n\r\n"));
    assert_eq!(ask(&there, Duration::from_secs(30)).await.unwrap().status().as_u16(), 307);
}

#[tokio::test]
async fn an_endless_answer_is_cut_off() {
    let head = b"HTTP/1.1 200 OK\r\ncontent-length: 10000000\r\n\r\n".to_vec();
    let error = ask(&collector([head, vec![b'x'; 2 * ANSWER_LIMIT]].concat()), Duration::from_secs(30)).await.unwrap_err();
    assert!(error.downcast_ref::<ResponseBodyTooLarge>().is_some(), "{error:?}");
}

#[tokio::test]
async fn a_collector_is_trusted_by_the_named_authorities_only() {
    const NAME: &str = "OTEL_EXPORTER_OTLP_CERTIFICATE";
    let (url, certificate) = encrypted().await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), certificate).unwrap();
    let trusting = |file: &Path| Export { authorities: Some((NAME, file.into())), ..export(&url, Duration::from_secs(30)) };
    assert_eq!(ask_as(&trusting(file.path())).await.unwrap().status().as_u16(), 503);
    let (_, other) = encrypted().await;
    std::fs::write(file.path(), other).unwrap();
    let error = ask_as(&trusting(file.path())).await.unwrap_err();
    assert!(format!("{error:?}").contains("InvalidCertificate"), "{error:?}");

    std::fs::write(file.path(), "no certificate").unwrap();
    for file in [file.path(), Path::new("/no/such/file")] {
        let refused = Client::new(&trusting(file)).unwrap_err();
        assert!(refused.to_string().starts_with(&format!("`{NAME}`: ")), "{refused}");
        assert_eq!(refused.exit, crate::exit::Exit::Usage);
    }
}
