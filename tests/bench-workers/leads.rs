//! Leads as ingest writes them: a posted body that was parsed, wrapped and encoded by the product's own code.

use jiff::Timestamp;
use leadline_proto::keys::PersonHasher;
use leadline_proto::{AcceptedLead, EndpointName, Personal, parse};
use uuid::Uuid;

/// The endpoint that all of them were posted to.
pub(crate) const ENDPOINT: &str = "contoso-backup";

/// What people write. Not one text again and again: that would compress to nothing.
const WORDS: [&str; 24] = [
    "we", "would", "like", "to", "evaluate", "the", "backup", "offer", "for", "about", "four", "hundred", "seats", "in",
    "three", "regions", "please", "call", "back", "before", "Friday", "with", "pricing", "details",
];

/// Makes leads of some persons, one after the other.
pub(crate) struct Leads {
    /// One lead of each person; the others differ in id, time and offer. An equal one would be a repeat.
    persons: Vec<AcceptedLead>,
    next: usize,
}

impl Leads {
    /// Leads of so many persons whose records take about so many bytes each.
    pub(crate) fn new(persons: usize, bytes: usize) -> Self {
        let hasher = PersonHasher::new(b"bench");
        Self { persons: (0..persons).map(|number| lead_of(number, bytes, &hasher)).collect(), next: 0 }
    }
}

impl Iterator for Leads {
    type Item = AcceptedLead;

    fn next(&mut self) -> Option<AcceptedLead> {
        let lead = &self.persons[self.next % self.persons.len()];
        self.next += 1;
        let mut lead = AcceptedLead { lead_id: Uuid::now_v7(), received_at: Timestamp::now(), ..lead.clone() };
        lead.lead.offer = Personal::line(&format!("Contoso Backup, plan {}", self.next));
        Some(lead)
    }
}

fn lead_of(number: usize, bytes: usize, hasher: &PersonHasher) -> AcceptedLead {
    let bare = accepted(&body(number, 0), hasher);
    // The description stands in the record twice: as it was understood, and in the body as it was sent.
    accepted(&body(number, bytes.saturating_sub(bare.encode().len()) / 2), hasher)
}

fn accepted(body: &str, hasher: &PersonHasher) -> AcceptedLead {
    let endpoint: EndpointName = ENDPOINT.parse().expect("the name is right");
    let lead = parse::lead(body.as_bytes()).expect("the body is a lead");
    AcceptedLead {
        lead_id: Uuid::nil(),
        offer_id: Some("contoso.backup".to_owned()),
        received_at: Timestamp::UNIX_EPOCH,
        person: hasher.person(&endpoint, &lead),
        endpoint,
        lead,
        raw: Personal::verbatim(body).expect("the body is not empty"),
    }
}

fn body(number: usize, description: usize) -> String {
    let body = serde_json::json!({
        "UserDetails": {
            "FirstName": format!("Ada {number}"),
            "LastName": "Lovelace",
            "Email": format!("ada.{number}@customer-{}.example.com", number % 97),
            "Phone": format!("+1 425 555 {:04}", number % 10_000),
            "Country": "US",
            "Company": format!("Customer {} Ltd.", number % 97),
            "Title": "Head of Infrastructure",
        },
        "LeadSource": "AzureMarketplace",
        "ActionCode": "INS",
        "OfferTitle": "Contoso Backup for Azure",
        "Description": words(number, description),
    });
    body.to_string()
}

/// A text of that length.
fn words(seed: usize, length: usize) -> String {
    let mut text = String::with_capacity(length + 16);
    let mut state = seed.wrapping_mul(0x9E37_79B9) | 1;
    while text.len() < length {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        text.push_str(WORDS[(state >> 33) % WORDS.len()]);
        text.push(' ');
    }
    text.truncate(length);
    text
}
