//! What a lead holds once it is past the edge, and which kind it is.
//!
//! How it is read from a payload belongs in `parse`; what travels beside it (id, endpoint, time of receipt) in `envelope`.

use std::collections::BTreeMap;
use std::str::FromStr;

use email_address::{EmailAddress, Options};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::personal::Personal;

/// A lead from the marketplace. Every field is optional; empty never occurs, absent is `None`.
#[derive(Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Lead {
    /// What kind of lead this is, told from its content.
    pub kind: LeadKind,
    /// The customer (`UserDetails`).
    #[serde(default)]
    pub contact: Contact,
    /// Where it comes from, such as `AzureMarketplace` or `SPZA` (`LeadSource` without its composite parts). Not a closed list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Personal>,
    /// What the customer did, such as `INS` or `PLT` (`ActionCode`). Not a closed list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<Personal>,
    /// The offer's display title, or its id when the source was composite (`OfferTitle`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offer: Option<Personal>,
    /// Free text, of several lines (`Description`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<Personal>,
    /// Members with other names, as they came.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub other: BTreeMap<String, Value>,
}

/// The person behind a lead.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Contact {
    /// `FirstName`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_name: Option<Personal>,
    /// `LastName`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_name: Option<Personal>,
    /// `Email`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<Email>,
    /// `Phone`, in no particular format
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<Personal>,
    /// `Country`, free text
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<Personal>,
    /// `Company`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub company: Option<Personal>,
    /// `Title`, the job title
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_title: Option<Personal>,
    /// Members of `UserDetails` with other names, as they came.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub other: BTreeMap<String, Value>,
}

/// An e-mail address as it was sent, and whether it is one (RFC 5322 addr-spec with a dotted domain).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Email {
    /// The text as it was sent.
    text: Personal,
    /// Whether mail could be sent to it.
    valid: bool,
}

impl Email {
    /// Judges a text. Nothing is refused: what is no address stays as text, marked.
    pub fn read(text: Personal) -> Self {
        let valid = is_address(text.expose());
        Self { text, valid }
    }

    /// The text as it was sent.
    pub fn text(&self) -> &Personal {
        &self.text
    }

    /// The address, when it is one that mail could be sent to.
    pub fn address(&self) -> Option<&str> {
        self.valid.then(|| self.text.expose())
    }
}

/// Whether a text is an address that mail could be sent to: one addr-spec, no display name, no domain literal, a dotted domain.
pub fn is_address(text: &str) -> bool {
    let strict = Options::default().with_required_tld().without_display_text().without_domain_literal();
    EmailAddress::from_str(text).is_ok() && EmailAddress::parse_with_options(text, strict).is_ok()
}

/// What a lead is, told from its content. In doubt the earlier kind of this list counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LeadKind {
    /// Microsoft's own test: a text starts with `MSFT_TEST_` and 18 digits.
    Test,
    /// Action `DNC`: for information only, the customer need not be contacted.
    DoNotContact,
    /// Nothing is known about the customer: every contact field is absent.
    Blank,
    /// A lead like any other.
    Customer,
}

impl LeadKind {
    /// Tells the kind of a lead; its present `kind` is not looked at.
    pub fn of(lead: &Lead) -> Self {
        let action = lead.action.as_ref().map(Personal::expose);
        if has_test_marker(lead) {
            Self::Test
        } else if action.is_some_and(|action| action.eq_ignore_ascii_case("DNC")) {
            Self::DoNotContact
        } else if lead.contact.is_empty() {
            Self::Blank
        } else {
            Self::Customer
        }
    }

    /// The kind as it stands in messages, templates and database columns.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Test => "test",
            Self::DoNotContact => "do_not_contact",
            Self::Blank => "blank",
            Self::Customer => "customer",
        }
    }
}

/// The marker can stand in any text that Microsoft's connectors fill with it: in flat forms even source and action.
fn has_test_marker(lead: &Lead) -> bool {
    let contact = &lead.contact;
    let fields = [
        &contact.first_name,
        &contact.last_name,
        &contact.company,
        &contact.job_title,
        &lead.description,
        &lead.source,
        &lead.action,
    ];
    let email = contact.email.as_ref().map(Email::text);
    fields.into_iter().flatten().chain(email).any(|text| is_test_marker(text.expose()))
}

fn is_test_marker(text: &str) -> bool {
    let digits = text.strip_prefix("MSFT_TEST_").unwrap_or_default().bytes();
    digits.take_while(u8::is_ascii_digit).count() >= 18
}

impl Contact {
    /// Whether no field is present.
    pub fn is_empty(&self) -> bool {
        let texts = [&self.first_name, &self.last_name, &self.phone, &self.country, &self.company, &self.job_title];
        self.email.is_none() && texts.into_iter().all(Option::is_none)
    }

    /// The e-mail address, when one was given that mail could be sent to.
    pub fn address(&self) -> Option<&str> {
        self.email.as_ref().and_then(Email::address)
    }
}

// By hand: `other` holds the sender's values, which a derived `Debug` would print.
impl std::fmt::Debug for Lead {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lead").field("kind", &self.kind).field("other", &self.other.len()).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Contact {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Contact").field("empty", &self.is_empty()).finish_non_exhaustive()
    }
}
