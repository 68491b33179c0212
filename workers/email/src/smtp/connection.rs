//! One connection to the mail server: opened, authenticated, and driven command by command.
//!
//! lettre's own `send` and `starttls` are not used: the first does not tell how far it came, the second can be made to read
//! plain text as if it had been encrypted. After any failure a connection is of no more use; who drops it is `smtp`.

use std::fmt::Display;
use std::future::Future;
use std::iter;
use std::pin::pin;
use std::time::Duration;

use leadline_runtime::sink::Claim;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use lettre::transport::smtp::response::{Response, Severity};
use secrecy::ExposeSecret;
use tokio::net::{TcpStream, lookup_host};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};
use tokio_rustls::client::TlsStream;

use super::starttls;
use super::stream::Stream;
use super::{Handshake, Server, Tls};
use crate::classify::{Fault, Reply, SmtpError, Stage};
use crate::message::Mail as Message;
use crate::metrics::Metrics;

/// Longest wait for one address of a name that has several, so that a dead one does not use up the time of the others.
const CONNECT: Duration = Duration::from_secs(10);

/// A connection that is ready for a message.
pub(super) struct Connection {
    smtp: AsyncSmtpConnection,
    metrics: Metrics,
    /// When it was last used.
    pub(super) used: Instant,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.metrics.connection("dropped");
    }
}

impl Connection {
    /// Connects, encrypts, greets and authenticates.
    pub(super) async fn open(server: &Server, metrics: &Metrics, deadline: Instant) -> Result<Self, SmtpError> {
        let tcp = connect(server, deadline).await?;
        let stream = encrypt(server, tcp, deadline).await?;
        let hello = ClientId::Domain(server.hello.clone());
        let greeting = AsyncSmtpConnection::connect_with_transport(Box::new(stream), &hello);
        let mut smtp = within(deadline, Stage::Greeting, greeting).await?;
        authenticate(server, &mut smtp, deadline).await?;
        metrics.connection("opened");
        Ok(Self { smtp, metrics: metrics.clone(), used: Instant::now() })
    }

    /// Sends one message to one recipient: `deadline` for everything up to the final dot, `answer` for what comes then.
    pub(super) async fn send(
        &mut self,
        message: &Message,
        claim: &Claim,
        deadline: Instant,
        answer: Duration,
    ) -> Result<(), SmtpError> {
        let mail = Mail::new(Some(message.from.clone()), self.parameters(message)?);
        self.command(Stage::Mail, mail, &[250], deadline).await?;
        self.command(Stage::Rcpt, Rcpt::new(message.to.clone(), vec![]), &[250, 251, 252], deadline).await?;
        self.command(Stage::Data, Data, &[354], deadline).await?;
        // From here on there is no way back.
        if !claim.holds().await {
            return Err(SmtpError::new(Stage::Body, Fault::Forfeited));
        }
        self.body(&message.bytes, deadline, answer).await?;
        self.used = Instant::now();
        Ok(())
    }

    /// What `MAIL` must announce. Messages are ASCII unless an address is not.
    fn parameters(&self, message: &Message) -> Result<Vec<MailParameter>, SmtpError> {
        let mut parameters = Vec::new();
        let to: &str = message.to.as_ref();
        let needs = [
            (!to.is_ascii(), Extension::SmtpUtfEight, MailParameter::SmtpUtfEight),
            (!message.bytes.is_ascii(), Extension::EightBitMime, MailParameter::Body(MailBodyParameter::EightBitMime)),
        ];
        for (_, extension, parameter) in needs.into_iter().filter(|(needed, ..)| *needed) {
            if !self.smtp.server_info().supports_feature(extension) {
                return Err(SmtpError::new(Stage::Mail, Fault::Unsupported));
            }
            parameters.push(parameter);
        }
        Ok(parameters)
    }

    /// Says a command. An answer with another code than a wanted one belongs to something else: the dialogue is lost.
    async fn command(
        &mut self,
        stage: Stage,
        command: impl Display + Send,
        wanted: &[u16],
        deadline: Instant,
    ) -> Result<(), SmtpError> {
        let response = within(deadline, stage, self.smtp.command(command)).await?;
        let code = u16::from(response.code());
        if wanted.contains(&code) { Ok(()) } else { Err(SmtpError::new(stage, Fault::Lost)) }
    }

    /// Sends the message itself, and tells a failure before its final dot from one after it: without the dot no server
    /// accepts a message.
    async fn body(&mut self, bytes: &[u8], deadline: Instant, answer: Duration) -> Result<(), SmtpError> {
        let (ended, mut end) = oneshot::channel();
        let mut ended = Some(ended);
        // lettre asks for the next part when this one is written, and writes the dot when there is none.
        let last = iter::from_fn(move || {
            let _ = ended.take().map(|ended| ended.send(()));
            None
        });
        let mut sending = pin!(self.smtp.message_iter(iter::once(bytes).chain(last)));
        let early = tokio::select! {
            biased;
            result = &mut sending => Some(result),
            _ = &mut end => None,
            () = sleep_until(deadline) => return Err(SmtpError::new(Stage::Body, Fault::Timeout)),
        };
        let result = match early {
            Some(Err(error)) if end.try_recv().is_err() => return Err(SmtpError::new(Stage::Body, error.into())),
            Some(result) => result,
            None => timeout(answer, sending).await.map_err(|_| SmtpError::new(Stage::Dot, Fault::Timeout))?,
        };
        accepted(result).map_err(|fault| SmtpError::new(Stage::Dot, fault))
    }
}

