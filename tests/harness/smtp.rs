//! A real mail server: takes mail into a journal, and fails on demand.
//!
//! It fails one recipient by the local part of the address (`address`), or as a whole (`down`). The server itself: `server.mjs`.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use crate::certificate::Files;
use crate::eventually::{eventually, within};
use crate::guarded::{Guarded, Signal};
use crate::progress::timed;
use crate::text::{run, tail_of};
use crate::{cache, free_port, tools};

const SCRIPT: &str = include_str!("smtp/server.mjs");
const PACKAGE: &str = "smtp-server";
const VERSION: &str = "3.21.6";
const START_TIME: Duration = Duration::from_secs(30);
const SWITCH_TIME: Duration = Duration::from_secs(10);

/// How the server is set up. The default is plain text without a login.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Encryption.
    pub security: Security,
    /// User and password that a client must know.
    pub login: Option<(String, String)>,
}

/// How the connection is protected.
#[derive(Clone, Debug, Default)]
pub enum Security {
    /// Not at all.
    #[default]
    Plain,
    /// By the STARTTLS command.
    StartTls(Files),
    /// From the first byte.
    Implicit(Files),
}

/// How the server is out of order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Down {
    /// Nobody listens.
    Refuse,
    /// It answers 421 to everyone who connects.
    Busy,
}

/// A mail that the server has taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// Recipients of the envelope.
    pub rcpt: Vec<String>,
    /// Sender of the envelope.
    pub from: String,
    /// Header and body.
    pub data: Vec<u8>,
    /// When, in milliseconds since 1970.
    pub at: u64,
}

/// A running mail server. Dropping it ends it.
pub struct SmtpServer {
    _process: Guarded,
    port: u16,
    folder: TempDir,
}

/// Addresses that make the server fail in one way. They all begin differently, so that several may stand in one envelope.
pub mod address {
    /// `RCPT` is answered with this code.
    pub fn refused(code: u16, rest: &str) -> String {
        format!("code{code}+{rest}")
    }

    /// The final dot is answered with this code, and the mail is not taken.
    pub fn refused_at_end(code: u16, rest: &str) -> String {
        format!("data{code}+{rest}")
    }

    /// The mail is taken, and the connection ends without an answer.
    pub fn silent(rest: &str) -> String {
        format!("silent+{rest}")
    }

    /// The mail is taken; the answer comes after these seconds.
    pub fn waiting(seconds: u32, rest: &str) -> String {
        format!("wait{seconds}+{rest}")
    }

    /// One of the others fails the first few times only; then its mail is taken.
    pub fn at_first(times: u32, address: &str) -> String {
        format!("first{times}+{address}")
    }
}

/// What the script reads from its argument.
#[derive(Serialize)]
struct Arguments<'a> {
    module: PathBuf,
    port: u16,
    folder: &'a Path,
    security: &'static str,
    key: Option<&'a Path>,
    cert: Option<&'a Path>,
    user: Option<&'a str>,
    password: Option<&'a str>,
}

/// A line of the journal.
#[derive(Deserialize)]
struct Line {
    rcpt: Vec<String>,
    from: String,
    data: String,
    at: u64,
}

