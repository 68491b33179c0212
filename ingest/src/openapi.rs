//! The OpenAPI document of the public port, made from what the code itself declares: the route, the receipt, every kind of
//! refusal with the answer it really gives, names and limits. It is published as `docs/reference/openapi.json`.
//!
//! What an answer holds belongs in `receipt` and `problem`; nothing is to be said here that a declaration says already.

use std::collections::BTreeMap;

use actix_web::http::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use actix_web::{HttpResponse, ResponseError};
use leadline_proto::headers::IDEMPOTENCY_KEY;
use leadline_proto::idempotency::{IdempotencyKey, WINDOW};
use leadline_proto::{EndpointName, samples};
use schemars::generate::{SchemaGenerator, SchemaSettings};
use serde_json::{Map, Value, json};

use crate::config::BODY_LIMIT;
use crate::durable::Durability;
use crate::problem::{Details, Kind, MEDIA_TYPE};
use crate::receipt::Receipt;
use crate::route::{ENDPOINT, ROUTE, TOKEN};

/// Answers of the HTTP library itself to what it cannot read as a request: they have no body, and the connection ends.
const UNREADABLE: [(u16, &str); 3] = [
    (400, "The head of the request is malformed, or its target is longer than 64 KiB."),
    (408, "The head of the request came too slowly."),
    (431, "The head of the request is larger than 128 KiB, or has more than 96 fields."),
];

/// The document.
pub fn document() -> Value {
    let mut schemas = SchemaSettings::draft2020_12()
        .for_serialize()
        .with(|settings| settings.definitions_path = "/components/schemas".into())
        .into_generator();
    let paths = json!({ ROUTE: path(&mut schemas) });
    let mut definitions = schemas.take_definitions(true);
    definitions.insert("Lead".to_owned(), lead());
    json!({
        "openapi": "3.1.1",
        "info": {
            "title": "Leadline",
            "summary": "Takes the leads of Microsoft AppSource and Azure Marketplace.",
            "version": env!("CARGO_PKG_VERSION"),
            "license": {"name": "Apache License 2.0", "identifier": env!("CARGO_PKG_LICENSE")},
        },
        "servers": [{
            "url": "https://{host}",
            "variables": {"host": {"default": "leads.example.com", "description": "Where ingest is reached."}},
        }],
        "paths": paths,
        "components": {"schemas": definitions, "securitySchemes": security_schemes()},
    })
}

fn path(schemas: &mut SchemaGenerator) -> Value {
    json!({
        "parameters": [{
            "name": ENDPOINT,
            "in": "path",
            "required": true,
            "description": "The endpoint, usually one for each offer.",
            "schema": schemas.subschema_for::<EndpointName>(),
        }],
        "post": {
            "operationId": "postLead",
            "summary": "Post a lead.",
            "description": "The answer 202 is given when the lead is durable, and not before. Any JSON object is a lead.",
            "security": [{TOKEN: []}, {"bearer": []}],
            "parameters": [{
                "name": IDEMPOTENCY_KEY,
                "in": "header",
                "description": format!(
                    "What the sender calls its lead. A lead posted again under the same name within {} hours is handled once.",
                    WINDOW.as_hours()
                ),
                "schema": schemas.subschema_for::<IdempotencyKey>(),
            }],
            "requestBody": {
                "required": true,
                "description": format!("One JSON object in UTF-8, by default of at most {BODY_LIMIT} bytes."),
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Lead"}, "examples": examples()}},
            },
            "responses": responses(schemas),
        },
    })
}

fn security_schemes() -> Value {
    json!({
        TOKEN: {
            "type": "apiKey",
            "in": "query",
            "name": TOKEN,
            "description": "The endpoint's token, as part of the URL that is entered in Partner Center.",
        },
        "bearer": {"type": "http", "scheme": "bearer", "description": "The same token. Where it is given, the query is not read."},
    })
}

/// An object that may have any members. What is known of them is what the sample has; no value is too odd to be taken.
fn lead() -> Value {
    let mut schema = members(&parsed(samples::LEAD));
    schema["type"] = json!("object");
    schema["description"] = json!(
        "A lead. Every member may be missing or of another type, others may be there, and letters' case does not count in names. \
         At most 64 arrays and objects lie in each other."
    );
    schema
}

/// The members of an object, each with its value as an example.
fn members(sample: &Value) -> Value {
    let Some(object) = sample.as_object() else { return json!({"examples": [sample]}) };
    let each = object.iter().map(|(name, value)| (name.clone(), members(value)));
    json!({"properties": each.collect::<Map<_, _>>()})
}

fn examples() -> Value {
    json!({
        "lead": {"summary": "The lead of Microsoft's guide", "value": parsed(samples::LEAD)},
        "test": {"summary": "Microsoft's test lead, sent by Validate and Publish", "value": parsed(samples::TEST_LEAD)},
    })
}

fn parsed(sample: &str) -> Value {
    #[allow(clippy::expect_used)]
    // invariant: the samples are compiled in, and a test reads each.
    serde_json::from_str(sample).expect("a sample is JSON")
}

