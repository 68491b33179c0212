//! The table, row by row.

use super::*;

/// A class in short, as it stands in the table.
#[derive(Debug, PartialEq)]
enum Class {
    Down(DownReason),
    Quota,
    Retry,
    Slowly,
    Ambiguous,
    Dead,
}
use Class::{Ambiguous, Dead, Down, Quota, Retry, Slowly};
use DownReason::{Misconfigured, Throttled, Unreachable};

fn class(stage: Stage, fault: Fault) -> Class {
    match classify(&SmtpError::new(stage, fault), Timestamp::UNIX_EPOCH) {
        Failure::Permanent(_) => Dead,
        Failure::Transient(Transient { ambiguous: true, .. }) => Ambiguous,
        Failure::Transient(Transient { after: Some(_), .. }) => Slowly,
        Failure::Transient(_) => Retry,
        Failure::SinkDown(down) if down.until.is_some() => Quota,
        Failure::SinkDown(down) => Down(down.why),
        Failure::Forfeited => panic!("no server can say that"),
    }
}

const STAGES: [Stage; 9] =
    [Stage::Connect, Stage::Tls, Stage::Greeting, Stage::Auth, Stage::Mail, Stage::Rcpt, Stage::Data, Stage::Body, Stage::Dot];

#[test]
fn replies() {
    let table = [
        // Before a message is involved the server as a whole is meant.
        (Stage::Greeting, 421, "4.3.2 too busy", Down(Throttled)),
        (Stage::Greeting, 554, "no service for you", Down(Misconfigured)),
        (Stage::Auth, 432, "4.3.2 Concurrent connections limit exceeded", Down(Throttled)),
        (Stage::Auth, 454, "4.7.0 temporary failure", Down(Throttled)),
        (Stage::Auth, 421, "", Down(Throttled)),
        (Stage::Auth, 530, "", Down(Misconfigured)),
        (Stage::Auth, 534, "", Down(Misconfigured)),
        (Stage::Auth, 535, "5.7.8 bad credentials", Down(Misconfigured)),
        (Stage::Auth, 538, "", Down(Misconfigured)),
        (Stage::Auth, 550, "5.7.30 Basic authentication is not supported", Down(Misconfigured)),
        // 421 may answer any command.
        (Stage::Mail, 421, "", Retry),
        (Stage::Rcpt, 421, "4.7.0 closing", Retry),
        (Stage::Dot, 421, "", Retry),
        // Refusals of this client.
        (Stage::Mail, 530, "5.7.57 Client not authenticated", Down(Misconfigured)),
        (Stage::Mail, 550, "5.7.30 Basic authentication is not supported", Down(Misconfigured)),
        (Stage::Dot, 550, "5.7.60 SendAsDenied", Down(Misconfigured)),
        (Stage::Dot, 554, "5.7.60 SMTP; Client does not have permissions to send as this sender", Down(Misconfigured)),
        (Stage::Dot, 554, "5.2.252 SendAsDenied; not allowed to send as", Down(Misconfigured)),
        (Stage::Mail, 553, "5.7.1 Sender address rejected: not owned by user", Down(Misconfigured)),
        // Quotas, although 5yz.
        (Stage::Dot, 554, "5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException", Quota),
        (Stage::Mail, 554, "5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException", Quota),
        (Stage::Rcpt, 554, "5.2.2 mailbox full", Slowly),
        (Stage::Rcpt, 552, "5.2.2 over quota", Slowly),
        (Stage::Rcpt, 550, "the mailbox is full", Slowly),
        (Stage::Dot, 452, "4.2.2 mailbox full", Slowly),
        // Too big, and too many.
        (Stage::Dot, 552, "message exceeds fixed limit", Dead),
        (Stage::Data, 552, "", Dead),
        (Stage::Dot, 554, "5.3.4 message too big", Dead),
        (Stage::Rcpt, 552, "5.3.4 message too big", Dead),
        (Stage::Rcpt, 552, "5.5.3 too many recipients", Retry),
        (Stage::Rcpt, 552, "", Retry),
        // The rest by its first digit.
        (Stage::Rcpt, 450, "4.2.1 greylisted", Retry),
        (Stage::Rcpt, 451, "", Retry),
        (Stage::Dot, 451, "4.7.1 try later", Retry),
        (Stage::Mail, 452, "", Retry),
        (Stage::Mail, 454, "", Retry),
        (Stage::Dot, 432, "4.3.2 STOREDRV.ClientSubmit; sender thread limit exceeded", Retry),
        (Stage::Data, 471, "", Retry),
        (Stage::Rcpt, 550, "5.1.1 no such user", Dead),
        (Stage::Rcpt, 551, "", Dead),
        (Stage::Rcpt, 553, "5.1.3 bad address", Dead),
        (Stage::Data, 554, "no valid recipients", Dead),
        (Stage::Dot, 554, "5.7.1 spam", Dead),
        (Stage::Rcpt, 501, "", Dead),
        (Stage::Data, 503, "", Dead),
        (Stage::Rcpt, 555, "", Dead),
        (Stage::Dot, 599, "", Dead),
    ];
    for (stage, code, text, expected) in table {
        let reply = Reply::read(code, text).unwrap();
        assert_eq!(class(stage, Fault::Reply(reply)), expected, "{stage:?} {code} {text}");
    }
}

