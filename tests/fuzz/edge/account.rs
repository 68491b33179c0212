//! What was answered 202, compared with what is in the topic at the end.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use leadline_proto::{AcceptedLead, Headers, parse};
use leadline_tests::kafka::{Record, each_record_at};
use uuid::Uuid;

/// A lead whose sender was told that it is accepted.
pub(super) struct Accepted {
    lead: Uuid,
    /// Hash of its body, when it is known which that was.
    body: Option<u64>,
}

impl Accepted {
    pub(super) fn new(lead: Uuid, body: Option<&[u8]>) -> Self {
        Self { lead, body: body.and_then(|body| parse::text(body).ok()).map(hash) }
    }
}

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// All that was accepted.
#[derive(Default)]
pub(super) struct Account(Vec<Accepted>);

/// What the comparison gave.
pub(super) struct Settled {
    pub(super) counts: BTreeMap<String, u64>,
    pub(super) faults: Vec<String>,
}

impl Account {
    pub(super) fn extend(&mut self, accepted: Vec<Accepted>) {
        self.0.extend(accepted);
    }

    /// Reads the topic to its end. A lead that its sender names has a record for each post, of which one must be as sent.
    pub(super) fn settle(self, bootstrap: &str, topic: String) -> Settled {
        let (mut faults, mut records) = (Vec::new(), 0);
        let mut bodies = HashMap::<Uuid, Vec<u64>>::new();
        each_record_at(bootstrap, &topic, |record| {
            records += 1;
            match decoded(record) {
                Ok(lead) => bodies.entry(lead.lead_id).or_default().push(hash(lead.raw.expose())),
                Err(error) => faults.push(format!("a record in the topic cannot be decoded: {error}")),
            }
        });
        for Accepted { lead, body } in &self.0 {
            match (bodies.get(lead), body) {
                (None, _) => faults.push(format!("{lead} was accepted and is not in the topic")),
                (Some(found), Some(sent)) if !found.contains(sent) => faults.push(format!("{lead} is not as it was sent")),
                (Some(_), _) => {}
            }
        }
        let compared = self.0.iter().filter(|accepted| accepted.body.is_some()).count() as u64;
        let counts = [
            ("leads accepted", self.0.len() as u64),
            ("compared with their bodies", compared),
            ("records in the topic", records),
            ("ids in the topic", bodies.len() as u64),
        ];
        Settled { counts: counts.map(|(what, count)| (what.to_owned(), count)).into(), faults }
    }
}

fn decoded(record: Record) -> Result<AcceptedLead, String> {
    let headers: Headers = record.headers.into_iter().collect();
    let lead = AcceptedLead::decode(&headers, &record.value.unwrap_or_default()).map_err(|error| error.to_string())?;
    let same = AcceptedLead::claimed_id(&headers) == Some(lead.lead_id);
    if same { Ok(lead) } else { Err("its header names another lead".to_owned()) }
}
