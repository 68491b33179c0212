//! What is true of every body, tried with random ones.

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::Value;

use super::super::scan::scan;
use super::{CAMEL_CASE, SAMPLE, VALIDATE};
use crate::envelope::AcceptedLead;
use crate::keys::PersonHasher;
use crate::lead::{Email, Lead, LeadKind};
use crate::parse;
use crate::personal::Personal;

const TOP: &[&str] = &["UserDetails", "LeadSource", "ActionCode", "OfferTitle", "Description"];
const DETAILS: &[&str] = &["FirstName", "LastName", "Email", "Phone", "Country", "Company", "Title"];

/// JSON as it is written: a `Value` could hold neither duplicate members nor a number that is out of range.
#[derive(Clone, Debug)]
enum Json {
    /// A number, boolean or null as written.
    Atom(String),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[ \\t\\r\\n\\x00]{0,3}",
        "MSFT_TEST_[0-9]{17,19}",
        "[A-Za-z]{0,5}-?[A-Z]{0,3} ?\\|[a-z.-]{0,8}",
        "[a-z.]{1,5}@[a-z]{1,5}(\\.[a-z]{1,3})?",
    ]
}

fn json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        prop_oneof!["null", "true", "false", "-?(0|[1-9][0-9]{0,25})(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?"]
            .prop_map(Json::Atom),
        any::<f64>().prop_filter("JSON has no such number", |n| n.is_finite()).prop_map(|n| Json::Atom(format!("{n:e}"))),
        text().prop_map(Json::Text),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| prop_oneof![vec(inner.clone(), 0..4).prop_map(Json::List), object(&[], inner)])
}

/// An object whose members often have one of the names.
fn object(names: &'static [&'static str], value: impl Strategy<Value = Json> + Clone + 'static) -> BoxedStrategy<Json> {
    let unknown = prop_oneof!["[A-Za-z]{0,3}", any::<String>()];
    if names.is_empty() {
        return vec((unknown, value), 0..4).prop_map(Json::Object).boxed();
    }
    let known = prop::sample::select(names).prop_map(str::to_owned);
    vec((prop_oneof![3 => known, 1 => unknown], value), 0..10).prop_map(Json::Object).boxed()
}

/// A body; its known names are written in Pascal case.
fn body() -> impl Strategy<Value = Json> {
    let json = json().boxed();
    let value = prop_oneof![1 => object(DETAILS, json.clone()), 2 => json];
    object(TOP, value.boxed())
}

/// How a body is written: what stands between its tokens, and which letters of known names change their case.
#[derive(Clone, Debug)]
struct Layout {
    spaces: Vec<&'static str>,
    flips: Vec<bool>,
}

fn layout() -> impl Strategy<Value = Layout> {
    let space = prop::sample::select(&["", "", " ", "\n", "\t", "\r\n  "]);
    (vec(space, 1..8), vec(any::<bool>(), 1..8)).prop_map(|(spaces, flips)| Layout { spaces, flips })
}

const PLAIN: Layout = Layout { spaces: vec![], flips: vec![] };

impl Layout {
    fn write(&self, body: &Json) -> String {
        let mut out = String::new();
        self.value(body, TOP, &mut out);
        self.space(&mut out);
        out
    }

    /// The length so far chooses the space, so that the same layout gives the same text.
    fn space(&self, out: &mut String) {
        if !self.spaces.is_empty() {
            out.push_str(self.spaces[out.len() % self.spaces.len()]);
        }
    }

    fn value(&self, json: &Json, names: &[&str], out: &mut String) {
        self.space(out);
        match json {
            Json::Atom(text) => out.push_str(text),
            Json::Text(text) => out.push_str(&quoted(text)),
            Json::List(values) => {
                out.push('[');
                for (at, value) in values.iter().enumerate() {
                    self.comma(at, out);
                    self.value(value, &[], out);
                }
                self.space(out);
                out.push(']');
            }
            Json::Object(members) => {
                out.push('{');
                for (at, (name, value)) in members.iter().enumerate() {
                    self.comma(at, out);
                    // A name that is kept as it came, as that of `UserDetails` of another type, must come the same way.
                    let details = name == "UserDetails" && matches!(value, Json::Object(_));
                    let known = names.contains(&name.as_str()) && (details || name != "UserDetails");
                    out.push_str(&quoted(&if known { self.flip(name) } else { name.clone() }));
                    self.space(out);
                    out.push(':');
                    self.value(value, if known && details { DETAILS } else { &[] }, out);
                }
                self.space(out);
                out.push('}');
            }
        }
    }

