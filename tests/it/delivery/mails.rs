//! The mails of the sample leads, as a mail program reads them.

use std::collections::BTreeMap;

use leadline_proto::keys::recipient_hash;
use leadline_tests::smtp::{Mail, SmtpServer};
use mail_parser::{HeaderValue, Message, MessageParser};
use uuid::Uuid;

use super::samples::{self, Sample};

/// Fails unless the recipient has got exactly one mail for each lead, and each is as it should be.
pub(super) fn check(smtp: &SmtpServer, recipient: &str, leads: &BTreeMap<&str, Uuid>) {
    let mails = smtp.received_for(recipient);
    assert_eq!(mails.len(), leads.len(), "one mail a lead for {recipient}");
    for sample in samples::ALL {
        let lead = leads[sample.name];
        let mail = mails.iter().find(|mail| lead_id(&mail.data) == lead);
        check_mail(mail.unwrap_or_else(|| panic!("{recipient} has no mail for {}", sample.name)), recipient, sample);
    }
}

/// Which lead a mail is about.
pub(super) fn lead_id(mail: &[u8]) -> Uuid {
    parsed(mail).message_id().and_then(|id| id.split('.').next()?.parse().ok()).expect("a Message-ID begins with the lead id")
}

fn parsed(mail: &[u8]) -> Message<'_> {
    MessageParser::default().parse(mail).expect("a mail can be read")
}

fn check_mail(mail: &Mail, recipient: &str, sample: &Sample) {
    assert_eq!(mail.rcpt, [recipient], "nobody else gets this mail");
    let message = parsed(&mail.data);
    let domain = mail.from.rsplit('@').next().unwrap();
    let id = format!("{}.{}.0@{domain}", lead_id(&mail.data), recipient_hash(recipient));
    assert_eq!(message.message_id(), Some(id.as_str()));
    assert_eq!(message.subject(), Some(sample.subject));
    let reply_to = message.reply_to().map(|address| address.first().unwrap().address.as_deref().unwrap());
    assert_eq!(reply_to, sample.reply_to, "Reply-To of {}", sample.name);
    assert_eq!(message.header("Auto-Submitted").and_then(HeaderValue::as_text), Some("auto-generated"));
    for header in ["Bcc", "Cc"] {
        assert!(message.header(header).is_none(), "{header} of {}", sample.name);
    }
    check_parts(&message, sample);
}

/// The same words twice: as plain text, and as HTML in which nothing of the lead is markup.
fn check_parts(message: &Message<'_>, sample: &Sample) {
    let content_type = message.header("Content-Type").and_then(HeaderValue::as_content_type).unwrap();
    assert_eq!((content_type.ctype(), content_type.subtype()), ("multipart", Some("alternative")));
    assert_eq!((message.text_body_count(), message.html_body_count()), (1, 1));
    let (text, html) = (message.body_text(0).unwrap(), message.body_html(0).unwrap());
    assert!(text.lines().any(|line| line == sample.line), "{}:\n{text}", sample.name);
    assert!(html.contains("<!DOCTYPE html>"));
    if sample.name == "camel-case" {
        assert!(html.contains("&lt;b&gt;&amp; Co") && !html.contains("<b>"), "{html}");
        assert!(text.contains("Line one\r\nBcc: attacker@example.com\r\nLine three 🚀"), "{text}");
    }
}
