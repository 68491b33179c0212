//! From samples to a schema: types merged over all samples, members required that all samples have. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

const DRAFT: &str = "http://json-schema.org/draft-04/schema#";

/// The schema of all samples.
pub(super) fn schema<'a>(samples: impl IntoIterator<Item = &'a Value>) -> Value {
    let mut shape = Shape::default();
    samples.into_iter().for_each(|sample| shape.add(sample));
    let mut schema = shape.schema();
    schema.insert("$schema".to_owned(), DRAFT.into());
    Value::Object(schema)
}

/// What was seen at one place.
#[derive(Default)]
struct Shape {
    types: BTreeSet<&'static str>,
    /// Objects seen.
    objects: usize,
    /// Members of the objects, and in how many of them each was.
    members: BTreeMap<String, (usize, Shape)>,
    /// All items of all arrays.
    items: Option<Box<Shape>>,
}

impl Shape {
    fn add(&mut self, value: &Value) {
        self.types.insert(type_of(value));
        match value {
            Value::Object(members) => {
                self.objects += 1;
                for (name, value) in members {
                    let (count, shape) = self.members.entry(name.clone()).or_default();
                    *count += 1;
                    shape.add(value);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.items.get_or_insert_default().add(item)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    fn schema(&self) -> Map<String, Value> {
        let mut schema = Map::new();
        if let Some(types) = self.types() {
            schema.insert("type".to_owned(), types);
        }
        if !self.members.is_empty() {
            let properties = self.members.iter().map(|(name, (_, shape))| (name.clone(), Value::Object(shape.schema())));
            schema.insert("properties".to_owned(), Value::Object(properties.collect()));
        }
        let in_all = self.members.iter().filter(|(_, (count, _))| *count == self.objects);
        let required: Vec<&String> = in_all.map(|(name, _)| name).collect();
        // draft-04 does not allow an empty list.
        if !required.is_empty() {
            schema.insert("required".to_owned(), json!(required));
        }
        if let Some(items) = &self.items {
            schema.insert("items".to_owned(), Value::Object(items.schema()));
        }
        schema
    }

    /// One name, or a list. Where only null was seen, nothing is known about the type.
    fn types(&self) -> Option<Value> {
        let mut types = self.types.clone();
        if types.contains("number") {
            types.remove("integer");
        }
        let types: Vec<&str> = types.into_iter().collect();
        match types.as_slice() {
            [] | ["null"] => None,
            [one] => Some(json!(one)),
            several => Some(json!(several)),
        }
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_sample_gives_its_names_and_types() {
        let sample = json!({"UserDetails": {"Email": "ann@contoso.example", "Age": 7}, "Tags": ["a", "b"], "Vip": true});
        let expected = json!({
            "$schema": DRAFT,
            "type": "object",
            "properties": {
                "UserDetails": {
                    "type": "object",
                    "properties": {"Email": {"type": "string"}, "Age": {"type": "integer"}},
                    "required": ["Age", "Email"],
                },
                "Tags": {"type": "array", "items": {"type": "string"}},
                "Vip": {"type": "boolean"},
            },
            "required": ["Tags", "UserDetails", "Vip"],
        });
        assert_eq!(schema([&sample]), expected);
        assert!(!schema([&sample]).to_string().contains("contoso"), "no value gets into a schema");
    }

    #[test]
    fn samples_are_merged() {
        let samples = [
            json!({"a": 1, "b": "x", "c": null, "d": {"e": 1}, "l": [1, {"m": 1}]}),
            json!({"a": 1.5, "b": null, "c": null, "d": {"e": 2, "f": 3}, "l": []}),
            json!({"a": 2, "b": "y", "d": null, "l": [{"m": null}]}),
        ];
        let expected = json!({
            "$schema": DRAFT,
            "type": "object",
            "properties": {
                "a": {"type": "number"},
                "b": {"type": ["null", "string"]},
                "c": {},
                "d": {
                    "type": ["null", "object"],
                    "properties": {"e": {"type": "integer"}, "f": {"type": "integer"}},
                    "required": ["e"],
                },
                "l": {
                    "type": "array",
                    "items": {
                        "type": ["integer", "object"],
                        "properties": {"m": {"type": ["integer", "null"]}},
                        "required": ["m"],
                    },
                },
            },
            "required": ["a", "b", "d", "l"],
        });
        assert_eq!(schema(&samples), expected);
    }

    #[test]
    fn nothing_is_required_of_an_empty_object() {
        assert_eq!(schema(&[json!({"a": 1}), json!({})])["required"], Value::Null);
    }
}
