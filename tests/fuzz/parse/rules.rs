//! What must hold for every body, whatever it holds: it is a lead that can be read back in full, or it is refused and stays so.

use jiff::Timestamp;
use leadline_ingest::prepared::PreparedEndpoint;
use leadline_ingest::read::{self, NoLead, Origin};
use leadline_proto::idempotency::IdempotencyKey;
use leadline_proto::keys::ContentHash;
use leadline_proto::{AcceptedLead, Code, EndpointName, Headers, LeadKind, Personal, RejectedBody, parse};
use serde_json::Value;
use uuid::Uuid;

use super::setup::{Setups, any_mapping};
use crate::input::text::{composite, text};
use crate::input::{CANARY, Chance};

/// A record is never larger than so many times its body and the receipt: the body itself, each of its bytes escaped, and the
/// fields, in which `1e15` is written out.
const GROWTH: usize = 6;
const RECEIPT: usize = 8 * 1024;

/// Everything of an input but its body.
pub(super) struct Case<'a> {
    setups: &'a Setups,
    own: Option<PreparedEndpoint>,
    shared: &'a PreparedEndpoint,
    endpoint: &'a EndpointName,
    lead_id: Uuid,
    received_at: Timestamp,
    /// Between the quotes of a lead source.
    source: String,
}

/// What became of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Accepted(LeadKind),
    /// Its record would be larger than any that ingest takes.
    TooLarge,
    Refused(&'static str),
}

impl Fate {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Accepted(kind) => kind.as_str(),
            Self::TooLarge => "too-large",
            Self::Refused(name) => name,
        }
    }
}

/// What does not hold, if it does not.
fn must(holds: bool, what: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what.to_owned()) }
}

impl<'a> Case<'a> {
    pub(super) fn draw(chance: &mut Chance, setups: &'a Setups) -> Self {
        let mapped = |mapping| PreparedEndpoint { mapping: Some(mapping), ..PreparedEndpoint::default() };
        let endpoint = &setups.endpoints[chance.below(setups.endpoints.len())];
        let millis = 1_700_000_000_000 + chance.number() % 1_000_000_000_000;
        let named = IdempotencyKey::try_from(format!("{CANARY}-{millis}").as_bytes()).expect("visible ASCII");
        let own = uuid::Builder::from_unix_timestamp_millis(millis, &chance.bytes()).into_uuid();
        Self {
            setups,
            own: chance.one_in(8).then(|| any_mapping(chance).map(mapped)).flatten(),
            shared: setups.any(chance),
            endpoint,
            lead_id: if chance.one_in(4) { named.lead_id(endpoint) } else { own },
            received_at: Timestamp::from_nanosecond(i128::from(millis) * 1_000_000 + i128::from(chance.byte()))
                .expect("in range"),
            source: if chance.one_in(2) { composite(chance) } else { text(chance) },
        }
    }

    fn prepared(&self) -> &PreparedEndpoint {
        self.own.as_ref().unwrap_or(self.shared)
    }

