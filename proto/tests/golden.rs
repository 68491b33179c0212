//! Version 1 of every message as it was first written, under `proto/golden/v1/`. It must decode for ever.
//!
//! A golden file is never changed: its like lies in somebody's Kafka. When today's encoding differs, either undo the difference
//! or make it a new version. The bytes count too, as the key of a person without an address is made of the encoded lead.
//! To add a message, add it to [`messages`] and run the tests; its files are then written, to be looked at.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;
use std::path::PathBuf;

use leadline_proto::dead_letter::{DeadLetter, ErrorKind, Origin};
use leadline_proto::envelope::DecodeError;
use leadline_proto::keys::PersonHasher;
use leadline_proto::lead::Email;
use leadline_proto::retry::{Class, History, Wait};
use leadline_proto::{
    AcceptedLead, Code, Contact, Headers, Lead, LeadKind, Outcome, Personal, Reference, Status, headers, parse,
};
use serde_json::{Value, json};

const SAMPLE: &str = include_str!("../fixtures/leads/sample.json");
const CAMEL_CASE: &str = include_str!("../fixtures/leads/camel-case.json");
const CONTACT_ME: &str = include_str!("../fixtures/leads/contact-me.json");
const DO_NOT_CONTACT: &str = include_str!("../fixtures/leads/do-not-contact.json");
const EMPTY: &str = include_str!("../fixtures/leads/empty.json");

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden/v1")
}

