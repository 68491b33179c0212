//! From an admitted request to the answer 202: parse, wrap with the receipt, make durable.

use std::sync::Arc;

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use jiff::Timestamp;
use leadline_platform::trace::Span;
use leadline_proto::keys::PersonHasher;
use leadline_proto::{AcceptedLead, EndpointName, LeadKind};
use uuid::Uuid;

use crate::admit::{self, Admitted};
use crate::config::Ingest as Config;
use crate::connections::Connection;
use crate::drift::Drift;
use crate::durable::Keeper;
use crate::endpoints::Current;
use crate::limits::client;
use crate::limits::places::Place;
use crate::limits::rate::Rate;
use crate::limits::strangers::Strangers;
use crate::metrics::IngestMetrics;
use crate::prepared::PreparedEndpoint;
use crate::problem::Problem;
use crate::read::{NoLead, Origin};
use crate::receipt::Receipt;
use crate::rejected::Rejects;
use crate::tls::Presented;
use crate::{body, idempotency, read, trace};

/// What every request is handled with.
pub(crate) struct Intake {
    pub(crate) config: Arc<Config>,
    pub(crate) endpoints: Current,
    pub(crate) rejects: Rejects,
    pub(crate) drift: Drift,
    pub(crate) hasher: PersonHasher,
    pub(crate) keeper: Arc<Keeper>,
    pub(crate) strangers: Strangers,
    /// Of all endpoints together.
    pub(crate) rate: Rate,
    /// The certificate of the port, when it is encrypted.
    pub(crate) certificate: Option<Arc<Presented>>,
    pub(crate) metrics: IngestMetrics,
}

/// `POST /v1/leads/{endpoint}`
pub(crate) async fn post(request: HttpRequest, payload: Payload, intake: Data<Intake>) -> Result<HttpResponse, Problem> {
    receive(&request, payload, &intake).await.map_err(|problem| intake.refuse(problem))
}

impl Intake {
    /// Counts a refusal.
    pub(crate) fn refuse(&self, problem: Problem) -> Problem {
        let reason = problem.kind().name();
        self.metrics.refused.with_label_values(&[reason]).inc();
        tracing::debug!(reason, "refused");
        problem
    }

    /// The answer to somebody who may not post: what is wrong, or that this was tried too often.
    fn count_stranger(&self, request: &HttpRequest, problem: Problem) -> Problem {
        if !matches!(problem, Problem::Unauthorized | Problem::NotFound) {
            return problem;
        }
        let counted = self.strangers.failed(client::address(request, &self.config.trusted_proxies));
        let why = "too many requests with a wrong token or endpoint; a right one is always let in";
        counted.map_or_else(|wait| Problem::rate_limited(wait, why), |()| problem)
    }

    /// Room for a lead of somebody who may post, before anything of its body is read.
    fn place(&self, request: &HttpRequest, name: &EndpointName, prepared: &PreparedEndpoint) -> Result<Place, Problem> {
        if let Some(connection) = request.conn_data::<Connection>() {
            connection.brought_a_lead();
        }
        let limited = |why| move |wait| Problem::rate_limited(wait, why);
        prepared.rate.take().map_err(limited("more leads a second than this endpoint may have"))?;
        self.rate.take().map_err(limited("more leads a second than all endpoints may have"))?;
        let body = body::announced(request).unwrap_or(self.config.body_limit).min(self.config.body_limit);
        let place = self.keeper.places.take(name, self.config.memory_of(body));
        place.ok_or(Problem::Overloaded { retry_after: self.config.retry_after.as_secs() })
    }
}

async fn receive(request: &HttpRequest, payload: Payload, intake: &Intake) -> Result<HttpResponse, Problem> {
    let (known, now) = (intake.endpoints.now(), Timestamp::now());
    let admitted = admit::admit(request, &known, intake.config.hide_endpoints, now);
    let admitted = admitted.map_err(|problem| intake.count_stranger(request, problem))?;
    intake.metrics.token_used(&admitted.name, admitted.token, now);
    let span = trace::request(&intake.keeper.tracer, request, &admitted.name);
    let answer = take(request, payload, intake, admitted, &span).await;
    trace::answered(&span, &answer);
    answer
}

/// Takes the lead of an admitted request.
async fn take(
    request: &HttpRequest,
    payload: Payload,
    intake: &Intake,
    Admitted { name, prepared, .. }: Admitted<'_>,
    span: &Span,
) -> Result<HttpResponse, Problem> {
    let key = idempotency::key(request)?;
    let place = intake.place(request, &name, prepared)?;
    let body = body::read(request, payload, intake.config.body_limit, intake.config.body_timeout).await?;
    let lead_id = key.map_or_else(Uuid::now_v7, |key| key.lead_id(&name));
    let origin = Origin { lead_id, endpoint: &name, received_at: Timestamp::now() };
    let lead = read_lead(intake, origin, prepared, &body).await?;
    trace::lead(span, &lead);
    let durable = intake.keeper.keep(&lead, place, span.context()).await?;
    let test = lead.kind() == LeadKind::Test;
    if test {
        intake.metrics.test_lead.with_label_values(&[name.as_str()]).set(lead.received_at.as_duration().as_secs_f64());
    }
    intake.metrics.accepted.with_label_values(&[name.as_str(), lead.kind().as_str(), durable.as_str()]).inc();
    tracing::debug!(lead_id = %lead.lead_id, endpoint = %name, kind = lead.kind().as_str(), durable = durable.as_str(), "accepted");
    let receipt = Receipt { lead_id: lead.lead_id, endpoint: name, received_at: lead.received_at, durable, test };
    Ok(HttpResponse::Accepted().json(receipt))
}

/// The lead of a body. One that is none is kept, and its answer says so.
async fn read_lead(
    intake: &Intake,
    origin: Origin<'_>,
    prepared: &PreparedEndpoint,
    body: &[u8],
) -> Result<AcceptedLead, Problem> {
    let why = match read::lead(body, origin, prepared, &intake.hasher) {
        Ok((lead, findings)) => {
            intake.drift.note(origin.endpoint, Some(lead.lead_id), &findings);
            return Ok(lead);
        }
        Err(why) => why,
    };
    let rejected_id = intake.rejects.keep(origin, why.code(), body).await;
    if let NoLead::Schema(findings) = &why {
        intake.drift.note(origin.endpoint, rejected_id, findings);
    }
    Err(Problem::NotALead { why, rejected_id })
}
