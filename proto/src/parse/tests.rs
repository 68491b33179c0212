//! What a body becomes: the sample leads, the oddities a sender may show, and the bodies that are refused.
//!
//! `properties` holds what is true of every body. The samples lie in `proto/fixtures/leads/`.

mod kinds;
mod mapped;
mod oddities;
mod properties;
mod refusals;
mod samples;

use serde_json::{Value, json};

use super::{MAX_DEPTH, ParseError};
use crate::lead::{Email, Lead, LeadKind};
use crate::personal::Personal;

const SAMPLE: &[u8] = include_bytes!("../../fixtures/leads/sample.json");
const CAMEL_CASE: &[u8] = include_bytes!("../../fixtures/leads/camel-case.json");
const COMPOSITE: &[u8] = include_bytes!("../../fixtures/leads/composite-source.json");
const CONTACT_ME: &[u8] = include_bytes!("../../fixtures/leads/contact-me.json");
const DO_NOT_CONTACT: &[u8] = include_bytes!("../../fixtures/leads/do-not-contact.json");
const EMPTY: &[u8] = include_bytes!("../../fixtures/leads/empty.json");
const VALIDATE: &[u8] = include_bytes!("../../fixtures/leads/validate-button.json");
const VALIDATE_CODED: &[u8] = include_bytes!("../../fixtures/leads/validate-button-coded.json");

const MARKER: &str = "MSFT_TEST_636573304831318844";

fn lead(body: impl AsRef<[u8]>) -> Lead {
    super::lead(body.as_ref()).unwrap()
}

fn refused(body: impl AsRef<[u8]>) -> ParseError {
    super::lead(body.as_ref()).unwrap_err()
}

/// Every text that is present, by the name of its field. Comparing the whole list also shows what must be absent.
fn texts(lead: &Lead) -> Vec<(&'static str, &str)> {
    let contact = &lead.contact;
    let fields = [
        ("first_name", contact.first_name.as_ref()),
        ("last_name", contact.last_name.as_ref()),
        ("email", contact.email.as_ref().map(Email::text)),
        ("phone", contact.phone.as_ref()),
        ("country", contact.country.as_ref()),
        ("company", contact.company.as_ref()),
        ("job_title", contact.job_title.as_ref()),
        ("source", lead.source.as_ref()),
        ("action", lead.action.as_ref()),
        ("offer", lead.offer.as_ref()),
        ("description", lead.description.as_ref()),
    ];
    fields.into_iter().filter_map(|(name, text)| text.map(|text| (name, text.expose()))).collect()
}

/// The texts and the kind of a lead without any unknown member.
#[track_caller]
fn assert_lead(body: impl AsRef<[u8]>, kind: LeadKind, expected: &[(&'static str, &str)]) {
    let lead = lead(body);
    assert_eq!(texts(&lead), expected);
    assert_eq!(lead.kind, kind);
    assert!(lead.other.is_empty() && lead.contact.other.is_empty());
}

fn unknown(lead: &Lead) -> Value {
    json!({ "lead": lead.other, "contact": lead.contact.other })
}
