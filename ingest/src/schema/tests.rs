//! Schemas as operators have them: that of Microsoft's guide, later drafts, broken ones.

use serde_json::json;

use super::*;

/// In the form of Microsoft's guide: draft-04 by an https address, `id`s, nothing required.
fn microsoft() -> Value {
    let text = |id: &str| json!({"id": id, "type": "string"});
    json!({
        "$schema": "https://json-schema.org/draft-04/schema#",
        "definitions": {},
        "id": "http://example.com/root.json",
        "properties": {
            "ActionCode": text("/properties/ActionCode"),
            "LeadSource": text("/properties/LeadSource"),
            "UserDetails": {
                "id": "/properties/UserDetails",
                "properties": {"Email": text("/properties/UserDetails/properties/Email")},
                "type": "object",
            },
        },
        "type": "object",
    })
}

fn schema(schema: &Value) -> Schema {
    Schema::compile(schema, SchemaMode::Warn).unwrap()
}

fn violations(schema: &Schema, body: Value) -> Vec<(&'static str, String)> {
    schema.check(&body).violations.into_iter().map(|violation| (violation.keyword, violation.location)).collect()
}

#[test]
fn the_schema_of_microsofts_guide_is_understood() {
    let schema = schema(&microsoft());
    let good = json!({"ActionCode": "INS", "UserDetails": {"Email": "a@b.example"}});
    assert_eq!(schema.check(&good), Findings::default());
    let odd = json!({"ActionCode": 1, "UserDetails": {"Email": null}});
    let expected = [
        ("type", "/properties/ActionCode/type".to_owned()),
        ("type", "/properties/UserDetails/properties/Email/type".to_owned()),
    ];
    assert_eq!(violations(&schema, odd), expected);
}

#[test]
fn a_member_that_is_not_in_the_schema_is_found_whatever_its_case() {
    let schema = schema(&microsoft());
    let body = json!({"actioncode": "x", "ProductId": "secret", "userDetails": {"EMAIL": "a@b.example", "Fax": "1"}});
    let findings = schema.check(&body);
    assert_eq!(findings.unknown, ["ProductId", "Fax"]);
    assert!(findings.violations.is_empty());
    assert!(!format!("{findings:?}").contains("secret"));
    let open = Schema::compile(&json!({"type": "object"}), SchemaMode::Warn).unwrap();
    assert_eq!(open.check(&body), Findings::default(), "a schema without names knows all");
}

/// In draft-04 `exclusiveMinimum` is a flag, in 2020-12 a number: each is refused as the other.
#[test]
fn the_draft_is_that_of_the_schema_or_of_its_look() {
    let flag = json!({"properties": {"n": {"minimum": 1, "exclusiveMinimum": true}}});
    let number = json!({"properties": {"n": {"exclusiveMinimum": 1}}});
    let with = |schema: &Value, key: &str, value: &str| {
        let mut schema = schema.clone();
        schema[key] = json!(value);
        Schema::compile(&schema, SchemaMode::Warn)
    };
    let draft4 = "http://json-schema.org/draft-04/schema#";
    assert_eq!(violations(&with(&flag, "$schema", draft4).unwrap(), json!({"n": 1})).len(), 1);
    assert_eq!(violations(&with(&flag, "id", "http://example.com/root.json").unwrap(), json!({"n": 1})).len(), 1);
    assert!(with(&number, "$schema", draft4).is_err());
    let latest = Schema::compile(&number, SchemaMode::Warn).unwrap();
    assert_eq!(violations(&latest, json!({"n": 1})), [("exclusiveMinimum", "/properties/n/exclusiveMinimum".to_owned())]);
    assert!(Schema::compile(&flag, SchemaMode::Warn).is_err());
    assert!(with(&number, "$schema", "http://json-schema.org/draft-07/schema#").is_ok());
}

#[test]
fn nothing_outside_the_file_is_fetched() {
    let folder = tempfile::tempdir().unwrap();
    let other = folder.path().join("other.json");
    std::fs::write(&other, "{}").unwrap();
    for reference in
        ["https://example.com/lead.json".to_owned(), format!("file://{}", other.display()), "other.json".to_owned()]
    {
        let schema = json!({"properties": {"a": {"$ref": reference}}});
        assert!(Schema::compile(&schema, SchemaMode::Warn).is_err(), "{reference}");
    }
    let own = json!({"$schema": "https://example.com/own-dialect", "type": "object"});
    assert!(Schema::compile(&own, SchemaMode::Warn).is_err());
    let inside = json!({"$defs": {"t": {"type": "string"}}, "properties": {"a": {"$ref": "#/$defs/t"}}});
    assert_eq!(violations(&schema(&inside), json!({"a": 1})).len(), 1);
}

#[test]
fn what_is_no_schema_is_refused() {
    for bad in [json!({"type": "strin"}), json!([]), json!({"properties": {"a": {"pattern": "("}}}), json!({"required": "a"})] {
        assert!(Schema::compile(&bad, SchemaMode::Warn).is_err(), "{bad}");
    }
    let why = Schema::compile(&json!({"properties": {"a": {"type": "hunter2"}}}), SchemaMode::Warn).unwrap_err();
    assert!(why.contains("(at `/properties/a/type`)") && !why.contains("hunter2"), "{why}");
}

#[test]
fn every_finding_has_a_known_keyword_and_they_are_few() {
    let list = schema(&json!({"properties": {"a": {"items": {"type": "string"}}}}));
    let many = json!({"a": vec![1; 500]});
    assert_eq!(violations(&list, many).len(), MOST_VIOLATIONS);
    let closed = schema(&json!({"properties": {"b": {}}, "additionalProperties": false, "required": ["b"]}));
    let mut found: Vec<&str> = violations(&closed, json!({"Ann Lee": 1}))
        .into_iter()
        .map(|(keyword, location)| {
            assert!(!location.contains("Ann"), "{location}");
            keyword
        })
        .collect();
    found.sort_unstable();
    assert_eq!(found, ["additionalProperties", "required"]);
    assert_eq!((keyword("required"), keyword("x-own")), ("required", "other"));
}