#[test]
fn silence_and_broken_connections() {
    for fault in [Fault::Timeout, Fault::Lost] {
        for stage in STAGES {
            let expected = match stage {
                Stage::Connect | Stage::Tls | Stage::Greeting | Stage::Auth => Down(Unreachable),
                Stage::Mail | Stage::Rcpt | Stage::Data | Stage::Body => Retry,
                Stage::Dot => Ambiguous,
            };
            assert_eq!(class(stage, fault.clone()), expected, "{stage:?} {fault:?}");
        }
    }
}

#[test]
fn what_is_not_offered() {
    assert_eq!(class(Stage::Tls, Fault::Untrusted), Down(Misconfigured));
    assert_eq!(class(Stage::Greeting, Fault::Unsupported), Down(Misconfigured));
    assert_eq!(class(Stage::Auth, Fault::Unsupported), Down(Misconfigured));
    assert_eq!(class(Stage::Mail, Fault::Unsupported), Dead);
    assert_eq!(class(Stage::Connect, Fault::Busy), Down(Throttled));
}

#[test]
fn codes_tell_the_stage_and_no_text() {
    let code = |code, text| SmtpError::new(Stage::Rcpt, Fault::Reply(Reply::read(code, text).unwrap())).code().to_string();
    assert_eq!(code(550, "5.1.1 <ann@contoso.com> unknown"), "smtp-rcpt-550-5.1.1");
    assert_eq!(code(550, "<ann@contoso.com> unknown"), "smtp-rcpt-550");
    // A class that contradicts the reply, and numbers that are none.
    assert_eq!(code(450, "5.1.1 unknown"), "smtp-rcpt-450");
    assert_eq!(code(550, "5.1.1.9 x"), "smtp-rcpt-550");
    assert_eq!(code(550, "5.1111.1 x"), "smtp-rcpt-550");
    assert_eq!(SmtpError::new(Stage::Dot, Fault::Timeout).to_string(), "smtp-dot-timeout");
    assert_eq!(Reply::read(354, "go"), None);
}

#[test]
fn only_a_connection_that_died_unused_is_stale() {
    let closing = Fault::Reply(Reply::read(421, "").unwrap());
    assert!(SmtpError::new(Stage::Mail, closing.clone()).is_stale());
    assert!(SmtpError::new(Stage::Mail, Fault::Lost).is_stale());
    assert!(!SmtpError::new(Stage::Mail, Fault::Timeout).is_stale());
    assert!(!SmtpError::new(Stage::Rcpt, closing).is_stale());
    assert!(!SmtpError::new(Stage::Mail, Fault::Reply(Reply::read(451, "").unwrap())).is_stale());
}
