//! How bodies of an endpoint are read: as Microsoft's, by a mapping, checked against a schema that warns or rejects.

use leadline_ingest::config::Ingest as Config;
use leadline_ingest::prepared::PreparedEndpoint;
use leadline_ingest::schema::Schema;
use leadline_platform::config::{Settings, Sources};
use leadline_proto::EndpointName;
use leadline_proto::config::{SECTIONS, SchemaMode};
use leadline_proto::keys::PersonHasher;
use leadline_proto::mapping::{Fields, Mapping, Pointer};
use serde_json::{Value, json};

use crate::input::Chance;

/// Everything that is made once.
pub(super) struct Setups {
    pub(super) endpoints: Vec<EndpointName>,
    pub(super) hasher: PersonHasher,
    /// The largest record that ingest takes.
    pub(super) largest: usize,
    prepared: Vec<PreparedEndpoint>,
}

impl Setups {
    pub(super) fn new() -> Result<Self, String> {
        let endpoints = ["contoso-backup", "a", "fabrikam"].map(|name| name.parse().expect("a good name"));
        let prepared = modes().map(|(schema, mapping)| PreparedEndpoint {
            offer_id: schema.is_none().then(|| "contoso.backup".to_owned()),
            mapping,
            schema,
            ..PreparedEndpoint::default()
        });
        let largest = config()?.largest_message();
        Ok(Self { endpoints: endpoints.into(), hasher: PersonHasher::new(b"secret"), largest, prepared: prepared.collect() })
    }

    /// One of those made once; a third is the plainest.
    pub(super) fn any(&self, chance: &mut Chance) -> &PreparedEndpoint {
        let at = if chance.one_in(3) { 0 } else { chance.below(self.prepared.len()) };
        &self.prepared[at]
    }
}

/// The product's own defaults.
fn config() -> Result<Config, String> {
    let defaults =
        [leadline_platform::config::sections::DEFAULTS, leadline_proto::config::DEFAULTS, leadline_ingest::config::DEFAULTS];
    let preset = Some("[ingest]\nperson_key = \"a secret of the fuzzer\"\n".to_owned());
    let sources = Sources { defaults: &defaults, sections: SECTIONS, file: None, preset };
    Settings::load(&sources).and_then(|settings| Config::read(&settings)).map_err(|error| error.to_string())
}

/// Without a schema and with each of them in both modes; without a mapping and with one.
fn modes() -> impl Iterator<Item = (Option<Schema>, Option<Mapping>)> {
    let plain = [(None, None), (None, Some(fixed_mapping()))];
    let checked = schemas().into_iter().flat_map(|schema| {
        [SchemaMode::Warn, SchemaMode::Reject].map(|mode| {
            let compiled = Schema::compile(&schema, mode).expect("a good schema");
            (Some(compiled), (mode == SchemaMode::Reject).then(fixed_mapping))
        })
    });
    plain.into_iter().chain(checked)
}

fn schemas() -> [Value; 4] {
    let text = json!({ "type": "string" });
    let details = json!({ "type": "object", "properties": { "FirstName": text, "Email": { "type": "string", "format": "email" } },
        "required": ["FirstName", "LastName"], "additionalProperties": false });
    [
        json!({ "id": "http://json-schema.org/draft-04/schema#", "type": "object",
            "properties": { "UserDetails": details, "LeadSource": text, "ActionCode": { "enum": ["INS", "PLT", "DNC"] } } }),
        json!({ "maxProperties": 5, "patternProperties": { "^(a+)+$": { "minLength": 1 } },
            "propertyNames": { "pattern": "^[A-Za-z]*$" } }),
        json!({ "$defs": { "node": { "type": ["object", "string"], "additionalProperties": { "$ref": "#/$defs/node" } } },
            "$ref": "#/$defs/node", "unevaluatedProperties": false }),
        json!({ "additionalProperties": { "anyOf": [ { "multipleOf": 0.01 }, { "uniqueItems": true, "type": "array" },
            { "not": { "type": "number" } } ] }, "dependentRequired": { "LeadSource": ["UserDetails"] } }),
    ]
}

fn fixed_mapping() -> Mapping {
    mapping(&["/UserDetails/Email", "/UserDetails/FirstName", "/UserDetails/Company/0", "/LeadSource", "/Description"])
        .expect("good pointers")
}

/// A mapping by any pointers, some of which hold others.
pub(super) fn any_mapping(chance: &mut Chance) -> Option<Mapping> {
    const STEPS: &[&str] =
        &["UserDetails", "Email", "FirstName", "0", "1", "18446744073709551616", "", "a~1b", "m~0n", "~2", "LeadSource", "-"];
    let pointer = |chance: &mut Chance| (0..=chance.length(4)).map(|_| format!("/{}", chance.pick(STEPS))).collect::<String>();
    let pointers: Vec<String> = (0..=chance.below(11)).map(|_| pointer(chance)).collect();
    mapping(&pointers.iter().map(String::as_str).collect::<Vec<_>>())
}

/// `None` when no field has a place.
fn mapping(pointers: &[&str]) -> Option<Mapping> {
    let mut places = pointers.iter().map(|pointer| Pointer::try_from((*pointer).to_owned()).ok());
    let mut next = || places.next().flatten();
    let fields = Fields {
        email: next(),
        first_name: next(),
        company: next(),
        source: next(),
        description: next(),
        last_name: next(),
        phone: next(),
        country: next(),
        title: next(),
        action: next(),
        offer: next(),
    };
    Mapping::try_from(fields).ok()
}
