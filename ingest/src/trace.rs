//! The spans of ingest: their names and what they tell. One for each admitted request, and below it one for what makes its lead
//! durable, which is the parent of all handlings: its identity travels in the record.
//!
//! They tell ids, names from the configuration and codes. Never the URL, its query, the client's address, or anything of the body.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, ResponseError as _};
use leadline_platform::kafka::Record;
use leadline_platform::trace::{Span, SpanKind, TraceContext, Tracer};
use leadline_proto::headers::TRACEPARENT;
use leadline_proto::{AcceptedLead, EndpointName};

use crate::durable::Durability;
use crate::problem::Problem;
use crate::route::ROUTE;

const LEAD_ID: &str = "leadline.lead_id";
const ENDPOINT: &str = "leadline.endpoint";
const DURABLE: &str = "leadline.durable";

/// Begins the span of a request that was admitted: a stranger cannot put anything into our traces.
pub(crate) fn request(tracer: &Tracer, request: &HttpRequest, endpoint: &EndpointName) -> Span {
    let span = tracer.start("POST /v1/leads/{endpoint}", SpanKind::Server, traceparent(request));
    span.set("http.request.method", || "POST");
    span.set("http.route", || ROUTE);
    span.set(ENDPOINT, || endpoint.to_string());
    span
}

/// Where the request comes from, when it says so once and rightly.
fn traceparent(request: &HttpRequest) -> Option<TraceContext> {
    let mut all = request.headers().get_all(TRACEPARENT);
    let only = all.next().filter(|_| all.next().is_none())?;
    only.to_str().ok()?.parse().ok()
}

/// Says which lead a request became.
pub(crate) fn lead(span: &Span, lead: &AcceptedLead) {
    span.set(LEAD_ID, || lead.lead_id.to_string());
}

/// Says how a request was answered. That a sender sends nonsense is no error of ours.
pub(crate) fn answered(span: &Span, answer: &Result<HttpResponse, Problem>) {
    let status = match answer {
        Ok(response) => response.status(),
        Err(problem) => problem.status_code(),
    };
    span.set("http.response.status_code", || i64::from(status.as_u16()));
    if let Err(problem) = answer.as_ref().map_err(|problem| problem.kind().name()) {
        note_refusal(span, status, problem);
    }
}

fn note_refusal(span: &Span, status: StatusCode, reason: &'static str) {
    if status.is_server_error() {
        span.fail(reason);
    } else {
        span.set("leadline.refused", || reason);
    }
}

/// Begins the span of making a lead durable, and puts its identity into the record.
pub(crate) fn publish(tracer: &Tracer, parent: TraceContext, lead: &AcceptedLead, record: &mut Record) -> Span {
    let span = tracer.start("publish leads", SpanKind::Producer, Some(parent));
    span.set("messaging.system", || "kafka");
    span.set("messaging.operation.type", || "send");
    span.set("messaging.operation.name", || "publish");
    span.set("messaging.destination.name", || record.topic.clone());
    span.set(LEAD_ID, || lead.lead_id.to_string());
    record.headers.push((TRACEPARENT.into(), span.context().to_string().into_bytes()));
    span
}

/// Says where a lead is durable. One that Kafka did not take was spooled rather than published.
pub(crate) fn kept(span: &Span, kept: &Result<Durability, Problem>) {
    match kept {
        Ok(durable) => {
            span.set(DURABLE, || durable.as_str());
            if *durable == Durability::Spool {
                span.rename("spool");
            }
        }
        Err(problem) => span.fail(problem.kind().name()),
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    const GIVEN: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    const OTHER: &str = "00-4bf92f3577b34da6a3ce929d0e0e4737-00f067aa0ba902b7-01";

    fn read(values: &[&'static str]) -> Option<TraceContext> {
        let request = values.iter().fold(TestRequest::default(), |request, value| request.append_header((TRACEPARENT, *value)));
        traceparent(&request.to_http_request())
    }

    #[test]
    fn a_context_is_taken_when_it_is_given_once_and_rightly() {
        assert_eq!(read(&[GIVEN]), GIVEN.parse().ok());
        for values in [&[][..], &["nonsense"], &["ü"], &[""], &[GIVEN, OTHER], &[GIVEN, GIVEN]] {
            assert_eq!(read(values), None, "{values:?}");
        }
    }
}