fn responses(schemas: &mut SchemaGenerator) -> Value {
    let mut kinds: BTreeMap<u16, Vec<Kind>> = UNREADABLE.map(|(status, _)| (status, Vec::new())).into();
    for kind in Kind::ALL {
        kinds.entry(kind.status().as_u16()).or_default().push(*kind);
    }
    let mut responses = Map::from_iter([("202".to_owned(), accepted(schemas))]);
    responses.extend(kinds.iter().map(|(status, kinds)| (status.to_string(), refusal(*status, kinds, schemas))));
    responses.into()
}

fn accepted(schemas: &mut SchemaGenerator) -> Value {
    let [lead_id, received_at] = ["01a20568-8e03-7978-80d5-bc936894a57f", "2026-11-22T22:37:39.751231373Z"];
    let example = json!({
        "lead_id": lead_id, "endpoint": "contoso-backup", "received_at": received_at, "durable": Durability::Kafka, "test": false,
    });
    json!({
        "description": "Accepted: the lead is durable.",
        "content": {(Receipt::MEDIA_TYPE): {"schema": schemas.subschema_for::<Receipt>(), "example": example}},
    })
}

/// All refusals of one status.
fn refusal(status: u16, kinds: &[Kind], schemas: &mut SchemaGenerator) -> Value {
    let unreadable = UNREADABLE.iter().filter(|(of, _)| *of == status).map(|(_, when)| format!("- no body: {when}"));
    let lines = kinds.iter().map(|kind| format!("- `{}`: {}", kind.name(), kind.when())).chain(unreadable);
    let mut response = json!({"description": lines.collect::<Vec<_>>().join("\n")});
    if kinds.is_empty() {
        return response;
    }
    let answers: Vec<HttpResponse> = kinds.iter().map(|kind| kind.example().error_response()).collect();
    let headers = headers(answers.iter().map(HttpResponse::headers));
    if !headers.is_empty() {
        response["headers"] = headers.into();
    }
    let types: Vec<String> = kinds.iter().map(|kind| kind.urn()).collect();
    let mut schema = schemas.subschema_for::<Details>();
    schema.insert("properties".to_owned(), json!({"type": {"enum": types}, "status": {"const": status}}));
    let example = |kind: &Kind| (kind.name().to_owned(), json!({"summary": kind.when(), "value": kind.example().details()}));
    let examples: Map<_, _> = kinds.iter().map(example).collect();
    response["content"] = json!({MEDIA_TYPE: {"schema": schema, "examples": examples}});
    response
}

/// The headers that each of these answers has.
fn headers<'a>(answers: impl Iterator<Item = &'a HeaderMap> + Clone) -> Map<String, Value> {
    let Some(first) = answers.clone().next() else { return Map::new() };
    let everywhere = |name| answers.clone().all(|headers| headers.contains_key(name));
    let common = first.iter().filter(|(name, _)| *name != CONTENT_TYPE && everywhere(*name));
    let described = common.map(|(name, value)| {
        let text = value.to_str().unwrap_or_default();
        let schema = match text.parse::<u64>() {
            Ok(_) if name == RETRY_AFTER => json!({"type": "integer", "minimum": 0, "description": "Seconds to wait."}),
            _ => json!({"const": text}),
        };
        (name.to_string(), json!({"required": true, "schema": schema}))
    });
    described.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_stands_under_its_status_with_its_headers() {
        let document = document();
        let responses = &document["paths"][ROUTE]["post"]["responses"];
        for kind in Kind::ALL {
            let response = &responses[kind.status().as_str()];
            let content = &response["content"][MEDIA_TYPE];
            assert_eq!(content["examples"][kind.name()]["value"], json!(kind.example().details()), "{kind:?}");
            assert!(
                content["schema"]["properties"]["type"]["enum"].as_array().unwrap().contains(&json!(kind.urn())),
                "{kind:?}"
            );
        }
        let receipt = &responses["202"]["content"][Receipt::MEDIA_TYPE]["example"];
        assert!(serde_json::from_value::<Receipt>(receipt.clone()).is_ok(), "{receipt}");
        assert_eq!(responses["401"]["headers"]["www-authenticate"]["schema"], json!({"const": "Bearer"}));
        assert_eq!(responses["405"]["headers"]["allow"]["schema"], json!({"const": "POST"}));
        assert_eq!(responses["503"]["headers"]["retry-after"]["schema"]["type"], "integer");
        assert_eq!(responses["404"].get("headers"), None);
        assert_eq!(responses["431"].get("content"), None);
    }

    #[test]
    fn a_header_is_promised_only_when_every_answer_has_it() {
        let [with, without] = [Kind::Unavailable, Kind::NotFound].map(|kind| kind.example().error_response());
        assert_eq!(headers([with.headers(), with.headers()].into_iter()).keys().collect::<Vec<_>>(), ["retry-after"]);
        assert!(headers([with.headers(), without.headers()].into_iter()).is_empty());
        assert!(headers([without.headers(), with.headers()].into_iter()).is_empty());
    }

    #[test]
    fn the_lead_of_the_guide_has_only_members_that_are_read() {
        let lead = leadline_proto::parse::lead(samples::LEAD.as_bytes()).unwrap();
        assert!(lead.other.is_empty() && lead.contact.other.is_empty());
        assert_eq!(
            document()["components"]["schemas"]["Lead"]["properties"]["UserDetails"]["properties"].as_object().unwrap().len(),
            7
        );
        assert_eq!(leadline_proto::parse::lead(samples::TEST_LEAD.as_bytes()).unwrap().kind, leadline_proto::LeadKind::Test);
    }
}
