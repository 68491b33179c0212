//! A mail server of few words, inside the test: it bears only so many connections at a time, and can fall silent before it has
//! taken a mail. What the harness' server can do is tested with that.

use std::collections::BTreeMap;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use uuid::Uuid;

/// A running server. It ends with the test run.
pub(super) struct Mailbox {
    port: u16,
    state: Arc<State>,
}

/// What its connections share.
struct State {
    /// Connections that it bears.
    most: usize,
    open: AtomicUsize,
    refused: AtomicUsize,
    /// Recipients that are still to be left without an answer.
    silences: AtomicUsize,
    silent: AtomicUsize,
    taken: Mutex<BTreeMap<Uuid, usize>>,
}

impl Mailbox {
    /// Starts it: it bears `most` connections, and has no answer to the first `silences` recipients.
    pub(super) fn start(most: usize, silences: usize) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (open, refused, silent) = Default::default();
        let state = State { most, open, refused, silences: silences.into(), silent, taken: Mutex::default() };
        let state = Arc::new(state);
        let shared = state.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = shared.clone();
                // A client that goes away in the middle is what some tests are about.
                thread::spawn(move || drop(state.serve(stream)));
            }
        });
        Self { port, state }
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Connections that it has sent away.
    pub(super) fn refused(&self) -> usize {
        self.state.refused.load(Ordering::Relaxed)
    }

    /// Recipients that it has left without an answer.
    pub(super) fn silent(&self) -> usize {
        self.state.silent.load(Ordering::Relaxed)
    }

    /// How many mails of each lead it has taken.
    pub(super) fn taken(&self) -> BTreeMap<Uuid, usize> {
        self.state.taken.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl State {
    fn serve(&self, stream: TcpStream) -> io::Result<()> {
        let now_open = self.open.fetch_add(1, Ordering::AcqRel) + 1;
        let served = if now_open > self.most { self.send_away(stream) } else { self.talk(stream) };
        self.open.fetch_sub(1, Ordering::AcqRel);
        served
    }

    fn send_away(&self, mut stream: TcpStream) -> io::Result<()> {
        self.refused.fetch_add(1, Ordering::Relaxed);
        stream.write_all(b"421 4.7.0 too many connections\r\n")
    }

    fn talk(&self, mut stream: TcpStream) -> io::Result<()> {
        let mut reader = BufReader::new(stream.try_clone()?);
        stream.write_all(b"220 mailbox\r\n")?;
        let mut line = String::new();
        while reader.read_line(&mut line)? > 0 {
            match line.get(..4).unwrap_or_default() {
                "RCPT" if self.falls_silent() => return io::copy(&mut reader, &mut io::sink()).map(drop),
                "DATA" => {
                    stream.write_all(b"354 go on\r\n")?;
                    self.take(&mut reader)?;
                    stream.write_all(b"250 taken\r\n")?;
                }
                "QUIT" => return stream.write_all(b"221 bye\r\n"),
                _ => stream.write_all(b"250 ok\r\n")?,
            }
            line.clear();
        }
        Ok(())
    }

    fn falls_silent(&self) -> bool {
        let silences = self.silences.fetch_update(Ordering::AcqRel, Ordering::Acquire, |left| left.checked_sub(1));
        silences.is_ok_and(|_| {
            self.silent.fetch_add(1, Ordering::Relaxed);
            true
        })
    }

    /// Reads a mail to its end. A Message-ID begins with the lead id.
    fn take(&self, reader: &mut impl io::BufRead) -> io::Result<()> {
        let mut lead = None;
        for line in reader.lines() {
            let line = line?;
            if line == "." {
                break;
            }
            let id = line.strip_prefix("Message-ID: <").and_then(|id| id.split('.').next()?.parse().ok());
            lead = lead.or(id);
        }
        let lead: Uuid = lead.ok_or(io::ErrorKind::InvalidData)?;
        *self.taken.lock().unwrap_or_else(PoisonError::into_inner).entry(lead).or_default() += 1;
        Ok(())
    }
}
