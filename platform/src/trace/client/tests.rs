//! Requests from a thread without a runtime, to collectors of all manners.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::time::Duration;

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

/// Sends as the SDK does: from a thread that has no runtime.
async fn ask(url: &str, timeout: Duration) -> Result<Response<Bytes>, HttpError> {
    let sampler = Sampler { by_parent: true, share: 1.0 };
    let export = Export { endpoint: url.parse().unwrap(), timeout, authorities: None, sampler, service: None };
    let client = Client::new(&export).unwrap();
    let request = Request::post(url).body(Bytes::from_static(b"spans")).unwrap();
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
async fn authorities_that_cannot_be_read_are_refused_by_their_variable() {
    let url = "https://collector/v1/traces";
    let sampler = Sampler { by_parent: true, share: 1.0 };
    let authorities = Some(("OTEL_EXPORTER_OTLP_CERTIFICATE", "/no/such/file".into()));
    let export =
        Export { endpoint: url.parse().unwrap(), timeout: Duration::from_secs(1), authorities, sampler, service: None };
    let refused = Client::new(&export).unwrap_err();
    assert!(refused.to_string().starts_with("`OTEL_EXPORTER_OTLP_CERTIFICATE`: "), "{refused}");
    assert_eq!(refused.exit, crate::exit::Exit::Usage);
}
