//! Messages, built and read back by another library.

use std::sync::Arc;

use leadline_proto::Personal;
use leadline_proto::lead::Email;
use mail_parser::{Address as Parsed, HeaderValue as Value, MessageParser};

use super::*;
use crate::tests::{BODY, task};

fn composer() -> Composer {
    Composer::new("Leadline <leads@own.example>".parse().unwrap()).unwrap()
}

fn bytes(task: &Task) -> Vec<u8> {
    let composer = composer();
    let content = composer.content(&task.lead).unwrap();
    composer.mail(task, &content, &Recipient::read("sales@x.example").unwrap()).unwrap().bytes
}

fn parse(bytes: &[u8]) -> mail_parser::Message<'_> {
    MessageParser::default().parse(bytes).unwrap()
}

fn only(address: Option<&Parsed<'_>>) -> (Option<String>, String) {
    let parsed = address.unwrap();
    assert_eq!(parsed.iter().count(), 1);
    let first = parsed.first().unwrap();
    (first.name.as_ref().map(ToString::to_string), first.address.as_ref().unwrap().to_string())
}

/// A lead with every text set to this, past the edge that would have cleaned it.
fn hostile(text: &str) -> Task {
    let mut task = task(BODY);
    let value = || Personal::verbatim(text);
    let lead = &mut Arc::make_mut(&mut task.lead).lead;
    (lead.contact.first_name, lead.contact.last_name, lead.contact.company) = (value(), value(), value());
    (lead.offer, lead.description) = (value(), value());
    lead.other.insert(text.to_owned(), text.into());
    task
}

#[test]
fn headers_are_as_they_should_be() {
    let bytes = bytes(&task(BODY));
    let mail = parse(&bytes);
    let hash = recipient_hash("sales@x.example");
    assert_eq!(mail.message_id(), Some(format!("00000000-0000-0000-0000-000000000007.{hash}.0@own.example").as_str()));
    assert_eq!(mail.date().unwrap().to_rfc3339(), "2026-11-22T10:00:00Z");
    assert_eq!(mail.subject(), Some("Lead: Ann Lee, Contoso – Backup"));
    assert_eq!(only(mail.from()), (Some("Leadline".to_owned()), "leads@own.example".to_owned()));
    assert_eq!(only(mail.to()), (None, "sales@x.example".to_owned()));
    assert_eq!(only(mail.reply_to()), (Some("Ann Lee".to_owned()), "ann@contoso.example".to_owned()));
    for (name, value) in [("Auto-Submitted", "auto-generated"), ("X-Auto-Response-Suppress", "All")] {
        assert_eq!(mail.header(name).and_then(Value::as_text), Some(value));
    }
    assert_eq!((mail.text_body_count(), mail.html_body_count()), (1, 1));
    assert!(mail.body_text(0).unwrap().contains("E-mail: ann@contoso.example\r\n"));
    assert!(mail.body_html(0).unwrap().contains("Call me."));
}

#[test]
fn a_message_is_ascii_with_short_lines() {
    let texts =
        ["Jörg 株式会社 🎉".to_owned(), "x".repeat(10_000), "ü ".repeat(5_000), "a\r\n.\r\nMAIL FROM:<x@y.example>".to_owned()];
    for text in texts {
        let bytes = bytes(&hostile(&text));
        assert!(bytes.is_ascii());
        let longest = bytes.split(|byte| *byte == b'\n').map(<[u8]>::len).max().unwrap();
        assert!(longest <= 999, "{longest}");
    }
}

#[test]
fn non_ascii_texts_arrive_as_they_are() {
    let task = hostile("Jörg 株式会社 🎉");
    let bytes = bytes(&task);
    let mail = parse(&bytes);
    assert!(mail.subject().unwrap().contains("Jörg 株式会社 🎉"));
    assert_eq!(only(mail.reply_to()).0.unwrap(), "Jörg 株式会社 🎉 Jörg 株式会社 🎉");
    assert!(mail.body_text(0).unwrap().contains("Company: Jörg 株式会社 🎉"));
    assert!(mail.body_html(0).unwrap().contains("Jörg 株式会社 🎉"));
}

