//! The stream below lettre's SMTP client: TCP or TLS, with two things lettre needs from outside.
//!
//! lettre always reads a greeting first, also where STARTTLS has used it up: the stream then says one itself. And it reads a
//! line of any length before it looks at its length: the stream ends an answer that is too long.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use lettre::transport::smtp::client::AsyncTokioStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// Longest answer to one command, in bytes. Real ones have a few hundred.
pub(crate) const MAX_ANSWER: usize = 65_536;
/// What the stream says in place of the greeting that came before the encryption.
const GREETING: &[u8] = b"220 tls\r\n";

/// A connection to a mail server.
#[derive(Debug)]
pub(crate) struct Stream {
    inner: Inner,
    /// What is still to be said in the server's place.
    prefix: &'static [u8],
    /// Bytes read since the last write.
    answer: usize,
}

#[derive(Debug)]
enum Inner {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    /// Plain text.
    pub(crate) fn plain(tcp: TcpStream) -> Self {
        Self { inner: Inner::Plain(tcp), prefix: b"", answer: 0 }
    }

    /// Encrypted from the first byte.
    pub(crate) fn implicit(tls: TlsStream<TcpStream>) -> Self {
        Self { inner: Inner::Tls(Box::new(tls)), prefix: b"", answer: 0 }
    }

    /// Encrypted after STARTTLS, so after the greeting.
    pub(crate) fn upgraded(tls: TlsStream<TcpStream>) -> Self {
        Self { prefix: GREETING, ..Self::implicit(tls) }
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if !self.prefix.is_empty() {
            let (now, rest) = self.prefix.split_at(self.prefix.len().min(buffer.remaining()));
            buffer.put_slice(now);
            self.prefix = rest;
            return Poll::Ready(Ok(()));
        }
        if self.answer > MAX_ANSWER {
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, "the answer is too long")));
        }
        let before = buffer.filled().len();
        let result = match &mut self.inner {
            Inner::Plain(tcp) => Pin::new(tcp).poll_read(context, buffer),
            Inner::Tls(tls) => Pin::new(tls).poll_read(context, buffer),
        };
        self.answer += buffer.filled().len() - before;
        result
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.answer = 0;
        match &mut self.inner {
            Inner::Plain(tcp) => Pin::new(tcp).poll_write(context, bytes),
            Inner::Tls(tls) => Pin::new(tls).poll_write(context, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.inner {
            Inner::Plain(tcp) => Pin::new(tcp).poll_flush(context),
            Inner::Tls(tls) => Pin::new(tls).poll_flush(context),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.inner {
            Inner::Plain(tcp) => Pin::new(tcp).poll_shutdown(context),
            Inner::Tls(tls) => Pin::new(tls).poll_shutdown(context),
        }
    }
}

impl AsyncTokioStream for Stream {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        match &self.inner {
            Inner::Plain(tcp) => tcp.peer_addr(),
            Inner::Tls(tls) => tls.get_ref().0.peer_addr(),
        }
    }
}
