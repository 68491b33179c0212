//! The published JSON Schemas: the files under `docs/reference/` are those of the code, every golden message conforms to them,
//! and they refuse what the code refuses.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use jsonschema::Validator;
use serde_json::{Value, json};

const REFRESH: &str = "run `cargo run -p leadline-proto --example schemas`";

fn crate_folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The schema as it is published, with `format` checked: by default it is a remark only.
fn validator(message: &str) -> Validator {
    let path = crate_folder().join("../docs/reference").join(format!("{message}.v1.schema.json"));
    let schema: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    jsonschema::options().should_validate_formats(true).build(&schema).unwrap()
}

/// The golden values whose file name starts with `prefix`.
fn golden(prefix: &str) -> Vec<(PathBuf, Value)> {
    let files = std::fs::read_dir(crate_folder().join("golden/v1")).unwrap().map(|file| file.unwrap().path());
    let wanted = files.filter(|path| {
        let name = path.file_name().unwrap().to_str().unwrap();
        name.starts_with(prefix) && !name.ends_with(".headers.json")
    });
    wanted.map(|path| (path.clone(), serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap())).collect()
}

fn one(file: &str) -> Value {
    serde_json::from_slice(&std::fs::read(crate_folder().join("golden/v1").join(file)).unwrap()).unwrap()
}

#[test]
fn the_published_files_are_those_of_the_code() {
    for (name, text) in leadline_proto::schema::all() {
        let published = std::fs::read_to_string(crate_folder().join("../docs/reference").join(name)).unwrap_or_default();
        assert!(published == text, "docs/reference/{name} is not that of the code: {REFRESH}");
    }
}

#[test]
fn every_golden_message_conforms() {
    for (prefix, schema, least) in [("accepted", "lead.accepted", 6), ("outcome", "lead.outcome", 4)] {
        let validator = validator(schema);
        let values = golden(prefix);
        assert!(values.len() >= least, "{prefix}");
        for (path, value) in values {
            let errors: Vec<String> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
            assert!(errors.is_empty(), "{}: {errors:?}", path.display());
        }
    }
}

#[test]
fn members_of_a_later_version_conform() {
    let mut lead = one("accepted-sample.json");
    lead["later"] = json!(1);
    lead["lead"]["contact"]["later"] = json!(1);
    assert!(validator("lead.accepted").is_valid(&lead));
    let mut outcome = one("outcome-skipped.json");
    outcome["later"] = json!(1);
    assert!(validator("lead.outcome").is_valid(&outcome));
}

/// Replaces each member in turn by a value it must not have; null stands for its absence.
fn assert_refused(schema: &str, file: &str, wrong: &[(&str, Value)]) {
    let validator = validator(schema);
    for (pointer, bad) in wrong {
        let mut value = one(file);
        if bad.is_null() {
            value.as_object_mut().unwrap().remove(pointer.trim_start_matches('/')).unwrap();
        } else {
            *value.pointer_mut(pointer).unwrap() = bad.clone();
        }
        assert!(!validator.is_valid(&value), "{schema} allows {pointer} = {bad}");
    }
}

#[test]
fn a_wrong_lead_is_refused() {
    let wrong = [
        ("/lead_id", json!(null)),
        ("/endpoint", json!(null)),
        ("/received_at", json!(null)),
        ("/person", json!(null)),
        ("/lead", json!(null)),
        ("/raw", json!(null)),
        ("/lead_id", json!("1")),
        ("/endpoint", json!("Contoso Backup")),
        ("/received_at", json!("yesterday")),
        ("/person", json!("someone@contoso.com")),
        ("/raw", json!("")),
        ("/lead/kind", json!("other")),
        ("/lead/source", json!("")),
        ("/lead/offer", json!(1)),
        ("/lead/contact/first_name", json!("")),
        ("/lead/contact/email", json!("someone@contoso.com")),
        ("/lead/contact/email/valid", json!("yes")),
        ("/lead/contact", json!([])),
    ];
    assert_refused("lead.accepted", "accepted-sample.json", &wrong);
}

#[test]
fn a_wrong_outcome_is_refused() {
    let wrong = [
        ("/lead_id", json!(null)),
        ("/sink", json!(null)),
        ("/status", json!(null)),
        ("/attempts", json!(null)),
        ("/at", json!(null)),
        ("/sink", json!("a b")),
        ("/replay", json!(-1)),
        ("/attempts", json!("1")),
        ("/status", json!("failed")),
        ("/status", json!("skipped")),
        ("/status", json!("dead_lettered")),
        ("/reference", json!("someone@contoso.com")),
        ("/maybe_duplicate", json!(1)),
        ("/received_at", json!("2026-11-22")),
        ("/reordered", json!("no")),
    ];
    assert_refused("lead.outcome", "outcome-delivered-in-full.json", &wrong);
    assert_refused("lead.outcome", "outcome-skipped.json", &[("/rule", json!(null)), ("/rule", json!("Not routed"))]);
    assert_refused(
        "lead.outcome",
        "outcome-dead-lettered.json",
        &[("/code", json!(null)), ("/code", json!("550 <ann@x.example>"))],
    );
}
