//! What is searched for, in which forms, and the search itself.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD};
use leadline_tests::fixtures;
use serde_json::Value;

/// Shorter values are words that any log has, such as the last name `One`; they get a tail that none has.
const UNMISTAKABLE: usize = 8;
const TAIL: &str = "zq7x";
/// Microsoft's codes, not the customer's data: left as they are, as the product decides by them.
const CODES: [&str; 2] = ["leadsource", "actioncode"];

/// Something that must not be found.
pub(crate) struct Values(BTreeSet<String>);

/// A text that was looked at, and where it comes from.
pub(crate) struct Trace {
    pub(crate) place: String,
    pub(crate) text: String,
}

impl Values {
    pub(crate) fn of(secrets: impl IntoIterator<Item = String>) -> Self {
        Self(secrets.into_iter().collect())
    }

    /// A sample lead as it is posted. Everything in it is searched for from now on.
    pub(crate) fn sample(&mut self, name: &str) -> Vec<u8> {
        let mut lead: Value = serde_json::from_slice(&fixtures::lead(name)).unwrap();
        self.mark("", &mut lead);
        lead.to_string().into()
    }

    fn mark(&mut self, member: &str, value: &mut Value) {
        match value {
            Value::String(text) if !text.is_empty() => {
                if !CODES.contains(&member.to_lowercase().as_str()) {
                    *text = unmistakable(text);
                }
                self.add(text);
            }
            Value::Object(members) => members.iter_mut().for_each(|(name, value)| self.mark(name, value)),
            Value::Array(items) => items.iter_mut().for_each(|item| self.mark(member, item)),
            Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// The value, each of its lines, and the local part of an address.
    pub(crate) fn add(&mut self, text: &str) {
        let local = text.split_once('@').map(|(local, _)| local).filter(|local| !local.contains(' '));
        let parts = text.lines().chain([text]).chain(local);
        self.0.extend(parts.filter(|part| part.len() >= UNMISTAKABLE).map(str::to_owned));
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Every value that stands somewhere in the traces, with its place and its line.
    pub(crate) fn found_in(&self, traces: &[Trace]) -> Vec<String> {
        let forms: Vec<(&String, BTreeSet<String>)> = self.0.iter().map(|value| (value, forms(value))).collect();
        let mut found = Vec::new();
        for (trace, line) in traces.iter().flat_map(|trace| trace.text.lines().map(move |line| (trace, line))) {
            let lower = line.to_lowercase();
            let hit = |form: &String| line.contains(form.as_str()) || lower.contains(form.as_str());
            let hits = forms.iter().filter(|(_, forms)| forms.iter().any(hit));
            found.extend(hits.map(|(value, _)| format!("{}: `{value}` in: {line}", trace.place)));
        }
        found
    }
}

fn unmistakable(text: &str) -> String {
    match text.split_once('@') {
        Some((local, domain)) if local.len() < UNMISTAKABLE => format!("{local}{TAIL}{TAIL}@{domain}"),
        None if text.len() < UNMISTAKABLE => format!("{text}{TAIL}{TAIL}"),
        Some(_) | None => text.to_owned(),
    }
}

/// The ways in which a value may be written. Those in lower case find any case. Line ends never stand in a line as they are.
fn forms(value: &str) -> BTreeSet<String> {
    let json = serde_json::to_string(value).unwrap().trim_matches('"').to_owned();
    let all = [
        value.to_lowercase(),
        json.to_lowercase(),
        ascii_json(&json).to_lowercase(),
        format!("{value:?}").trim_matches('"').to_lowercase(),
        percent(value).to_lowercase(),
        percent(value).replace("%20", "+").to_lowercase(),
        hex(value),
        BASE64_STANDARD_NO_PAD.encode(value),
        BASE64_URL_SAFE_NO_PAD.encode(value),
    ];
    all.into_iter().collect()
}

fn ascii_json(json: &str) -> String {
    let mut text = String::new();
    for unit in json.encode_utf16() {
        match char::from_u32(unit.into()).filter(char::is_ascii) {
            Some(plain) => text.push(plain),
            None => write!(text, "\\u{unit:04x}").unwrap(),
        }
    }
    text
}

fn percent(value: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    value.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

fn hex(value: &str) -> String {
    value.bytes().map(|byte| format!("{byte:02x}")).collect()
}

/// The search is worth something only if it finds.
pub(crate) fn finds_each_form() {
    let mut values = Values::of(["s3cret-token".to_owned()]);
    let lead = String::from_utf8(values.sample("camel-case")).unwrap();
    assert!(lead.contains("asazq7xzq7x@exämple.se"), "{lead}");
    let trace = |text: &str| [Trace { place: "a log".to_owned(), text: text.to_owned() }];
    for text in [
        "GET /v1/leads/x?sig=S3CRET-TOKEN",
        "dGhl s3cret-token",
        "czNjcmV0LXRva2Vu",
        "7333637265742d746f6b656e",
        "name=Öberg-Müller",
        "name=öberg-MÜLLER",
        r#"{"lastName":"\u00d6berg-M\u00fcller"}"#,
        "name=%C3%96berg-M%C3%BCller",
        "phone=%2B46+8+123+456+78",
        "w5ZiZXJnLU3DvGxsZXI",
        "to=asazq7xzq7x",
        "Bcc: attacker@example.com",
        r"Line one\r\nBcc: attacker@example.com\r\nLine three 🚀",
    ] {
        assert!(!values.found_in(&trace(text)).is_empty(), "not found in: {text}");
    }
    let clean = "2026-11-22T10:00:00Z INFO leadline: recorded lead_id=019ad2f4 some one sales usa";
    assert_eq!(values.found_in(&trace(clean)), Vec::<String>::new());
}
