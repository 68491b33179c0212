//! A mail server that does exactly what a test tells it, step by step and connection by connection.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

/// What the server does next.
#[derive(Clone)]
pub(crate) enum Step {
    /// Sends a line.
    Say(&'static str),
    /// Reads a line, which must start like this.
    Expect(&'static str),
    /// Reads a message up to its final dot.
    Message,
    /// Wakes the test.
    Tell(Arc<Notify>),
    /// Waits for the test.
    Wait(Arc<Notify>),
    /// Encrypts.
    Tls,
    /// Closes the connection.
    Close,
}
use Step::{Expect, Message, Say, Tls};

/// A running server.
pub(crate) struct Scripted {
    /// Its port on 127.0.0.1.
    pub(crate) port: u16,
    /// The certificate to trust (PEM).
    pub(crate) ca: String,
    seen: Arc<Mutex<Vec<Vec<String>>>>,
}

trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Duplex for T {}

impl Scripted {
    /// Starts a server with one script for each connection; more connections are closed at once.
    pub(crate) async fn start(scripts: impl IntoIterator<Item = Vec<Step>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (acceptor, ca) = identity();
        let seen = Arc::<Mutex<Vec<Vec<String>>>>::default();
        let log = seen.clone();
        let mut scripts = scripts.into_iter().collect::<Vec<_>>().into_iter();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                log.lock().unwrap().push(Vec::new());
                let index = log.lock().unwrap().len() - 1;
                let script = scripts.next().unwrap_or_default();
                tokio::spawn(play(Box::new(stream), script, acceptor.clone(), log.clone(), index));
            }
        });
        Self { port, ca, seen }
    }

    /// What was read, connection by connection: lines, messages, and `unexpected …` where the client left the script.
    pub(crate) fn seen(&self) -> Vec<Vec<String>> {
        self.seen.lock().unwrap().clone()
    }

    /// The keys of a plain-text section for this server.
    pub(crate) fn section(&self) -> String {
        format!(
            "from = 'Leadline <leads@own.example>'\n[sinks.email.smtp]\nhost = '127.0.0.1'\ntls = 'none'\nport = {}\n",
            self.port
        )
    }

    /// The keys of a section that trusts this server's certificate.
    pub(crate) fn encrypted(&self, tls: &str) -> String {
        let Self { port, ca, .. } = self;
        format!(
            "from = 'leads@own.example'\n[sinks.email.smtp]\nhost = 'localhost'\ntls = '{tls}'\nport = {port}\nca = '''\n{ca}'''\n"
        )
    }
}

async fn play(
    mut stream: Box<dyn Duplex>,
    script: Vec<Step>,
    tls: TlsAcceptor,
    log: Arc<Mutex<Vec<Vec<String>>>>,
    index: usize,
) {
    let note = |text: String| log.lock().unwrap()[index].push(text);
    for step in script {
        let done = match step {
            Say(text) => stream.write_all(format!("{text}\r\n").as_bytes()).await.is_ok(),
            Expect(start) => match until(&mut stream, b"\r\n").await {
                Some(line) if line.starts_with(start) => {
                    note(line);
                    true
                }
                other => {
                    note(format!("unexpected {other:?} instead of {start}"));
                    false
                }
            },
            Message => match until(&mut stream, b"\r\n.\r\n").await {
                Some(text) => {
                    note(text);
                    true
                }
                None => false,
            },
            Step::Tell(notify) => {
                notify.notify_one();
                true
            }
            Step::Wait(notify) => {
                notify.notified().await;
                true
            }
            Tls => match tls.accept(stream).await {
                Ok(encrypted) => {
                    stream = Box::new(encrypted);
                    true
                }
                Err(_) => return,
            },
            Step::Close => false,
        };
        if !done {
            return;
        }
    }
    // At the end of a script the server says nothing more, and keeps the connection for as long as the client does.
    let _ = stream.read_to_end(&mut Vec::new()).await;
}

async fn until(stream: &mut Box<dyn Duplex>, end: &[u8]) -> Option<String> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(end) {
        bytes.push(stream.read_u8().await.ok()?);
    }
    bytes.truncate(bytes.len() - end.len());
    String::from_utf8(bytes).ok()
}

fn identity() -> (TlsAcceptor, String) {
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
    let builder =
        ServerConfig::builder_with_provider(Arc::new(default_provider())).with_safe_default_protocol_versions().unwrap();
    let config = builder.with_no_client_auth().with_single_cert(vec![certified.cert.der().clone()], key).unwrap();
    (TlsAcceptor::from(Arc::new(config)), certified.cert.pem())
}

/// Joins parts of a script.
pub(crate) fn script<const N: usize>(parts: [Vec<Step>; N]) -> Vec<Step> {
    parts.concat()
}

/// Greets and answers `EHLO`.
pub(crate) fn greet() -> Vec<Step> {
    vec![Say("220 hi"), Expect("EHLO own.example"), Say("250-mail\r\n250 AUTH LOGIN PLAIN")]
}

/// Takes a message up to its final dot.
pub(crate) fn take() -> Vec<Step> {
    vec![Expect("MAIL"), Say("250 ok"), Expect("RCPT"), Say("250 ok"), Expect("DATA"), Say("354 go"), Message]
}

/// Takes a message and accepts it.
pub(crate) fn accept() -> Vec<Step> {
    script([take(), vec![Say("250 queued")]])
}
