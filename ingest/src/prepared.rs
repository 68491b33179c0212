//! What is made of `[endpoints]` once, so that no request pays for it: compiled schemas, mappings.
//!
//! It depends on nothing else, so a new one can take its place when the configuration is read again.

use std::collections::BTreeMap;
use std::path::Path;

use leadline_platform::config::ConfigError;
use leadline_proto::EndpointName;
use leadline_proto::config::{Endpoint, Endpoints, SchemaMode};
use leadline_proto::mapping::Mapping;

use crate::limits::rate::Rate;
use crate::schema::Schema;

/// All endpoints.
#[derive(Debug, Default)]
pub struct Prepared(BTreeMap<EndpointName, PreparedEndpoint>);

/// How bodies of one endpoint are read.
#[derive(Debug, Default)]
pub struct PreparedEndpoint {
    /// The offer that its leads are for.
    pub offer_id: Option<String>,
    /// Where the fields stand, when the bodies are not Microsoft's.
    pub mapping: Option<Mapping>,
    /// What bodies should look like.
    pub schema: Option<Schema>,
    /// How many are taken. Begins anew with each reading of the configuration.
    pub rate: Rate,
}

impl Prepared {
    /// Reads the schema files, whose paths count from `folder`.
    ///
    /// # Errors
    /// [`ConfigError`] naming the key and the file.
    pub fn build(endpoints: &Endpoints, folder: &Path) -> Result<Self, ConfigError> {
        let prepare = |(name, endpoint): (&EndpointName, &Endpoint)| Ok((name.clone(), prepare(name, endpoint, folder)?));
        endpoints.iter().map(prepare).collect::<Result<_, _>>().map(Self)
    }

    /// How bodies of this endpoint are read.
    pub fn get(&self, name: &EndpointName) -> Option<&PreparedEndpoint> {
        self.0.get(name)
    }

    /// Whether bodies of this endpoint are checked.
    pub(crate) fn has_schema(&self, name: &EndpointName) -> bool {
        self.get(name).is_some_and(|endpoint| endpoint.schema.is_some())
    }
}

fn prepare(name: &EndpointName, endpoint: &Endpoint, folder: &Path) -> Result<PreparedEndpoint, ConfigError> {
    if endpoint.schema.is_none() && endpoint.schema_mode == SchemaMode::Reject {
        let why = "without a `schema` there is nothing to reject by";
        return Err(ConfigError::invalid(&format!("endpoints.{name}.schema_mode"), why));
    }
    let load = |file: &String| {
        Schema::load(&folder.join(file), endpoint.schema_mode)
            .map_err(|why| ConfigError::invalid(&format!("endpoints.{name}.schema"), why))
    };
    Ok(PreparedEndpoint {
        offer_id: endpoint.offer_id.clone(),
        mapping: endpoint.mapping.clone(),
        schema: endpoint.schema.as_ref().map(load).transpose()?,
        rate: Rate::new(endpoint.leads_per_second),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(endpoint: Endpoint, folder: &Path) -> String {
        let endpoints = Endpoints::from([("shop".parse().unwrap(), endpoint)]);
        Prepared::build(&endpoints, folder).unwrap_err().to_string()
    }

    fn with_schema(file: &str) -> Endpoint {
        Endpoint { schema: Some(file.to_owned()), ..Endpoint::default() }
    }

    #[test]
    fn a_schema_file_counts_from_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("lead.json"), "{\"type\":\"object\"}").unwrap();
        let endpoints =
            Endpoints::from([("a".parse().unwrap(), with_schema("lead.json")), ("b".parse().unwrap(), Endpoint::default())]);
        let prepared = Prepared::build(&endpoints, folder.path()).unwrap();
        let has = |name: &str| prepared.has_schema(&name.parse().unwrap());
        assert!(has("a") && !has("b") && !has("c"));
    }

    #[test]
    fn a_broken_file_is_one_sentence_with_key_and_file() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("bad.json"), "{\"type\":").unwrap();
        let missing = refusal(with_schema("none.json"), folder.path());
        assert!(missing.starts_with("`endpoints.shop.schema`: the file ") && missing.contains("none.json"), "{missing}");
        let bad = refusal(with_schema("bad.json"), folder.path());
        assert!(bad.contains("bad.json is not JSON (line 1, column 8)"), "{bad}");
        let nothing = refusal(Endpoint { schema_mode: SchemaMode::Reject, ..Endpoint::default() }, folder.path());
        assert!(nothing.starts_with("`endpoints.shop.schema_mode`: without a `schema`"), "{nothing}");
    }
}
