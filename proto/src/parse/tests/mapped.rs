//! Payloads of other senders, read by the places of a mapping.

use super::*;
use crate::mapping::Mapping;

fn mapping(places: Value) -> Mapping {
    serde_json::from_value(places).unwrap()
}

fn mapped(body: Value, places: Value) -> Lead {
    crate::parse::mapped_lead(body.to_string().as_bytes(), &mapping(places)).unwrap()
}

#[test]
fn every_field_has_its_place() {
    let body = json!({
        "contact": {"mail": "ann@contoso.com", "name": {"given": "Ann", "family": "Lee"}, "tel": 4681, "vip": true},
        "org": "Contoso", "role": "CTO", "land": "SE",
        "meta": {"from": "web|form-x", "did": "PLT", "what": "Backup"},
        "notes": ["first\nline", "second"],
        "score": 7,
    });
    let lead = mapped(
        body,
        json!({
            "email": "/contact/mail", "first_name": "/contact/name/given", "last_name": "/contact/name/family",
            "phone": "/contact/tel", "company": "/org", "title": "/role", "country": "/land", "source": "/meta/from",
            "action": "/meta/did", "offer": "/meta/what", "description": "/notes/0",
        }),
    );
    let expected = [
        ("first_name", "Ann"),
        ("last_name", "Lee"),
        ("email", "ann@contoso.com"),
        ("phone", "4681"),
        ("country", "SE"),
        ("company", "Contoso"),
        ("job_title", "CTO"),
        ("source", "web|form-x"),
        ("action", "PLT"),
        ("offer", "Backup"),
        ("description", "first\nline"),
    ];
    assert_eq!(texts(&lead), expected);
    assert_eq!(lead.contact.address(), Some("ann@contoso.com"));
    let rest = json!({"contact": {"vip": true}, "notes": [null, "second"], "score": 7});
    assert_eq!(unknown(&lead), json!({"lead": rest, "contact": {}}));
}

#[test]
fn a_place_is_exact_and_may_be_missing() {
    let body = json!({"Mail": "a@b.example", "person": "not an object", "UserDetails": {"Email": "c@d.example"}});
    let lead = mapped(body.clone(), json!({"email": "/mail", "phone": "/person/phone", "country": "/person/0"}));
    assert_eq!(texts(&lead), []);
    assert_eq!(lead.kind, LeadKind::Blank);
    assert_eq!(unknown(&lead), json!({"lead": body, "contact": {}}), "nothing is lost");
}

#[test]
fn of_duplicates_the_first_that_holds_a_text_counts() {
    let body = r#"{"p":{"m":""},"p":{"m":null},"p":{"m":"a@b.example"},"n":1e999}"#;
    let lead = crate::parse::mapped_lead(body.as_bytes(), &mapping(json!({"email": "/p/m", "phone": "/n"}))).unwrap();
    assert_eq!(texts(&lead), [("email", "a@b.example"), ("phone", "1e999")]);
}

#[test]
fn a_mapped_lead_has_a_kind_and_is_refused_as_any_other() {
    let places = || json!({"first_name": "/a", "action": "/b"});
    assert_eq!(mapped(json!({"a": MARKER}), places()).kind, LeadKind::Test);
    assert_eq!(mapped(json!({"a": "Ann", "b": "dnc"}), places()).kind, LeadKind::DoNotContact);
    let refused = |body: &str| crate::parse::mapped_lead(body.as_bytes(), &mapping(places())).unwrap_err();
    assert_eq!(refused("[]"), ParseError::NotAnObject);
    assert_eq!(refused("{\"a\":}"), ParseError::NotJson { line: 1, column: 6 });
    assert_eq!(refused(&format!("{{\"a\":{}1{}}}", "[".repeat(MAX_DEPTH), "]".repeat(MAX_DEPTH))), ParseError::TooDeep);
}

#[test]
fn a_value_for_a_schema_is_the_whole_body() {
    let body = "\u{feff}{\"a\":{\"b\":[1,null]},\"big\":1e999,\"cut\":\"\\ud83d\"}";
    let value = crate::parse::value(body.as_bytes()).unwrap();
    assert_eq!(value, json!({"a": {"b": [1, null]}, "big": "1e999", "cut": "\u{fffd}"}));
    assert_eq!(crate::parse::value(b"[]"), Err(ParseError::NotAnObject));
}
