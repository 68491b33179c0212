//! Gathers the evidence at the end of a run: journals, topics, the CRM, logs. Judges nothing.

use leadline_proto::headers::CE_ID;
use leadline_proto::{Outcome, Status};
use leadline_tests::blocking::block_on;
use sqlx::ConnectOptions as _;
use sqlx::sqlite::SqliteConnectOptions;
use uuid::Uuid;

use crate::checker::{CRM, EndStatus, Ending, Evidence, MAIL, SINKS};
use crate::chronicle::Counted;
use crate::generator::{MARK, ONE, TWO};
use crate::journal::{read_arrivals, read_posts};
use crate::logs::Said;
use crate::product::{LEADS, OUTCOMES, Product, contacts, dead_letter_topic, retry_topic};
use crate::topics::{Record, each};

/// Reads everything that a run has left.
pub(crate) fn gather(product: &Product, bootstrap: &str, counted: &Counted, said: &Said) -> Result<Evidence, String> {
    let unreadable = |error: std::io::Error| format!("a journal cannot be read: {error}");
    let mut evidence = Evidence {
        posts: read_posts(&product.posts_file()).map_err(unreadable)?,
        contacts: [ONE, TWO].map(|name| (name.to_owned(), contacts(name).iter().map(ToString::to_string).collect())).into(),
        blows: counted.blows.iter().chain(&said.lost).cloned().collect(),
        ..Evidence::default()
    };
    // In this order: where not everything is done yet, the workers go on meanwhile, and an outcome comes after the delivery.
    read_topics(bootstrap, &mut evidence).map_err(|error| format!("a topic cannot be read: {error}"))?;
    evidence.arrivals = read_arrivals(&product.arrivals_file()).map_err(unreadable)?;
    evidence.crm = crm(product, "SELECT lead_id FROM lead_history")?.into_iter().collect();
    evidence.outdated = crm(product, OUTDATED)?;
    Ok(evidence)
}

fn read_topics(bootstrap: &str, evidence: &mut Evidence) -> rdkafka::error::KafkaResult<()> {
    each(bootstrap, LEADS, |record| {
        // A record without either is nobody's post; it counts as a stranger.
        let id = lead_id(record).unwrap_or_default();
        evidence.leads.insert(id, number(record.value).unwrap_or(u64::MAX));
    })?;
    each(bootstrap, OUTCOMES, |record| evidence.outcomes.extend(ending(record)))?;
    each(bootstrap, &retry_topic(MAIL), |record| {
        evidence.retried.entry(lead_id(record).unwrap_or_default()).or_default().push(record.at);
    })?;
    for sink in SINKS {
        each(bootstrap, &dead_letter_topic(sink), |record| {
            evidence.dead.extend(lead_id(record).map(|lead| (sink.to_owned(), lead)));
        })?;
    }
    Ok(())
}

fn lead_id(record: &Record<'_>) -> Option<Uuid> {
    record.headers.parse(CE_ID)
}

/// The number of the post that a lead stands for: its text says so.
fn number(value: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(value).ok()?;
    let digits = text.split_once(MARK)?.1;
    digits.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

fn ending(record: &Record<'_>) -> Option<Ending> {
    let outcome = Outcome::decode(&record.headers, record.value)?;
    let status = match outcome.status {
        Status::Delivered { maybe_duplicate, .. } => EndStatus::Delivered { maybe_duplicate },
        Status::Skipped { .. } => EndStatus::Skipped,
        Status::DeadLettered { .. } => EndStatus::DeadLettered,
    };
    let (lead, sink) = (outcome.lead_id, outcome.sink.as_str().to_owned());
    Some(Ending { lead, sink, replay: outcome.replay, status, at: record.at })
}

/// The leads of records whose history has a newer one. Times are texts that sort.
const OUTDATED: &str = "SELECT lead_id FROM lead AS shown WHERE EXISTS (SELECT 1 FROM lead_history AS other
    WHERE other.crm_key = shown.crm_key AND (other.received_at, other.lead_id) > (shown.received_at, shown.lead_id))";

/// Lead ids from the CRM's database.
fn crm(product: &Product, sql: &'static str) -> Result<Vec<Uuid>, String> {
    let file = product.crm_file();
    let rows: Result<Vec<String>, sqlx::Error> = block_on(async {
        let mut connection = SqliteConnectOptions::new().filename(file).connect().await?;
        sqlx::query_scalar(sql).fetch_all(&mut connection).await
    });
    let rows = rows.map_err(|error| format!("{CRM}: {error}"))?;
    rows.iter().map(|id| id.parse().map_err(|error| format!("{CRM}: `{id}`: {error}"))).collect()
}
