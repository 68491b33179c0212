//! What a mail server's answer, or its silence, means for a lead: one table, read from top to bottom.
//!
//! The text of an answer is looked at once, for three phrases that no reply code tells, and never kept: servers repeat
//! addresses in it. How the answers are fetched belongs in `smtp`.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use leadline_proto::Code;
use leadline_runtime::sink::{DownReason, Failure, Permanent, SinkDown, Transient};

/// How long to leave a full mailbox or a used-up quota alone: people and calendars need hours, not seconds.
const SLOWLY: Duration = Duration::from_secs(3600);

/// How far a dialogue had come when it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Name lookup and TCP connection; waiting for a free connection too.
    Connect,
    /// TLS handshake.
    Tls,
    /// Greeting, `EHLO` and `STARTTLS`.
    Greeting,
    /// `AUTH`
    Auth,
    /// `MAIL FROM`
    Mail,
    /// `RCPT TO`
    Rcpt,
    /// `DATA`
    Data,
    /// The message, up to its final dot.
    Body,
    /// The final dot was sent or may have been: from here on the server may have accepted the message.
    Dot,
}

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// All own connections stayed in use for too long.
    Busy,
    /// Nothing came in time.
    Timeout,
    /// No connection, or one that broke or no longer made sense.
    Lost,
    /// The certificate was refused, or the other side does not speak TLS.
    Untrusted,
    /// The server does not offer what is needed: encryption, a way to authenticate, non-ASCII addresses.
    Unsupported,
    /// The lead has another owner by now.
    Forfeited,
    /// The server said no.
    Reply(Reply),
}

/// A failed dialogue.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.code())]
pub(crate) struct SmtpError {
    /// How far it had come.
    pub(crate) stage: Stage,
    /// What went wrong.
    pub(crate) fault: Fault,
}

/// A negative reply, without its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    code: u16,
    enhanced: Option<Enhanced>,
    hint: Option<Hint>,
}

/// An enhanced status code (RFC 3463): class, subject, detail.
type Enhanced = (u16, u16, u16);

/// What only the text tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hint {
    /// The account's quota of the day is used up (Office 365).
    Quota,
    /// The account may not send as this sender (Office 365).
    SendAs,
    /// The recipient's mailbox is full.
    Full,
}

impl Stage {
    fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Greeting => "greeting",
            Self::Auth => "auth",
            Self::Mail => "mail",
            Self::Rcpt => "rcpt",
            Self::Data => "data",
            Self::Body => "body",
            Self::Dot => "dot",
        }
    }

    /// Whether no message was involved yet, so that every lead would have met the same.
    fn is_setup(self) -> bool {
        match self {
            Self::Connect | Self::Tls | Self::Greeting | Self::Auth => true,
            Self::Mail | Self::Rcpt | Self::Data | Self::Body | Self::Dot => false,
        }
    }
}

impl Reply {
    /// Reads a reply; `None` when the code is not one of refusal.
    pub(crate) fn read(code: u16, text: &str) -> Option<Self> {
        let class = code / 100;
        matches!(class, 4 | 5).then(|| Self { code, enhanced: enhanced(class, text), hint: hint(text) })
    }

    /// Whether the server closes the connection with this reply.
    pub(crate) fn closes(&self) -> bool {
        self.code == 421
    }

    fn text(&self) -> String {
        match self.enhanced {
            Some((class, subject, detail)) => format!("{}-{class}.{subject}.{detail}", self.code),
            None => self.code.to_string(),
        }
    }
}

/// The enhanced code at the start of a text. One whose class contradicts the reply code does not count.
fn enhanced(class: u16, text: &str) -> Option<Enhanced> {
    let mut parts = text.split_whitespace().next()?.split('.');
    let mut number = || parts.next().filter(|part| part.len() <= 3)?.parse::<u16>().ok();
    let code = (number()?, number()?, number()?);
    (parts.next().is_none() && code.0 == class).then_some(code)
}

fn hint(text: &str) -> Option<Hint> {
    let text = text.to_ascii_lowercase();
    let phrases = [
        ("submissionquotaexceeded", Hint::Quota),
        ("sendasdenied", Hint::SendAs),
        ("mailbox full", Hint::Full),
        ("mailbox is full", Hint::Full),
    ];
    phrases.into_iter().find_map(|(phrase, hint)| text.contains(phrase).then_some(hint))
}

impl SmtpError {
    /// A failure at a stage.
    pub(crate) fn new(stage: Stage, fault: Fault) -> Self {
        Self { stage, fault }
    }