fn accepted(result: Result<Response, Error>) -> Result<(), Fault> {
    if result?.code().severity == Severity::PositiveCompletion { Ok(()) } else { Err(Fault::Lost) }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let text = || std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
        match error.status().map(u16::from).and_then(|code| Reply::read(code, &text())) {
            Some(reply) => Self::Reply(reply),
            None if error.is_client() => Self::Unsupported,
            None => Self::Lost,
        }
    }
}

async fn within<T, E: Into<Fault>>(
    deadline: Instant,
    stage: Stage,
    work: impl Future<Output = Result<T, E>> + Send,
) -> Result<T, SmtpError> {
    match timeout_at(deadline, work).await {
        Ok(result) => result.map_err(|error| SmtpError::new(stage, error.into())),
        Err(_) => Err(SmtpError::new(stage, Fault::Timeout)),
    }
}

/// Connects to the first address that answers.
async fn connect(server: &Server, deadline: Instant) -> Result<TcpStream, SmtpError> {
    let failed = |fault| SmtpError::new(Stage::Connect, fault);
    let lookup = timeout_at(deadline, lookup_host((server.host.as_str(), server.port))).await;
    let addresses = lookup.map_err(|_| failed(Fault::Timeout))?.map_err(|_| failed(Fault::Lost))?;
    let mut last = Fault::Lost;
    for address in addresses {
        let until = deadline.min(Instant::now() + CONNECT);
        match timeout_at(until, TcpStream::connect(address)).await {
            // Body and final dot are two writes; with Nagle's algorithm each message would wait 40 ms for an acknowledgement.
            Ok(Ok(tcp)) => return tcp.set_nodelay(true).map(|()| tcp).map_err(|_| failed(Fault::Lost)),
            Ok(Err(_)) => last = Fault::Lost,
            Err(_) => last = Fault::Timeout,
        }
    }
    Err(failed(last))
}

async fn encrypt(server: &Server, mut tcp: TcpStream, deadline: Instant) -> Result<Stream, SmtpError> {
    match &server.tls {
        Tls::None => Ok(Stream::plain(tcp)),
        Tls::Implicit(with) => Ok(Stream::implicit(handshake(with, tcp, deadline).await?)),
        Tls::Starttls(with) => {
            within(deadline, Stage::Greeting, starttls::negotiate(&mut tcp, &server.hello)).await?;
            Ok(Stream::upgraded(handshake(with, tcp, deadline).await?))
        }
    }
}

async fn handshake(with: &Handshake, tcp: TcpStream, deadline: Instant) -> Result<TlsStream<TcpStream>, SmtpError> {
    let handshake = with.connector.connect(with.name.clone(), tcp);
    let result = timeout_at(deadline, handshake).await.map_err(|_| SmtpError::new(Stage::Tls, Fault::Timeout))?;
    result.map_err(|error| {
        // Certificates and wrong protocols come from the TLS library, a reset or an end of the stream from the network.
        let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<tokio_rustls::rustls::Error>());
        let Some(cause) = cause else { return SmtpError::new(Stage::Tls, Fault::Lost) };
        tracing::warn!(%cause, "the TLS handshake with the mail server failed");
        SmtpError::new(Stage::Tls, Fault::Untrusted)
    })
}

async fn authenticate(server: &Server, smtp: &mut AsyncSmtpConnection, deadline: Instant) -> Result<(), SmtpError> {
    let Some((username, password)) = &server.credentials else { return Ok(()) };
    let credentials = Credentials::new(username.clone(), password.expose_secret().to_owned());
    let mechanisms = [Mechanism::Plain, Mechanism::Login];
    let response = within(deadline, Stage::Auth, smtp.auth(&mechanisms, &credentials)).await?;
    if response.has_code(235) { Ok(()) } else { Err(SmtpError::new(Stage::Auth, Fault::Lost)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{SmtpSection, TlsMode};
    use crate::smtp::tests::scripted::Scripted;

    #[tokio::test]
    async fn small_writes_are_not_held_back() {
        let peer = Scripted::start([vec![]]).await;
        let section = SmtpSection { port: Some(peer.port), tls: TlsMode::None, ..SmtpSection::default() };
        let server = Server::new(&section, "own.example", "sinks.email").unwrap();
        let tcp = connect(&server, Instant::now() + CONNECT).await.unwrap();
        assert!(tcp.nodelay().unwrap());
    }
}
