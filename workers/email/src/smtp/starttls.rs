//! The plain-text half of STARTTLS, up to the moment the handshake begins.
//!
//! By hand, because bytes that a client has buffered beyond the server's "go ahead" would later be read as if they had come
//! encrypted (response injection). Here each byte is read alone and nothing is ever buffered: what an attacker adds lands in
//! the handshake and breaks it.

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::stream::MAX_ANSWER;
use crate::classify::{Fault, Reply};

/// Longest line of an answer, in bytes (RFC 5321 allows 512).
const MAX_LINE: usize = 1000;

/// Brings a fresh connection to where the TLS handshake begins.
pub(super) async fn negotiate<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, hello: &str) -> Result<(), Fault> {
    expect(answer(stream).await?, 220)?;
    send(stream, &format!("EHLO {hello}\r\n")).await?;
    let offers = expect(answer(stream).await?, 250)?;
    // The first line is the server's name.
    let offered = offers.iter().skip(1).any(|line| line.trim().eq_ignore_ascii_case("STARTTLS"));
    if !offered {
        return Err(Fault::Unsupported);
    }
    send(stream, "STARTTLS\r\n").await?;
    expect(answer(stream).await?, 220).map(|_| ())
}

async fn send<S: AsyncWrite + Unpin>(stream: &mut S, line: &str) -> Result<(), Fault> {
    stream.write_all(line.as_bytes()).await.map_err(|_| Fault::Lost)?;
    stream.flush().await.map_err(|_| Fault::Lost)
}

/// The lines of an answer with the wanted code.
fn expect((code, lines): (u16, Vec<String>), wanted: u16) -> Result<Vec<String>, Fault> {
    if code == wanted {
        return Ok(lines);
    }
    Err(Reply::read(code, &lines.join(" ")).map_or(Fault::Lost, Fault::Reply))
}

/// Reads one answer: its code and the texts of its lines.
async fn answer<S: AsyncRead + Unpin>(stream: &mut S) -> Result<(u16, Vec<String>), Fault> {
    let mut lines = Vec::new();
    let mut length = 0;
    loop {
        let line = line(stream).await?;
        length += line.len();
        let (code, rest) = line.split_at_checked(3).ok_or(Fault::Lost)?;
        let code: u16 = code.parse().map_err(|_| Fault::Lost)?;
        lines.push(rest.get(1..).unwrap_or_default().to_owned());
        if !rest.starts_with('-') {
            return Ok((code, lines));
        }
        if length > MAX_ANSWER {
            return Err(Fault::Lost);
        }
    }
}

async fn line<S: AsyncRead + Unpin>(stream: &mut S) -> Result<String, Fault> {
    let mut bytes = Vec::new();
    while bytes.len() < MAX_LINE {
        match stream.read_u8().await.map_err(|_| Fault::Lost)? {
            b'\n' => return Ok(String::from_utf8_lossy(&bytes).trim_end_matches('\r').to_owned()),
            byte => bytes.push(byte),
        }
    }
    Err(Fault::Lost)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What becomes of a server that says all this at once.
    async fn against(server: &[u8]) -> Result<(), Fault> {
        let (mut here, mut there) = tokio::io::duplex(1 << 20);
        there.write_all(server).await.unwrap();
        there.shutdown().await.unwrap();
        negotiate(&mut here, "own.example").await
    }

    #[tokio::test]
    async fn the_offer_counts_in_any_case() {
        against(b"220 hi\r\n250-mail\r\n250-SIZE 1000\r\n250 StartTLS\r\n220 go\r\n").await.unwrap();
    }

    #[tokio::test]
    async fn without_an_offer_nothing_goes_on_in_plain_text() {
        assert_eq!(against(b"220 hi\r\n250-mail\r\n250 AUTH PLAIN\r\n220 go\r\n").await, Err(Fault::Unsupported));
        assert_eq!(against(b"220 hi\r\n250 STARTTLS\r\n220 go\r\n").await, Err(Fault::Unsupported));
    }

    #[tokio::test]
    async fn refusals_are_told() {
        let busy = Reply::read(421, "4.3.2 busy").unwrap();
        assert_eq!(against(b"421 4.3.2 busy\r\n").await, Err(Fault::Reply(busy)));
        let off = Reply::read(454, "").unwrap();
        assert_eq!(against(b"220 hi\r\n250-m\r\n250 STARTTLS\r\n454 \r\n").await, Err(Fault::Reply(off)));
    }

    #[tokio::test]
    async fn what_comes_after_go_ahead_is_not_read() {
        let (mut here, mut there) = tokio::io::duplex(1000);
        there.write_all(b"220 hi\r\n250-m\r\n250 STARTTLS\r\n220 go\r\n250 injected\r\n").await.unwrap();
        negotiate(&mut here, "own.example").await.unwrap();
        drop(there);
        let mut rest = String::new();
        here.read_to_string(&mut rest).await.unwrap();
        assert_eq!(rest, "250 injected\r\n");
    }

    #[tokio::test]
    async fn endless_lines_and_answers_end() {
        assert_eq!(against(&[b'2'; 2000]).await, Err(Fault::Lost));
        assert_eq!(against(&b"220-hi\r\n".repeat(20_000)).await, Err(Fault::Lost));
        assert_eq!(against(b"hello\r\n").await, Err(Fault::Lost));
        assert_eq!(against(b"").await, Err(Fault::Lost));
    }
}
