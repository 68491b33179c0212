//! The OpenAPI document of the public port, as something that an answer can be compared with.

use std::path::{Path, PathBuf};

use leadline_ingest::route::ROUTE;
use serde_json::{Value, json};

use super::http::Answer;

/// The document.
pub(crate) struct Document(Value);

impl Document {
    /// As the code makes it; a test of the command says that the published file is the same.
    pub(crate) fn made() -> Self {
        Self(leadline_ingest::openapi::document())
    }

    /// The published file.
    pub(crate) fn file() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference/openapi.json")
    }

    /// Every status with each type of its problems; without any it stands alone.
    pub(crate) fn answers(&self) -> Vec<(String, String)> {
        let responses = self.responses().as_object().unwrap().iter();
        let each = responses.flat_map(|(status, response)| {
            let types = response["content"]["application/problem+json"]["schema"]["properties"]["type"]["enum"].as_array();
            let types = types.map_or(vec![""], |types| types.iter().map(|kind| kind.as_str().unwrap()).collect());
            types.into_iter().map(|kind| (status.clone(), kind.to_owned())).collect::<Vec<_>>()
        });
        each.collect()
    }

    fn responses(&self) -> &Value {
        &self.0["paths"][ROUTE]["post"]["responses"]
    }

    /// Where an answer differs from what is documented. Whether it may be without a body is the caller's to know.
    pub(crate) fn faults(&self, answer: &Answer) -> Vec<String> {
        let Some(response) = self.responses().get(answer.status.to_string()) else {
            return vec![format!("the status {} is not documented", answer.status)];
        };
        let headers = response["headers"].as_object().into_iter().flatten();
        let mut faults: Vec<String> = headers.filter_map(|(name, header)| self.header_fault(name, header, answer)).collect();
        if !answer.body.is_empty() {
            faults.extend(self.body_fault(&response["content"], answer));
        }
        faults
    }

    fn header_fault(&self, name: &str, header: &Value, answer: &Answer) -> Option<String> {
        let Some(text) = answer.header(name) else {
            return (header["required"] == true).then(|| format!("the header `{name}` is missing"));
        };
        let number = (header["schema"]["type"] == "integer").then(|| serde_json::from_str(text).ok()).flatten();
        let value = number.unwrap_or_else(|| json!(text));
        self.fault(&header["schema"], &value).map(|fault| format!("the header `{name}`: {fault}"))
    }

    fn body_fault(&self, content: &Value, answer: &Answer) -> Option<String> {
        let media = answer.header("content-type").unwrap_or_default();
        let Some(documented) = content.get(media) else { return Some(format!("the media type `{media}` is not documented")) };
        match serde_json::from_str(&answer.body) {
            Ok(body) => self.fault(&documented["schema"], &body).map(|fault| format!("the body: {fault}")),
            Err(error) => Some(format!("the body is no JSON: {error}")),
        }
    }

    /// What a schema of the document does not allow of a value.
    fn fault(&self, schema: &Value, value: &Value) -> Option<String> {
        // Its references lead into the document, so they are looked up in what it has of components.
        let whole = json!({"components": self.0["components"], "allOf": [schema]});
        let schema = jsonschema::options().should_validate_formats(true).build(&whole).unwrap();
        schema.validate(value).err().map(|error| error.to_string())
    }
}
