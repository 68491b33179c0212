//! From an admitted request to the answer 202: parse, wrap with the receipt, make durable.

use std::sync::Arc;

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use jiff::Timestamp;
use leadline_proto::config::{Endpoint, Endpoints};
use leadline_proto::keys::PersonHasher;
use leadline_proto::{AcceptedLead, EndpointName, LeadKind, Personal, parse};
use serde::Serialize;
use uuid::Uuid;

use crate::config::Ingest as Config;
use crate::durable::{Durability, Keeper};
use crate::metrics::IngestMetrics;
use crate::problem::Problem;
use crate::{admit, body};

/// What every request is handled with.
pub(crate) struct Intake {
    pub(crate) config: Arc<Config>,
    pub(crate) endpoints: Endpoints,
    pub(crate) hasher: PersonHasher,
    pub(crate) keeper: Keeper,
    pub(crate) metrics: IngestMetrics,
}

/// What the sender is told: the receipt.
#[derive(Debug, Serialize)]
struct Receipt<'a> {
    lead_id: Uuid,
    endpoint: &'a EndpointName,
    received_at: Timestamp,
    durable: Durability,
    test: bool,
}

/// `POST /v1/leads/{endpoint}`
pub(crate) async fn post(request: HttpRequest, payload: Payload, intake: Data<Intake>) -> Result<HttpResponse, Problem> {
    receive(&request, payload, &intake).await.map_err(|problem| intake.refuse(problem))
}

impl Intake {
    /// Counts a refusal.
    pub(crate) fn refuse(&self, problem: Problem) -> Problem {
        self.metrics.refused.with_label_values(&[problem.name()]).inc();
        tracing::debug!(reason = problem.name(), "refused");
        problem
    }
}

async fn receive(request: &HttpRequest, payload: Payload, intake: &Intake) -> Result<HttpResponse, Problem> {
    let (name, endpoint) = admit::admit(request, &intake.endpoints)?;
    let body = body::read(request, payload, intake.config.body_limit, intake.config.body_timeout).await?;
    let lead = read_lead(intake, &name, endpoint, &body)?;
    let durable = intake.keeper.keep(&lead).await?;
    let test = lead.kind() == LeadKind::Test;
    intake.metrics.accepted.with_label_values(&[name.as_str(), lead.kind().as_str(), durable.as_str()]).inc();
    tracing::debug!(lead_id = %lead.lead_id, endpoint = %name, kind = lead.kind().as_str(), durable = durable.as_str(), "accepted");
    let receipt = Receipt { lead_id: lead.lead_id, endpoint: &name, received_at: lead.received_at, durable, test };
    Ok(HttpResponse::Accepted().json(receipt))
}

fn read_lead(intake: &Intake, name: &EndpointName, endpoint: &Endpoint, body: &[u8]) -> Result<AcceptedLead, Problem> {
    let lead = parse::lead(body).map_err(Problem::NotALead)?;
    let raw = parse::text(body).map_err(Problem::NotALead)?;
    // A body that parsed as an object has at least two characters.
    let raw = Personal::verbatim(raw).ok_or(Problem::Incomplete)?;
    Ok(AcceptedLead {
        lead_id: Uuid::now_v7(),
        endpoint: name.clone(),
        offer_id: endpoint.offer_id.clone(),
        received_at: Timestamp::now(),
        person: intake.hasher.person(name, &lead),
        lead,
        raw,
    })
}