#[test]
fn no_text_becomes_a_header() {
    for text in
        ["x\r\nBcc: evil@z.example\r\n\r\nx", "x\nBcc: evil@z.example", "x\rBcc: evil@z.example", "\u{0}\u{b}\u{7f}\u{85}x"]
    {
        let bytes = bytes(&hostile(text));
        let mail = parse(&bytes);
        assert!(mail.bcc().is_none() && mail.cc().is_none());
        let names: Vec<&str> = mail.headers().iter().map(mail_parser::Header::name).collect();
        assert_eq!(names.len(), 10, "{names:?}");
        assert_eq!(only(mail.to()).1, "sales@x.example");
        assert!(!mail.subject().unwrap().contains(char::is_control));
        assert!(!only(mail.reply_to()).0.unwrap().contains(char::is_control));
    }
}

#[test]
fn a_long_subject_is_cut() {
    let bytes = bytes(&hostile(&"x".repeat(10_000)));
    let mail = parse(&bytes);
    assert_eq!(mail.subject().unwrap().chars().count(), MAX_SUBJECT + 1);
    assert!(mail.subject().unwrap().ends_with('…'));
    assert_eq!(only(mail.reply_to()).0.unwrap().chars().count(), MAX_NAME + 1);
}

#[test]
fn texts_are_escaped_in_html() {
    let bytes = bytes(&hostile("<script>alert('1')</script><img src=x>"));
    let mail = parse(&bytes);
    let html = mail.body_html(0).unwrap();
    assert!(!html.contains("<script") && !html.contains("<img"), "{html}");
    assert!(html.contains("&lt;script&gt;"));
}

#[test]
fn kinds_show_in_the_subject() {
    let of = |body: &str| parse(&bytes(&task(body))).subject().unwrap().to_owned();
    assert_eq!(
        of(r#"{"UserDetails":{"FirstName":"MSFT_TEST_636573304831318844"}}"#),
        "[Test] Lead: MSFT_TEST_636573304831318844 – contoso.backup"
    );
    assert_eq!(of(r#"{"LeadSource":"AzureMarketplace"}"#), "[Blank] Lead – contoso.backup");
    assert_eq!(
        of(r#"{"UserDetails":{"Email":"a@b.example"},"ActionCode":"DNC"}"#),
        "[Do not contact] Lead: a@b.example – contoso.backup"
    );
}

#[test]
fn who_is_not_to_be_contacted_gets_no_answer_by_mistake() {
    let bytes = bytes(&task(r#"{"UserDetails":{"Email":"a@b.example"},"ActionCode":"DNC"}"#));
    let mail = parse(&bytes);
    assert!(mail.reply_to().is_none());
    assert!(mail.body_text(0).unwrap().contains("DO NOT CONTACT"));
    assert!(mail.body_html(0).unwrap().contains("Do not contact"));
}

#[test]
fn answers_go_only_to_addresses_every_server_takes() {
    let of = |address: &str| {
        let mut task = task(BODY);
        Arc::make_mut(&mut task.lead).lead.contact.email = Some(Email::read(Personal::verbatim(address).unwrap()));
        parse(&bytes(&task)).reply_to().map(|address| only(Some(address)).1)
    };
    assert_eq!(of("jo@bücher.example").as_deref(), Some("jo@xn--bcher-kva.example"));
    assert_eq!(of("jörg@x.example"), None);
    assert_eq!(of("n/a"), None);
    assert_eq!(of("jo@x.example\r\nBcc: evil@z.example"), None);
    assert_eq!(of("jo@x.example, evil@z.example"), None);
}

#[test]
fn the_message_id_tells_replays_and_recipients_apart() {
    let mut task = task(BODY);
    let (a, b) = (Recipient::read("a@x.example").unwrap(), Recipient::read("b@x.example").unwrap());
    let first = stem(&task, &a);
    assert_ne!(first, stem(&task, &b));
    assert_eq!(first, stem(&task, &Recipient::read("A@X.example").unwrap()));
    task.history.replay = 1;
    assert_ne!(first, stem(&task, &a));
}

#[test]
fn a_panic_while_building_costs_only_the_lead() {
    let (mut task, composer) = (task(BODY), composer());
    // Before 1970, which lettre's Date header cannot say.
    Arc::make_mut(&mut task.lead).received_at = "1900-01-01T00:00:00Z".parse().unwrap();
    let content = composer.content(&task.lead).unwrap();
    let built = composer.mail(&task, &content, &Recipient::read("a@x.example").unwrap());
    assert_eq!(built.map(|mail| mail.bytes.len()).unwrap_err().code(), Code::of("message-unbuildable"));
}