impl SmtpServer {
    /// Fetches the server if need be, and starts it.
    ///
    /// # Errors
    /// A sentence with its last lines.
    pub fn start(options: &Options) -> Result<Self, String> {
        let module = fetched()?.join("node_modules").join(PACKAGE).join("dist/cjs/smtp-server.js");
        let folder = tempfile::Builder::new().prefix("leadline-smtp-").tempdir().map_err(|error| error.to_string())?;
        let port = free_port();
        let arguments = arguments(options, module, port, folder.path());
        let process = timed("starting a mail server", || start(&arguments, folder.path()))?;
        Ok(Self { _process: process, port, folder })
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Everything it has taken, in order.
    ///
    /// # Panics
    /// When the journal is not what the script writes.
    pub fn received(&self) -> Vec<Mail> {
        let text = fs::read_to_string(self.folder.path().join("journal.jsonl")).unwrap_or_default();
        // A last line without its end is still being written.
        text.split_inclusive('\n').filter(|line| line.ends_with('\n')).map(mail).collect()
    }

    /// What it has taken for one recipient: tests share the server.
    pub fn received_for(&self, recipient: &str) -> Vec<Mail> {
        self.received().into_iter().filter(|mail| mail.rcpt.iter().any(|to| to == recipient)).collect()
    }

    /// Puts the server out of order, and waits until it is. Open connections end.
    ///
    /// # Panics
    /// When it does not happen.
    pub fn down(&self, how: Down) {
        let word = match how {
            Down::Refuse => "refuse",
            Down::Busy => "busy",
        };
        fs::write(self.folder.path().join("down"), word).expect("the server's folder can be written");
        eventually(&format!("the mail server is down: {how:?}"), SWITCH_TIME, || match how {
            Down::Refuse => self.greeting().is_none().then_some(()),
            Down::Busy => self.greeting()?.starts_with("421").then_some(()),
        });
    }

    /// Puts it in order again, and waits until it is.
    ///
    /// # Panics
    /// When it does not happen.
    pub fn up(&self) {
        // It may not have been down.
        let _ = fs::remove_file(self.folder.path().join("down"));
        eventually("the mail server is up", SWITCH_TIME, || {
            let greeting = self.greeting()?;
            (!greeting.starts_with("421")).then_some(())
        });
    }

    /// What it says to one who connects: `None` when nobody listens, nothing when it expects TLS first.
    fn greeting(&self) -> Option<String> {
        use std::io::{BufRead as _, BufReader};
        let stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        stream.set_read_timeout(Some(Duration::from_millis(500))).ok()?;
        let mut line = String::new();
        // Silence is an answer here.
        let _ = BufReader::new(stream).read_line(&mut line);
        Some(line)
    }
}

/// Whether the server is here already.
pub(crate) fn is_fetched() -> bool {
    cache::has(&format!("{PACKAGE}-{VERSION}"))
}

fn fetched() -> Result<PathBuf, String> {
    cache::fetched(&format!("{PACKAGE}-{VERSION}"), &format!("fetching {PACKAGE} {VERSION} with npm"), |folder| {
        let npm = tools::npm().map_err(|missing| missing.to_string())?;
        let mut install = Command::new(npm);
        install.args(["install", "--no-fund", "--no-audit", "--loglevel=error", "--ignore-scripts", "--prefix"]).arg(folder);
        run(install.arg(format!("{PACKAGE}@{VERSION}"))).map(|_| ())
    })
}

fn arguments<'a>(options: &'a Options, module: PathBuf, port: u16, folder: &'a Path) -> Arguments<'a> {
    let (security, files) = match &options.security {
        Security::Plain => ("plain", None),
        Security::StartTls(files) => ("starttls", Some(files)),
        Security::Implicit(files) => ("implicit", Some(files)),
    };
    let (user, password) = options.login.as_ref().map(|(user, password)| (user.as_str(), password.as_str())).unzip();
    let (key, cert) = files.map(|files| (files.key.as_path(), files.certificate.as_path())).unzip();
    Arguments { module, port, folder, security, key, cert, user, password }
}

fn start(arguments: &Arguments<'_>, folder: &Path) -> Result<Guarded, String> {
    let node = tools::node().map_err(|missing| missing.to_string())?;
    let script = folder.join("server.mjs");
    let log = folder.join("server.log");
    let failed = |error: std::io::Error| format!("the mail server cannot be started: {error}");
    fs::write(&script, SCRIPT).map_err(failed)?;
    let out = fs::File::options().create(true).append(true).open(&log).map_err(failed)?;
    let err = out.try_clone().map_err(failed)?;
    let json = serde_json::to_string(arguments).map_err(|error| error.to_string())?;
    let mut process =
        Guarded::spawn(Command::new(node).arg(&script).arg(json), Signal::Kill, Stdio::from(out), Stdio::from(err))
            .map_err(failed)?;
    let ready = within("the mail server says that it is ready", START_TIME, || {
        let ready = fs::read_to_string(&log).is_ok_and(|text| text.lines().any(|line| line == "ready"));
        if ready { Some(true) } else { process.exited().map(|_| false) }
    });
    match ready {
        Ok(true) => Ok(process),
        Ok(false) => Err(format!("the mail server ended at its start:{}", tail_of(&log))),
        Err(overdue) => Err(format!("{overdue}{}", tail_of(&log))),
    }
}

fn mail(line: &str) -> Mail {
    let Line { rcpt, from, data, at } = serde_json::from_str(line).expect("the journal holds what the script writes");
    let data = BASE64_STANDARD.decode(data).expect("the script writes base64");
    Mail { rcpt, from, data, at }
}