    fn comma(&self, at: usize, out: &mut String) {
        self.space(out);
        if at > 0 {
            out.push(',');
            self.space(out);
        }
    }

    fn flip(&self, name: &str) -> String {
        let flips = self.flips.iter().copied().cycle().chain(std::iter::repeat(false));
        let swap = |c: char| if c.is_ascii_uppercase() { c.to_ascii_lowercase() } else { c.to_ascii_uppercase() };
        name.chars().zip(flips).map(|(c, flip)| if flip { swap(c) } else { c }).collect()
    }
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

fn accepted(lead: Lead, raw: &str) -> AcceptedLead {
    let endpoint = "contoso".parse().unwrap();
    AcceptedLead {
        lead_id: "0199a5d4-7c00-7000-8000-000000000001".parse().unwrap(),
        person: PersonHasher::new(b"secret").person(&endpoint, &lead),
        endpoint,
        offer_id: None,
        received_at: "2026-11-22T10:00:00Z".parse().unwrap(),
        lead,
        raw: Personal::verbatim(raw).unwrap(),
    }
}

fn only_objects_pass(bytes: &[u8]) -> bool {
    parse::lead(bytes).is_err() || parse::text(bytes).unwrap().trim_start().starts_with('{')
}

/// A token of a JSON string; half of the escapes stand for no character.
fn string_token() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\\\u[dD][89abAB][0-9a-fA-F]{2}",
        "\\\\u[dD][c-fC-F][0-9a-fA-F]{2}",
        "\\\\ud83d\\\\ude80",
        "\\\\u00[0-9a-f]{2}",
        "\\\\[\\\\\"/bfnrt]",
        "[\\[\\]{}ud89abc0-9é🚀]",
    ]
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..300)) {
        prop_assert!(only_objects_pass(&bytes));
    }

    #[test]
    fn a_damaged_lead_is_read_or_refused(
        sample in prop::sample::select(&[SAMPLE, CAMEL_CASE, VALIDATE]),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..5),
    ) {
        let mut bytes = sample.to_vec();
        for (at, byte) in damage {
            *at.get_mut(&mut bytes) = byte;
        }
        prop_assert!(only_objects_pass(&bytes));
    }

    #[test]
    fn every_object_is_a_lead_that_survives_its_envelope(body in body(), layout in layout()) {
        let raw = layout.write(&body);
        let accepted = accepted(parse::lead(raw.as_bytes()).unwrap(), &raw);
        let read = AcceptedLead::decode(&accepted.headers(), &accepted.encode());
        prop_assert!(read.as_ref() == Ok(&accepted));
    }

    #[test]
    fn no_field_is_empty_or_holds_a_control_character(body in body()) {
        let lead = parse::lead(PLAIN.write(&body).as_bytes()).unwrap();
        let contact = &lead.contact;
        let lines = [
            &contact.first_name, &contact.last_name, &contact.phone, &contact.country, &contact.company, &contact.job_title,
            &lead.source, &lead.action, &lead.offer,
        ];
        for line in lines.into_iter().flatten().chain(contact.email.as_ref().map(Email::text)) {
            prop_assert_eq!(Some(line.clone()), Personal::line(line.expose()));
        }
        prop_assert_eq!(&lead.description, &lead.description.as_ref().and_then(|text| Personal::paragraph(text.expose())));
        prop_assert_eq!(lead.kind, LeadKind::of(&lead));
    }

    #[test]
    fn neither_white_space_nor_the_case_of_names_matters(body in body(), layout in layout()) {
        let plain = parse::lead(PLAIN.write(&body).as_bytes()).unwrap();
        let other = parse::lead(layout.write(&body).as_bytes()).unwrap();
        prop_assert!(plain == other);
    }

    #[test]
    fn the_scan_changes_lone_surrogates_and_nothing_else(tokens in vec(string_token(), 0..12), body in body()) {
        let text = PLAIN.write(&body);
        prop_assert_eq!(scan(&text).unwrap(), text.as_str());

        // The parser refuses exactly the lone ones, so it judges independently of the scan.
        let text = format!("\"{}\"", tokens.concat());
        let repaired = scan(&text).unwrap();
        prop_assert_eq!(serde_json::from_str::<Value>(&text).is_ok(), repaired == text);
        prop_assert!(serde_json::from_str::<Value>(&repaired).is_ok());
    }
}
