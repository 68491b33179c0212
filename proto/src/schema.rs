//! The published JSON Schemas of the messages, made from the types themselves.
//!
//! The files under `docs/reference/` are these texts; a test compares them.

use schemars::{JsonSchema, generate::SchemaSettings};

use crate::envelope::{self, AcceptedLead};
use crate::outcome::{self, Outcome};

/// Each schema with its file name.
pub fn all() -> [(&'static str, String); 2] {
    [
        ("lead.accepted.v1.schema.json", text::<AcceptedLead>(envelope::SCHEMA)),
        ("lead.outcome.v1.schema.json", text::<Outcome>(outcome::SCHEMA)),
    ]
}

/// JSON Schema draft 2020-12. Members that are not named stay allowed: a later minor version may add some.
fn text<T: JsonSchema>(id: &str) -> String {
    let mut schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>();
    schema.insert("$id".to_owned(), id.into());
    format!("{:#}\n", schema.to_value())
}