fn stored(file: &str) -> Vec<u8> {
    std::fs::read(folder().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn stored_headers(name: &str) -> Headers {
    let pairs: Vec<(String, String)> = serde_json::from_slice(&stored(&format!("{name}.headers.json"))).unwrap();
    pairs.into_iter().collect()
}

fn stored_value(name: &str) -> Vec<u8> {
    stored(&format!("{name}.json"))
}

/// A list of pairs, one on a line: headers have an order.
fn headers_file(headers: &Headers) -> Vec<u8> {
    let pairs: Vec<String> = headers.iter().map(|(name, _)| json!([name, headers.text(name).unwrap()]).to_string()).collect();
    format!("[\n  {}\n]\n", pairs.join(",\n  ")).into_bytes()
}

fn line(text: &str) -> Option<Personal> {
    Some(Personal::line(text).unwrap())
}

fn email(text: &str) -> Option<Email> {
    line(text).map(Email::read)
}

fn accepted(number: u8, offer_id: Option<&str>, lead: Lead, raw: &str) -> AcceptedLead {
    let endpoint = "contoso-backup".parse().unwrap();
    AcceptedLead {
        lead_id: format!("019aab1c-9600-7000-8000-0000000000{number:02}").parse().unwrap(),
        person: PersonHasher::new(b"the secret of the golden files").person(&endpoint, &lead),
        endpoint,
        offer_id: offer_id.map(str::to_owned),
        received_at: "2026-11-22T10:00:00.123456Z".parse().unwrap(),
        lead,
        raw: Personal::verbatim(raw).unwrap(),
    }
}

/// The accepted leads, spelt out: what a golden file means must not change when parsing does.
fn leads() -> Vec<(&'static str, AcceptedLead)> {
    let sample = Lead {
        kind: LeadKind::Customer,
        contact: Contact {
            first_name: line("Some"),
            last_name: line("One"),
            email: email("someone@contoso.com"),
            phone: line("16175555555"),
            country: line("USA"),
            company: line("Contoso"),
            job_title: line("Esquire"),
            other: [].into(),
        },
        source: line("AzureMarketplace"),
        action: line("INS"),
        offer: line("Test Microsoft"),
        description: line("Test run through Power Automate"),
        other: [].into(),
    };
    let camel_case = Lead {
        kind: LeadKind::Customer,
        contact: Contact {
            first_name: line("Åsa"),
            last_name: line("Öberg-Müller"),
            email: email("asa@exämple.se"),
            phone: line("+46 8 123 456 78"),
            country: line("SE"),
            company: line("名古屋 Trading \"K.K.\" <b>& Co</b>"),
            job_title: line("VP, \"Sales\""),
            other: [].into(),
        },
        source: line("AzurePortal"),
        action: line("Create"),
        offer: line("Contoso Backup – Enterprise"),
        description: Personal::paragraph("Line one\nBcc: attacker@example.com\nLine three 🚀"),
        other: [].into(),
    };
    let contact_me = Lead {
        kind: LeadKind::Customer,
        contact: Contact {
            first_name: line("Pat"),
            last_name: line("Lee"),
            email: email("pat.lee@adatum.example"),
            country: line("CA"),
            ..Contact::default()
        },
        source: line("AppSource (SPZA)"),
        action: line("PLT"),
        offer: line("docusign.3701c77e-1cfa-4c56-91e6-3ed0b622145a"),
        description: line("We need 500 seats by March. Please call before noon."),
        other: [("CampaignCode".to_owned(), json!("spring-25")), ("ProductId".to_owned(), json!("unknown-member-keep-me"))]
            .into(),
    };
    let do_not_contact = Lead {
        kind: LeadKind::DoNotContact,
        contact: Contact {
            first_name: line("Dana"),
            last_name: line("Ncall"),
            email: email("dana@fabrikam.example"),
            country: line("DE"),
            company: line("Fabrikam"),
            ..Contact::default()
        },
        source: line("SPZA"),
        action: line("DNC"),
        offer: line("Cross-listed partner"),
        ..blank()
    };
    let odd = Lead {
        kind: LeadKind::Test,
        contact: Contact {
            last_name: line("MSFT_TEST_636573304831318844"),
            email: email("n/a"),
            other: [("Age".to_owned(), json!(7.5)), ("Tags".to_owned(), json!(["a", {"b": null}]))].into(),
            ..Contact::default()
        },
        other: [("Consent".to_owned(), json!(true)), ("Score".to_owned(), json!(-3))].into(),
        ..blank()
    };
    let odd_raw = r#"{"UserDetails":{"LastName":"MSFT_TEST_636573304831318844","Email":"n/a","Age":7.5,"Tags":["a",{"b":null}]},"Consent":true,"Score":-3}"#;
    // As its sender named it `order-7`.
    let named = AcceptedLead {
        lead_id: "142e031d-7260-584e-9355-f5b850d79990".parse().unwrap(),
        ..accepted(7, None, Lead { kind: LeadKind::Blank, ..blank() }, EMPTY)
    };
    vec![
        ("accepted-sample", accepted(1, Some("contoso.backup"), sample, SAMPLE)),
        ("accepted-camel-case", accepted(2, None, camel_case, CAMEL_CASE)),
        ("accepted-contact-me", accepted(3, None, contact_me, CONTACT_ME)),
        ("accepted-do-not-contact", accepted(4, None, do_not_contact, DO_NOT_CONTACT)),
        ("accepted-empty", accepted(5, None, Lead { kind: LeadKind::Blank, ..blank() }, EMPTY)),
        ("accepted-odd", accepted(6, None, odd, odd_raw)),
        ("accepted-named", named),
    ]
}

fn blank() -> Lead {
    Lead {
        kind: LeadKind::Blank,
        contact: Contact::default(),
        source: None,
        action: None,
        offer: None,
        description: None,
        other: [].into(),
    }
}

fn outcomes() -> Vec<(&'static str, Outcome)> {
    let delivered = Outcome {
        lead_id: "019aab1c-9600-7000-8000-000000000001".parse().unwrap(),
        sink: "dynamics-eu".parse().unwrap(),
        replay: 2,
        status: Status::Delivered {
            reference: Some(Reference::new("leads/7b0ed5bc-1c5e-4d2c-9c52-000000000001").unwrap()),
            maybe_duplicate: true,
        },
        attempts: 3,
        endpoint: Some("contoso-backup".parse().unwrap()),
        received_at: Some("2026-11-22T10:00:00.123456Z".parse().unwrap()),
        at: "2026-11-22T10:07:30Z".parse().unwrap(),
        reordered: true,
        reason: None,
    };
    let plain = Outcome {
        replay: 0,
        status: Status::Delivered { reference: None, maybe_duplicate: false },
        attempts: 1,
        reordered: false,
        reason: None,
        ..delivered.clone()
    };
    let skipped = Outcome { status: Status::Skipped { rule: Code::of("not_routed") }, attempts: 0, ..plain.clone() };
    let unread = Outcome {
        status: Status::DeadLettered { code: Code::of("poison.syntax") },
        endpoint: None,
        received_at: None,
        ..plain.clone()
    };
    vec![
        ("outcome-delivered", plain),
        ("outcome-delivered-in-full", delivered),
        ("outcome-skipped", skipped),
        ("outcome-dead-lettered", unread),
    ]
}

fn waiting() -> (History, Wait) {
    let history = History {
        attempts: 3,
        round: 2,
        replay: 1,
        first_failed_at: Some("2026-11-22T10:00:01Z".parse().unwrap()),
        progress: vec![Code::of("1a2b3c4d"), Code::of("ffff0000")],
        maybe_duplicate: true,
    };
    let not_before = "2026-11-22T10:15:01.5Z".parse().unwrap();
    (history, Wait { not_before, class: Class::Failed, reason: Code::of("smtp-451-4.7.1") })
}

fn dead_letter() -> DeadLetter {
    DeadLetter {
        origin: Origin { topic: "leads.email.retry".to_owned(), partition: 7, offset: 4_294_967_296 },
        group: "leadline-email".to_owned(),
        worker: "email".to_owned(),
        kind: ErrorKind::Exhausted,
        code: Code::of("smtp-451-4.7.1"),
        attempts: 22,
        replay: 1,
        first_failed_at: "2026-11-22T10:00:01Z".parse().unwrap(),
        last_failed_at: "2026-11-25T10:00:01Z".parse().unwrap(),
    }
}

/// Every golden file with its text of today.
fn messages() -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    let mut headers = |name: &str, headers: &Headers| files.push((format!("{name}.headers.json"), headers_file(headers)));
    let (history, wait) = waiting();
    let mut retry = leads()[0].1.headers();
    history.write(&wait, &mut retry);
    headers("retry", &retry);
    dead_letter().write(&mut retry);
    headers("dead-letter", &retry);
    for (name, lead) in leads() {
        headers(name, &lead.headers());
    }
    for (name, outcome) in outcomes() {
        headers(name, &outcome.headers());
    }
    files.extend(leads().into_iter().map(|(name, lead)| (format!("{name}.json"), lead.encode())));
    files.extend(outcomes().into_iter().map(|(name, outcome)| (format!("{name}.json"), outcome.encode())));
    files
}

#[test]
fn today_is_written_what_was_written_first() {
    let mut new = Vec::new();
    for (file, today) in messages() {
        let path = folder().join(&file);
        if path.exists() {
            let (stored, today) = (String::from_utf8(stored(&file)).unwrap(), String::from_utf8(today).unwrap());
            assert_eq!(stored, today, "{file}");
        } else {
            std::fs::write(path, today).unwrap();
            new.push(file);
        }
    }
    assert!(new.is_empty(), "golden written, look at it and run again: {new:?}");
}

#[test]
fn no_golden_file_is_forgotten() {
    let known: BTreeSet<String> = messages().into_iter().map(|(file, _)| file).collect();
    let found = std::fs::read_dir(folder()).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    assert_eq!(found.filter(|file| !known.contains(file)).collect::<Vec<_>>(), Vec::<String>::new());
}

#[test]
fn stored_leads_decode() {
    for (name, expected) in leads() {
        let headers = stored_headers(name);
        let lead = AcceptedLead::decode(&headers, &stored_value(name)).unwrap();
        // `Debug` hides the texts, so the encoding is what shows a difference.
        assert_eq!(serde_json::to_value(&lead).unwrap(), serde_json::to_value(&expected).unwrap(), "{name}");
        assert!(lead == expected, "{name}");
        assert_eq!(AcceptedLead::claimed_id(&headers), Some(expected.lead_id));
    }
}

#[test]
fn stored_leads_are_what_the_samples_are_read_as() {
    for (name, accepted) in leads() {
        let lead = parse::lead(accepted.raw.expose().as_bytes()).unwrap();
        assert_eq!(serde_json::to_value(&lead).unwrap(), serde_json::to_value(&accepted.lead).unwrap(), "{name}");
    }
}

#[test]
fn stored_outcomes_decode() {
    for (name, expected) in outcomes() {
        assert_eq!(Outcome::decode(&stored_headers(name), &stored_value(name)), Some(expected), "{name}");
    }
}

#[test]
fn stored_headers_of_a_retry_and_of_a_dead_letter_decode() {
    let (history, wait) = waiting();
    for name in ["retry", "dead-letter"] {
        let headers = stored_headers(name);
        assert_eq!(History::read(&headers), history, "{name}");
        assert_eq!(Wait::read(&headers), Some(wait.clone()), "{name}");
    }
    assert_eq!(DeadLetter::read(&stored_headers("retry")), None);
    assert_eq!(DeadLetter::read(&stored_headers("dead-letter")), Some(dead_letter()));
}

/// Adds a member that nobody knows to every object, except to those that hold the sender's own members.
fn grow(value: &mut Value) {
    let Value::Object(members) = value else { return };
    members.iter_mut().filter(|(name, _)| *name != "other").for_each(|(_, value)| grow(value));
    members.insert("a_later_member".to_owned(), json!({"with": ["anything", 1, null]}));
}

#[test]
fn members_of_a_later_version_are_ignored() {
    let grown = |name: &str| {
        let mut value: Value = serde_json::from_slice(&stored_value(name)).unwrap();
        grow(&mut value);
        let headers = stored_headers(name).with("ce_later", "anything");
        (headers, serde_json::to_vec(&value).unwrap())
    };
    for (name, expected) in leads() {
        let (headers, value) = grown(name);
        assert!(String::from_utf8_lossy(&value).matches("a_later_member").count() >= 3, "{name}");
        assert!(AcceptedLead::decode(&headers, &value).as_ref() == Ok(&expected), "{name}");
    }
    for (name, expected) in outcomes() {
        let (headers, value) = grown(name);
        assert_eq!(Outcome::decode(&headers, &value), Some(expected), "{name}");
    }
}

#[test]
fn another_message_is_not_taken_for_version_1() {
    let (lead, outcome) = (stored_value("accepted-sample"), stored_value("outcome-delivered"));
    for other in [
        Headers::new(),
        stored_headers("outcome-delivered"),
        Headers::new().with(headers::CE_TYPE, "leadline.lead.accepted.v2"),
    ] {
        assert_eq!(AcceptedLead::decode(&other, &lead), Err(DecodeError::UnknownType));
    }
    for other in
        [Headers::new(), stored_headers("accepted-sample"), Headers::new().with(headers::CE_TYPE, "leadline.lead.outcome.v2")]
    {
        assert_eq!(Outcome::decode(&other, &outcome), None);
    }
}

#[test]
fn a_broken_value_is_told_without_repeating_it() {
    let headers = stored_headers("accepted-sample");
    let text = String::from_utf8(stored_value("accepted-sample")).unwrap();
    let half = text.len() / 2;
    let broken = [
        ("eof", text[..half].to_owned()),
        ("syntax", format!("{text}Contoso")),
        ("data", text.replacen("\"customer\"", "\"someone@contoso.com\"", 1)),
        ("data", text.replacen("\"contoso-backup\"", "\"Some One\"", 1)),
    ];
    for (expected, value) in broken {
        let error = AcceptedLead::decode(&headers, value.as_bytes()).unwrap_err();
        assert!(matches!(error, DecodeError::Malformed { class, line: 1, .. } if class == expected), "{error}");
        let message = error.to_string();
        assert!(!message.to_lowercase().contains("contoso") && !message.contains("Some"), "{message}");
    }
}