    fn origin(&self) -> Origin<'a> {
        Origin { lead_id: self.lead_id, endpoint: self.endpoint, received_at: self.received_at }
    }

    fn read(&self, body: &[u8], origin: Origin<'_>) -> Result<AcceptedLead, NoLead> {
        read::lead(body, origin, self.prepared(), &self.setups.hasher).map(|(lead, _findings)| lead)
    }

    /// Reads a body in every way, and says what does not hold.
    pub(super) fn judge(&self, body: &[u8]) -> Result<Fate, String> {
        self.sources_are_split()?;
        match self.read(body, self.origin()) {
            Ok(lead) => self.accepted(body, &lead),
            Err(why) => self.refused(body, &why),
        }
    }

    fn accepted(&self, body: &[u8], lead: &AcceptedLead) -> Result<Fate, String> {
        must(parse::text(body) == Ok(lead.raw.expose()), "the body is kept as it came")?;
        must(lead.kind() == LeadKind::of(&lead.lead), "the kind is told from the lead")?;
        fields_are_clean(lead)?;
        self.the_same_again(lead)?;
        let record = read::record("leads", lead);
        let value = record.value.unwrap_or_default();
        must(value.len() <= GROWTH * body.len() + RECEIPT, "a record is bounded by its body")?;
        must(record.key.as_deref() == Some(lead.person.as_str().as_bytes()), "the key is the person")?;
        let headers: Headers = record.headers.into_iter().collect();
        let decoded = AcceptedLead::decode(&headers, &value).map_err(|error| format!("it decodes: {error}"))?;
        must(decoded == *lead, "what is decoded equals what was accepted")?;
        must(AcceptedLead::claimed_id(&headers) == Some(self.lead_id), "the headers tell the id")?;
        must(AcceptedLead::claimed_endpoint(&headers).as_ref() == Some(self.endpoint), "the headers tell the endpoint")?;
        must(AcceptedLead::claimed_receipt(&headers) == Some(self.received_at), "the headers tell the receipt")?;
        Ok(if value.len() > self.setups.largest { Fate::TooLarge } else { Fate::Accepted(lead.kind()) })
    }

    /// The kept body gives the same lead; another receipt the same person; an address the same person anywhere, in any case.
    fn the_same_again(&self, lead: &AcceptedLead) -> Result<(), String> {
        let raw = lead.raw.expose().as_bytes();
        must(self.read(raw, self.origin()).as_ref() == Ok(lead), "the kept body gives the same lead")?;
        let later = Origin { lead_id: Uuid::nil(), received_at: Timestamp::UNIX_EPOCH, ..self.origin() };
        let again = self.read(raw, later).map_err(|why| format!("the kept body is a lead: {why}"))?;
        must(again.person == lead.person, "the person is told from the lead alone")?;
        let hash = |lead: &AcceptedLead| ContentHash::of(&lead.person, &lead.lead);
        must(hash(&again) == hash(lead), "the content is told from the lead alone")?;
        let Some(address) = lead.lead.contact.address() else { return Ok(()) };
        let shouted = serde_json::json!({ "UserDetails": { "Email": address.to_ascii_uppercase() } }).to_string();
        let shouted = parse::lead(shouted.as_bytes()).map_err(|error| error.to_string())?;
        let elsewhere = "elsewhere".parse().expect("a good name");
        must(self.setups.hasher.person(&elsewhere, &shouted) == lead.person, "an address is one person in any case")
    }

    fn refused(&self, body: &[u8], why: &NoLead) -> Result<Fate, String> {
        must(self.read(body, self.origin()).as_ref() == Err(why), "what is refused stays refused")?;
        must(!why.to_string().contains(CANARY), "a refusal repeats nothing of the body")?;
        match why {
            NoLead::Body(error) => {
                must(parse::lead(body).as_ref() == Err(error), "what is no lead is none without a mapping")?;
                must(parse::value(body).as_ref() == Err(error), "what is no lead is no value")?;
            }
            NoLead::Schema(findings) => must(!findings.violations.is_empty(), "a schema refuses for a reason")?,
        }
        let rejected = RejectedBody {
            id: self.lead_id,
            endpoint: self.endpoint.clone(),
            reason: Code::of(why.kind().name()),
            received_at: self.received_at,
            body: body.to_vec(),
        };
        let decoded = RejectedBody::decode(&rejected.headers(), &rejected.encode());
        must(decoded.as_ref() == Some(&rejected), "a rejected body can be read back")?;
        Ok(Fate::Refused(why.kind().name()))
    }

    /// Compared with a splitting of its own; members that say the same win.
    fn sources_are_split(&self) -> Result<(), String> {
        let Ok(source) = serde_json::from_str::<String>(&format!("\"{}\"", self.source)) else { return Ok(()) };
        let read = |body: Value| parse::lead(body.to_string().as_bytes()).map_err(|error| error.to_string());
        let found = |text: &Option<Personal>| text.as_ref().map(|text| text.expose().to_owned());
        let lead = read(serde_json::json!({ "LeadSource": source }))?;
        let parts = [found(&lead.source), found(&lead.action), found(&lead.offer)];
        must(parts == expected_parts(&source), "a lead source is split at its first `|`, then at the last `-` before it")?;
        let told = read(serde_json::json!({ "LeadSource": source, "ActionCode": "PLT", "OfferTitle": "x" }))?;
        let parts = [found(&told.source), found(&told.action), found(&told.offer)];
        must(parts == [found(&lead.source), Some("PLT".to_owned()), Some("x".to_owned())], "members of their own win")
    }
}

fn expected_parts(source: &str) -> [Option<String>; 3] {
    let clean = |text: &str| Personal::line(text).map(|text| text.expose().to_owned());
    let Some(bar) = source.find('|') else { return [clean(source), None, None] };
    let (left, offer) = (&source[..bar], clean(&source[bar + 1..]));
    match left.rfind('-') {
        Some(dash) => [clean(&left[..dash]), clean(&left[dash + 1..]), offer],
        None => [clean(left), None, offer],
    }
}

/// Lines hold no control character and nothing to trim, and none is empty.
fn fields_are_clean(lead: &AcceptedLead) -> Result<(), String> {
    let (lead, contact) = (&lead.lead, &lead.lead.contact);
    let email = contact.email.as_ref().map(|email| email.text());
    let names =
        [&contact.first_name, &contact.last_name, &contact.phone, &contact.country, &contact.company, &contact.job_title];
    let lines = names.into_iter().chain([&lead.source, &lead.action, &lead.offer]).flatten().chain(email);
    for line in lines {
        must(Personal::line(line.expose()).as_ref() == Some(line), "a field is one clean line")?;
    }
    let description = lead.description.as_ref();
    must(description.is_none_or(|text| Personal::paragraph(text.expose()).as_ref() == Some(text)), "a description is clean")
}
