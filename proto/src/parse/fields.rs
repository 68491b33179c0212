//! From the members of a body to the fields of a [`Lead`]: which name means which field, which of two duplicates counts,
//! and what kind of lead it is.

use std::collections::BTreeMap;

use serde_json::Value;
use serde_json::value::RawValue;

use super::composite;
use super::members::Members;
use crate::lead::{Contact, Email, Lead, LeadKind};
use crate::personal::Personal;

/// Known values by lower-cased name, unknown ones by their own; of duplicates the first that is not empty.
#[derive(Default)]
struct Fields {
    known: BTreeMap<String, String>,
    unknown: BTreeMap<String, Value>,
}

const LEAD: &[&str] = &["leadsource", "actioncode", "offertitle", "description"];
const CONTACT: &[&str] = &["firstname", "lastname", "email", "phone", "country", "company", "title"];

impl Fields {
    /// Sorts the members into known and unknown; `nested` receives the value of each known object member.
    fn sort(&mut self, members: Members<'_>, known: &[&str], mut nested: impl FnMut(&str, &RawValue) -> bool) {
        for (name, value) in members.0 {
            let lower = name.to_lowercase();
            if nested(&lower, value) {
                continue;
            }
            if known.contains(&lower.as_str()) {
                // Asked of `Personal`, as a text of control characters only is empty too and must not hide a duplicate.
                if let Some(text) = text(value).filter(|text| !Personal::is_blank(text)) {
                    self.known.entry(lower).or_insert(text);
                }
            } else {
                let kept = self.unknown.entry(name).or_default();
                if kept.is_null() || kept == "" {
                    *kept = any(value);
                }
            }
        }
    }

    fn line(&mut self, name: &str) -> Option<Personal> {
        self.known.remove(name).and_then(|text| Personal::line(&text))
    }
}

/// A value as text: a string as it is, a number or a boolean as written, an array or object as its JSON text, null absent.
pub(super) fn text(value: &RawValue) -> Option<String> {
    match value.get() {
        "null" => None,
        string if string.starts_with('"') => serde_json::from_str(string).ok(),
        other => Some(compact(other)),
    }
}

/// JSON without the white space between its tokens: how a sender lays out its text must not change a lead.
fn compact(json: &str) -> String {
    let (mut in_string, mut escaped) = (false, false);
    let kept = json.chars().filter(|&c| {
        let keep = in_string || !c.is_ascii_whitespace();
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => in_string = !in_string,
            _ => {}
        }
        keep
    });
    kept.collect()
}

/// A value of any type. JSON sets no limit to a number; a value with one that is out of range is kept as its text.
pub(super) fn any(value: &RawValue) -> Value {
    serde_json::from_str(value.get()).unwrap_or_else(|_| Value::String(compact(value.get())))
}

pub(super) fn lead(members: Members<'_>) -> Lead {
    let mut contact = Fields::default();
    let mut lead = Fields::default();
    lead.sort(members, LEAD, |name, value| {
        // A `UserDetails` that is null is absent. One of another type holds no field; it stays with the unknown members.
        match (name == "userdetails").then(|| serde_json::from_str::<Option<Members>>(value.get())) {
            Some(Ok(details)) => {
                contact.sort(details.unwrap_or_default(), CONTACT, |_, _| false);
                true
            }
            _ => false,
        }
    });
    assemble(lead, contact)
}

fn assemble(mut fields: Fields, mut contact: Fields) -> Lead {
    let source = fields.line("leadsource");
    let parts = source.as_ref().map(|source| composite::split(source.expose()));
    let part = |text: Option<&str>| text.and_then(Personal::line);
    let action = fields.line("actioncode").or_else(|| part(parts.as_ref().and_then(|parts| parts.action)));
    let offer = fields.line("offertitle").or_else(|| part(parts.as_ref().and_then(|parts| parts.offer)));
    let source = part(parts.map(|parts| parts.source));
    let contact = Contact {
        first_name: contact.line("firstname"),
        last_name: contact.line("lastname"),
        email: contact.line("email").map(Email::read),
        phone: contact.line("phone"),
        country: contact.line("country"),
        company: contact.line("company"),
        job_title: contact.line("title"),
        other: contact.unknown,
    };
    let description = fields.known.remove("description").and_then(|text| Personal::paragraph(&text));
    let mut lead = Lead { kind: LeadKind::Customer, contact, source, action, offer, description, other: fields.unknown };
    lead.kind = LeadKind::of(&lead);
    lead
}