    /// The failure as a code, such as `smtp-rcpt-550-5.1.1`.
    pub(crate) fn code(&self) -> Code {
        let what = match &self.fault {
            Fault::Busy => "busy".to_owned(),
            Fault::Timeout => "timeout".to_owned(),
            Fault::Lost => "lost".to_owned(),
            Fault::Untrusted => "untrusted".to_owned(),
            Fault::Unsupported => "unsupported".to_owned(),
            Fault::Forfeited => "forfeited".to_owned(),
            Fault::Reply(reply) => reply.text(),
        };
        Code::new(format!("smtp-{}-{what}", self.stage.as_str())).unwrap_or(Code::of("smtp-failed"))
    }

    /// Whether a used connection had died before it was told anything, so that a new one can be tried without a trace.
    pub(crate) fn is_stale(&self) -> bool {
        self.stage == Stage::Mail
            && match &self.fault {
                Fault::Lost => true,
                Fault::Reply(reply) => reply.closes(),
                Fault::Busy | Fault::Timeout | Fault::Untrusted | Fault::Unsupported | Fault::Forfeited => false,
            }
    }
}

/// What a failure means. `now` is the present, from which waits are counted.
pub(crate) fn classify(error: &SmtpError, now: Timestamp) -> Failure {
    let code = error.code();
    match &error.fault {
        Fault::Busy => down(DownReason::Throttled, code),
        Fault::Untrusted => down(DownReason::Misconfigured, code),
        Fault::Unsupported if error.stage.is_setup() => down(DownReason::Misconfigured, code),
        Fault::Unsupported => Failure::Permanent(Permanent::of(code)),
        Fault::Forfeited => Failure::Forfeited,
        Fault::Timeout | Fault::Lost if error.stage.is_setup() => down(DownReason::Unreachable, code),
        Fault::Timeout | Fault::Lost => {
            let (ambiguous, silent) = (error.stage == Stage::Dot, error.fault == Fault::Timeout);
            Failure::Transient(Transient { ambiguous, silent, ..Transient::of(code) })
        }
        Fault::Reply(reply) => refused(error.stage, reply, code, now),
    }
}

/// The rows of the table that are about replies; the first that fits counts.
fn refused(stage: Stage, reply: &Reply, code: Code, now: Timestamp) -> Failure {
    let enhanced = reply.enhanced.map(|(_, subject, detail)| (subject, detail));
    let permanent = reply.code >= 500;
    if reply.hint == Some(Hint::Quota) {
        return Failure::SinkDown(SinkDown { until: later(now), ..SinkDown::of(DownReason::Throttled, code) });
    }
    if stage.is_setup() {
        return down(if permanent { DownReason::Misconfigured } else { DownReason::Throttled }, code);
    }
    if permanent && (is_about_us(reply, enhanced) || stage == Stage::Mail && !is_full(reply, enhanced)) {
        // `MAIL` names nothing but the sender of the configuration: what it meets, every lead would meet.
        return down(DownReason::Misconfigured, code);
    }
    if is_full(reply, enhanced) {
        return Failure::Transient(Transient { after: Some(SLOWLY), ..Transient::of(code) });
    }
    // RFC 5321 4.5.3.1.10: at `RCPT` 552 means 452, unless the enhanced code says that the message is too big.
    let full_for_now = stage == Stage::Rcpt && reply.code == 552 && enhanced != Some((3, 4));
    if permanent && !full_for_now { Failure::Permanent(Permanent::of(code)) } else { Failure::Transient(Transient::of(code)) }
}

/// Whether the refusal is of this client's credentials or rights: 5.7.30 is Office 365's "basic authentication is off".
fn is_about_us(reply: &Reply, enhanced: Option<(u16, u16)>) -> bool {
    matches!(reply.code, 530 | 534 | 535 | 538) || matches!(enhanced, Some((7, 30 | 60))) || reply.hint == Some(Hint::SendAs)
}

/// Whether the recipient's mailbox is full, which people put right.
fn is_full(reply: &Reply, enhanced: Option<(u16, u16)>) -> bool {
    enhanced == Some((2, 2)) || reply.hint == Some(Hint::Full)
}

fn down(why: DownReason, code: Code) -> Failure {
    Failure::SinkDown(SinkDown::of(why, code))
}

fn later(now: Timestamp) -> Option<Timestamp> {
    let wait = SignedDuration::try_from(SLOWLY).ok()?;
    now.checked_add(wait).ok()
}

#[cfg(test)]
mod tests;
