//! What a refusal looks like: `application/problem+json` (RFC 9457) with a stable `type`.
//!
//! Each variant is part of the public interface: its `type` and status never change. To add one, add the variant, its row in
//! `Problem::facts`, and a line in the README's table. No text here repeats anything of the request.

use std::fmt;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, HttpResponseBuilder, ResponseError};
use serde_json::json;
use uuid::Uuid;

use crate::read::NoLead;

/// Why a request was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// The body is not a lead.
    NotALead {
        /// Why.
        why: NoLead,
        /// Under which id it was kept.
        rejected_id: Option<Uuid>,
    },
    /// The token is missing or wrong.
    Unauthorized,
    /// There is no such endpoint or path.
    NotFound,
    /// The header `Idempotency-Key` cannot be used.
    IdempotencyKey,
    /// Only POST is allowed.
    MethodNotAllowed,
    /// The body did not arrive in time.
    Timeout,
    /// The connection ended within the body.
    Incomplete,
    /// The body, or the record made from it, is larger than the limit.
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The media type is another than JSON.
    UnsupportedMediaType,
    /// More than the operator allows.
    RateLimited {
        /// Seconds after which to try again.
        retry_after: u64,
        /// Of what there is too much.
        why: &'static str,
    },
    /// Too many leads are in flight.
    Overloaded {
        /// Seconds after which to try again.
        retry_after: u64,
    },
    /// The lead could not be made durable now.
    Unavailable {
        /// Seconds after which to try again.
        retry_after: u64,
        /// Why.
        why: &'static str,
    },
}

struct Facts {
    name: &'static str,
    status: StatusCode,
    title: &'static str,
    detail: String,
}

impl Problem {
    /// More than is allowed, for so long.
    pub(crate) fn rate_limited(wait: Duration, why: &'static str) -> Self {
        Self::RateLimited { retry_after: wait.as_secs() + 1, why }
    }

    fn facts(&self) -> Facts {
        let facts = |name, status, title, detail: &str| Facts { name, status, title, detail: detail.to_owned() };
        match self {
            Self::NotALead { why, .. } => {
                let detail = match why {
                    NoLead::Body(error) => format!("{error}; send one JSON object"),
                    NoLead::Schema(_) => why.to_string(),
                };
                facts(why.name(), StatusCode::BAD_REQUEST, "The body is not a lead", &detail)
            }
            Self::Unauthorized => facts(
                "unauthorized",
                StatusCode::UNAUTHORIZED,
                "The token is missing or wrong",
                "put the endpoint's token into the query as sig=TOKEN, or into the header Authorization: Bearer TOKEN",
            ),
            Self::NotFound => {
                facts("not-found", StatusCode::NOT_FOUND, "There is no such endpoint", "post leads to /v1/leads/{endpoint}")
            }
            Self::IdempotencyKey => facts(
                "idempotency-key",
                StatusCode::BAD_REQUEST,
                "The Idempotency-Key cannot be used",
                "send it once, with 1 to 255 visible ASCII characters, or leave it out",
            ),
            Self::MethodNotAllowed => {
                facts("method-not-allowed", StatusCode::METHOD_NOT_ALLOWED, "Only POST is allowed", "post the lead as JSON")
            }
            Self::Timeout => {
                facts("timeout", StatusCode::REQUEST_TIMEOUT, "The body came too slowly", "send the whole body at once")
            }
            Self::Incomplete => {
                facts("incomplete", StatusCode::BAD_REQUEST, "The body ended early", "the connection broke within the body")
            }
            Self::TooLarge { limit } => {
                let detail = format!("the limit is {limit} bytes");
                facts("too-large", StatusCode::PAYLOAD_TOO_LARGE, "The body is too large", &detail)
            }
            Self::UnsupportedMediaType => facts(
                "unsupported-media-type",
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "The media type is not JSON",
                "send Content-Type: application/json",
            ),
            Self::RateLimited { why, .. } => {
                facts("rate-limited", StatusCode::TOO_MANY_REQUESTS, "More than is allowed", why)
            }
            Self::Overloaded { .. } => facts(
                "overloaded",
                StatusCode::SERVICE_UNAVAILABLE,
                "Too many leads are in flight",
                "nothing of the body was read; post the lead again later",
            ),
            Self::Unavailable { why, .. } => {
                facts("unavailable", StatusCode::SERVICE_UNAVAILABLE, "The lead could not be stored now", why)
            }
        }
    }

    /// The last part of the problem's `type`, also the label of its metric.
    pub fn name(&self) -> &'static str {
        self.facts().name
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.facts().title)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.facts().status
    }

    fn error_response(&self) -> HttpResponse {
        let Facts { name, status, title, detail } = self.facts();
        let mut response = HttpResponse::build(status);
        self.add_headers(&mut response);
        response.insert_header((CONTENT_TYPE, "application/problem+json"));
        let mut body = json!({
            "type": format!("urn:leadline:problem:{name}"),
            "title": title,
            "status": status.as_u16(),
            "detail": detail,
        });
        if let Self::NotALead { rejected_id: Some(id), .. } = self {
            body["rejected_id"] = json!(id);
        }
        response.body(body.to_string())
    }
}

impl Problem {
    fn add_headers(&self, response: &mut HttpResponseBuilder) {
        match self {
            Self::Unauthorized => {
                response.insert_header((WWW_AUTHENTICATE, "Bearer"));
            }
            Self::MethodNotAllowed => {
                response.insert_header((ALLOW, "POST"));
            }
            Self::Unavailable { retry_after, .. } => {
                response.insert_header((RETRY_AFTER, retry_after.to_string()));
            }
            Self::RateLimited { retry_after, .. } | Self::Overloaded { retry_after } => {
                response.insert_header((RETRY_AFTER, retry_after.to_string()));
                response.force_close();
            }
            // The rest of the body is not read, so the connection cannot be used again.
            Self::Timeout | Self::TooLarge { .. } => {
                response.force_close();
            }
            Self::NotALead { .. } | Self::NotFound | Self::IdempotencyKey | Self::Incomplete | Self::UnsupportedMediaType => {}
        }
    }
}
