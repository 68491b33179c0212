//! The JSON Schema of an endpoint's bodies: reading the file, and what of a body it does not allow or does not know.
//!
//! Nothing is ever fetched: a reference to anything outside the file is refused at the start. Findings hold words of the schema,
//! and names of unknown members; never a value.

use std::collections::BTreeSet;
use std::path::Path;

use jsonschema::{Draft, PatternOptions, Validator};
use leadline_proto::config::SchemaMode;
use serde_json::{Map, Value};

/// Violations of one body that are told: the first say enough, and a long list would only cost time.
const MOST_VIOLATIONS: usize = 20;
/// Longest location that is told, in characters.
const LONGEST_LOCATION: usize = 200;

/// Keywords of a schema that a body can violate, as label values; anything else is `other`.
pub const KEYWORDS: [&str; 29] = [
    "additionalItems",
    "additionalProperties",
    "anyOf",
    "const",
    "contains",
    "contentEncoding",
    "contentMediaType",
    "enum",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "falseSchema",
    "format",
    "maxItems",
    "maximum",
    "maxLength",
    "maxProperties",
    "minItems",
    "minimum",
    "minLength",
    "minProperties",
    "multipleOf",
    "not",
    "oneOf",
    "other",
    "pattern",
    "propertyNames",
    "required",
    "type",
    "uniqueItems",
];

/// A compiled schema.
#[derive(Debug)]
pub struct Schema {
    validator: Validator,
    mode: SchemaMode,
    known: Known,
}

/// Names of members that the schema has, in lower case. `None` where it has none, and then anything is known.
#[derive(Debug, Default)]
struct Known {
    top: Option<BTreeSet<String>>,
    details: Option<BTreeSet<String>>,
}

/// What a schema says about a body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Where it does not fit.
    pub violations: Vec<Violation>,
    /// Names of members that the schema does not know, at the top and in `UserDetails`.
    pub unknown: Vec<String>,
}

/// One place where a body does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// One of [`KEYWORDS`].
    pub keyword: &'static str,
    /// The place in the schema.
    pub location: String,
}

impl Findings {
    /// Whether there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        self.violations.is_empty() && self.unknown.is_empty()
    }

    /// The place in the schema of the first violation.
    pub fn first_location(&self) -> &str {
        self.violations.first().map_or("its top", |violation| &violation.location)
    }
}

impl Schema {
    /// Reads and compiles a file.
    ///
    /// # Errors
    /// A sentence that names the file.
    pub fn load(file: &Path, mode: SchemaMode) -> Result<Self, String> {
        let name = file.display();
        let text = std::fs::read_to_string(file).map_err(|error| format!("the file {name} cannot be read: {error}"))?;
        let schema = serde_json::from_str(text.trim_start_matches('\u{feff}'))
            .map_err(|error| format!("the file {name} is not JSON (line {}, column {})", error.line(), error.column()))?;
        Self::compile(&schema, mode).map_err(|why| format!("the file {name} is no JSON Schema that can be used: {why}"))
    }

    /// Compiles a schema. Without `$schema` it counts as draft-04 when it has an `id`, as the schema of Microsoft's guide has, and
    /// as 2020-12 otherwise.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub fn compile(schema: &Value, mode: SchemaMode) -> Result<Self, String> {
        // Patterns are matched in time that grows with the text only, whoever wrote the text.
        let mut options = jsonschema::options().offline().with_pattern_options(PatternOptions::regex());
        if schema.get("$schema").is_none() {
            let draft = if schema.get("id").is_some() { Draft::Draft4 } else { Draft::Draft202012 };
            options = options.with_draft(draft);
        }
        let validator = options.build(schema).map_err(|error| {
            // Without the values: the file may be another than was meant, with secrets in it.
            let (why, place) = (error.masked(), error.instance_path().as_str());
            if place.is_empty() { why.to_string() } else { format!("{why} (at `{place}`)") }
        })?;
        Ok(Self { validator, mode, known: Known::of(schema) })
    }

    /// Whether bodies that do not fit are to be refused.
    pub fn rejects(&self) -> bool {
        self.mode == SchemaMode::Reject
    }

    /// Compares a body with the schema.
    pub fn check(&self, body: &Value) -> Findings {
        let errors = self.validator.iter_errors(body).take(MOST_VIOLATIONS);
        let violations = errors.map(|error| Violation {
            keyword: keyword(error.kind().keyword()),
            location: format!("/{}", error.schema_path().as_str().trim_start_matches('/'))
                .chars()
                .take(LONGEST_LOCATION)
                .collect(),
        });
        Findings { violations: violations.collect(), unknown: self.known.missing(body) }
    }
}

fn keyword(keyword: &str) -> &'static str {
    KEYWORDS.into_iter().find(|known| *known == keyword).unwrap_or("other")
}

impl Known {
    fn of(schema: &Value) -> Self {
        let details = properties(schema).and_then(|members| details(members));
        Self { top: names(schema), details: details.and_then(names) }
    }

    /// Letters' case does not count here, as it does not when a lead is read: Microsoft's own samples differ in it.
    fn missing(&self, body: &Value) -> Vec<String> {
        let Some(top) = body.as_object() else { return Vec::new() };
        let inner = details(top).and_then(Value::as_object);
        unknown(top, self.top.as_ref())
            .chain(inner.into_iter().flat_map(|inner| unknown(inner, self.details.as_ref())))
            .collect()
    }
}

fn properties(schema: &Value) -> Option<&Map<String, Value>> {
    schema.get("properties")?.as_object()
}

fn names(schema: &Value) -> Option<BTreeSet<String>> {
    properties(schema).map(|members| members.keys().map(|name| name.to_lowercase()).collect())
}

/// The member `UserDetails`, in any case.
fn details(members: &Map<String, Value>) -> Option<&Value> {
    members.iter().find(|(name, _)| name.eq_ignore_ascii_case("UserDetails")).map(|(_, value)| value)
}

fn unknown<'a>(members: &'a Map<String, Value>, known: Option<&'a BTreeSet<String>>) -> impl Iterator<Item = String> + 'a {
    let names = known.into_iter().flat_map(|known| members.keys().filter(|name| !known.contains(&name.to_lowercase())));
    names.cloned()
}

#[cfg(test)]
mod tests;
