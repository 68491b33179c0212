//! From a lead to a CRM record: which value goes into which column.
//!
//! How columns are written belongs in the connector. Connectors with length limits shorten there; SQL has none.

use std::borrow::Cow;

use jiff::Timestamp;
use leadline_proto::lead::Email;
use leadline_proto::{AcceptedLead, LeadKind, Personal};

/// Stands for a missing last name, which most CRMs insist on.
pub const NOT_PROVIDED: &str = "(not provided)";

/// A text of a lead, without characters that a database refuses.
pub type Text<'a> = Cow<'a, str>;

/// One lead as columns.
#[derive(Clone, PartialEq)]
pub struct Record<'a> {
    /// Names the record: one per person and offer.
    pub crm_key: String,
    /// The lead.
    pub lead_id: String,
    /// Whose lead it is.
    pub person_key: &'a str,
    /// The endpoint it came through.
    pub endpoint: &'a str,
    /// The offer that the endpoint stands for.
    pub offer_id: Option<Text<'a>>,
    /// The offer as the lead names it.
    pub offer: Option<Text<'a>>,
    /// What kind of lead it is.
    pub kind: &'static str,
    /// First name.
    pub first_name: Option<Text<'a>>,
    /// Last name, or [`NOT_PROVIDED`].
    pub last_name: Text<'a>,
    /// The e-mail address as it was sent.
    pub email: Option<Text<'a>>,
    /// Whether mail could be sent to it.
    pub email_valid: bool,
    /// Phone number, in no particular format.
    pub phone: Option<Text<'a>>,
    /// Country, free text.
    pub country: Option<Text<'a>>,
    /// Company.
    pub company: Option<Text<'a>>,
    /// Job title.
    pub job_title: Option<Text<'a>>,
    /// Where the lead comes from.
    pub source: Option<Text<'a>>,
    /// What the customer did.
    pub action: Option<Text<'a>>,
    /// Free text of several lines.
    pub description: Option<Text<'a>>,
    /// The customer need not be contacted.
    pub do_not_contact: bool,
    /// Microsoft's own test.
    pub test: bool,
    /// Time of receipt, see [`time`].
    pub received_at: String,
    /// The body as it was sent.
    pub raw: Text<'a>,
}

impl<'a> Record<'a> {
    /// Maps a lead.
    pub fn of(accepted: &'a AcceptedLead) -> Self {
        let lead = &accepted.lead;
        let contact = &lead.contact;
        Self {
            crm_key: accepted.crm_key(),
            lead_id: accepted.lead_id.to_string(),
            person_key: accepted.person.as_str(),
            endpoint: accepted.endpoint.as_str(),
            offer_id: accepted.offer_id.as_deref().map(storable),
            offer: text(&lead.offer),
            kind: lead.kind.as_str(),
            first_name: text(&contact.first_name),
            last_name: text(&contact.last_name).unwrap_or(Cow::Borrowed(NOT_PROVIDED)),
            email: contact.email.as_ref().map(|email| storable(email.text().expose())),
            email_valid: contact.email.as_ref().and_then(Email::address).is_some(),
            phone: text(&contact.phone),
            country: text(&contact.country),
            company: text(&contact.company),
            job_title: text(&contact.job_title),
            source: text(&lead.source),
            action: text(&lead.action),
            description: text(&lead.description),
            do_not_contact: lead.kind == LeadKind::DoNotContact,
            test: lead.kind == LeadKind::Test,
            received_at: time(accepted.received_at),
            raw: storable(accepted.raw.expose()),
        }
    }
}

/// A time as RFC 3339 in UTC with always six digits of a second: as text it sorts as the time does, and it is exactly what
/// PostgreSQL keeps of a time.
pub fn time(at: Timestamp) -> String {
    format!("{at:.6}")
}

fn text(value: &Option<Personal>) -> Option<Text<'_>> {
    value.as_ref().map(|value| storable(value.expose()))
}

/// PostgreSQL refuses NUL in a text. `parse` lets none through and JSON has none, but this is another process: one bad record
/// on the topic must not cost a lead.
fn storable(text: &str) -> Text<'_> {
    if text.contains('\0') { Cow::Owned(text.replace('\0', "\u{fffd}")) } else { Cow::Borrowed(text) }
}

// By hand: a derived `Debug` would print the person.
impl std::fmt::Debug for Record<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Record").field("crm_key", &self.crm_key).field("lead_id", &self.lead_id).finish_non_exhaustive()
    }
}

/// What a write meant for the record in the CRM. In every case the CRM has what it is to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// It is new.
    Inserted,
    /// It was there and has the values of this lead now.
    Updated,
    /// It was there and has the values of a newer lead.
    Superseded,
    /// It was there and is left alone, by configuration.
    Kept,
}

impl Written {
    /// Every one.
    pub(crate) const ALL: [Self; 4] = [Self::Inserted, Self::Updated, Self::Superseded, Self::Kept];

    /// The label value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Inserted => "inserted",
            Self::Updated => "updated",
            Self::Superseded => "superseded",
            Self::Kept => "kept",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_sort_as_text() {
        let times = ["2026-11-22T09:00:00Z", "2026-11-22T09:00:00.000001Z", "2026-11-22T09:00:00.1Z", "2026-11-22T09:00:01Z"];
        let texts = times.map(|at| time(at.parse().unwrap()));
        assert!(texts.is_sorted(), "{texts:?}");
        assert!(texts.iter().all(|text| text.len() == 27), "{texts:?}");
        assert_eq!(time("2026-11-22T09:00:00.123456789+01:00".parse().unwrap()), "2026-11-22T08:00:00.123456Z");
    }

    #[test]
    fn nul_never_reaches_a_database() {
        assert_eq!(storable("a\0b"), "a\u{fffd}b");
        assert!(matches!(storable("ab"), Cow::Borrowed("ab")));
    }

    #[test]
    fn no_json_holds_a_nul_byte() {
        for body in ["{\"a\":\"\0\"}", "{\0}", "{}\0"] {
            assert!(leadline_proto::parse::lead(body.as_bytes()).is_err(), "{body:?}");
        }
    }
}
