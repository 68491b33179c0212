//! What a refusal looks like: `application/problem+json` (RFC 9457) with a stable `type`.
//!
//! To add one, add its row to `kinds!` in `kind`, and its variant here if it needs one; the compiler names the rest. No text
//! here repeats anything of the request.

mod kind;

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, HttpResponseBuilder, ResponseError};
use leadline_proto::parse::ParseError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::config::BODY_LIMIT;
use crate::read::NoLead;
use crate::route::ROUTE;
use crate::schema::{Findings, Violation};

pub use kind::Kind;

/// The media type of a refusal.
pub const MEDIA_TYPE: &str = "application/problem+json";

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

/// The body of a refusal, with the members of RFC 9457.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Problem")]
pub struct Details {
    /// What was wrong. Names one kind of refusal for ever.
    #[serde(rename = "type")]
    pub kind: String,
    /// The same in words, for a person.
    pub title: String,
    /// The status of the answer.
    pub status: u16,
    /// What to do about it, for a person.
    pub detail: String,
    /// The id under which the operator finds the refused body, when it was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Uuid")]
    pub rejected_id: Option<Uuid>,
}

impl Problem {
    /// More than is allowed, for so long.
    pub(crate) fn rate_limited(wait: Duration, why: &'static str) -> Self {
        Self::RateLimited { retry_after: wait.as_secs() + 1, why }
    }

    /// What kind of refusal it is.
    pub fn kind(&self) -> Kind {
        match self {
            Self::NotALead { why, .. } => why.kind(),
            Self::Unauthorized => Kind::Unauthorized,
            Self::NotFound => Kind::NotFound,
            Self::IdempotencyKey => Kind::IdempotencyKey,
            Self::MethodNotAllowed => Kind::MethodNotAllowed,
            Self::Timeout => Kind::Timeout,
            Self::Incomplete => Kind::Incomplete,
            Self::TooLarge { .. } => Kind::TooLarge,
            Self::UnsupportedMediaType => Kind::UnsupportedMediaType,
            Self::RateLimited { .. } => Kind::RateLimited,
            Self::Overloaded { .. } => Kind::Overloaded,
            Self::Unavailable { .. } => Kind::Unavailable,
        }
    }

    /// The body of the answer.
    pub fn details(&self) -> Details {
        let kind = self.kind();
        let rejected_id = if let Self::NotALead { rejected_id, .. } = self { *rejected_id } else { None };
        Details {
            kind: kind.urn(),
            title: kind.title().to_owned(),
            status: kind.status().as_u16(),
            detail: self.detail().into_owned(),
            rejected_id,
        }
    }

    fn detail(&self) -> Cow<'static, str> {
        match self {
            Self::NotALead { why: NoLead::Body(error), .. } => format!("{error}; send one JSON object").into(),
            Self::NotALead { why: why @ NoLead::Schema(_), .. } => why.to_string().into(),
            Self::Unauthorized => {
                "put the endpoint's token into the query as sig=TOKEN, or into the header Authorization: Bearer TOKEN".into()
            }
            Self::NotFound => format!("post leads to {ROUTE}").into(),
            Self::IdempotencyKey => "send it once, with 1 to 255 visible ASCII characters, or leave it out".into(),
            Self::MethodNotAllowed => "post the lead as JSON".into(),
            Self::Timeout => "send the whole body at once".into(),
            Self::Incomplete => "the connection broke within the body".into(),
            Self::TooLarge { limit } => {
                format!("the limit is {limit} bytes; thousands of escapes or exponents count for more").into()
            }
            Self::UnsupportedMediaType => "send Content-Type: application/json".into(),
            Self::Overloaded { .. } => "nothing of the body was read; post the lead again later".into(),
            Self::RateLimited { why, .. } | Self::Unavailable { why, .. } => (*why).into(),
        }
    }

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

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind().title())
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.kind().status()
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        self.add_headers(&mut response);
        response.insert_header((CONTENT_TYPE, MEDIA_TYPE));
        // `json` keeps a media type that is there.
        response.json(self.details())
    }
}

impl Kind {
    /// The `type` of the problem.
    pub fn urn(self) -> String {
        format!("urn:leadline:problem:{}", self.name())
    }

    /// A refusal of this kind, as the documentation shows it.
    pub fn example(self) -> Problem {
        let body = |error| not_a_lead(NoLead::Body(error));
        match self {
            Self::NotUtf8 => body(ParseError::NotUtf8),
            Self::NotJson => body(ParseError::NotJson { line: 1, column: 8 }),
            Self::NotAnObject => body(ParseError::NotAnObject),
            Self::TooDeep => body(ParseError::TooDeep),
            Self::SchemaViolation => {
                let violation = Violation { keyword: "type", location: "/properties/LeadSource/type".to_owned() };
                not_a_lead(NoLead::Schema(Findings { violations: vec![violation], ..Findings::default() }))
            }
            Self::Incomplete => Problem::Incomplete,
            Self::IdempotencyKey => Problem::IdempotencyKey,
            Self::Unauthorized => Problem::Unauthorized,
            Self::NotFound => Problem::NotFound,
            Self::MethodNotAllowed => Problem::MethodNotAllowed,
            Self::Timeout => Problem::Timeout,
            Self::TooLarge => Problem::TooLarge { limit: BODY_LIMIT },
            Self::UnsupportedMediaType => Problem::UnsupportedMediaType,
            Self::RateLimited => {
                Problem::RateLimited { retry_after: 1, why: "more leads a second than this endpoint may have" }
            }
            Self::Overloaded => Problem::Overloaded { retry_after: 30 },
            Self::Unavailable => Problem::Unavailable { retry_after: 30, why: "Kafka has not acknowledged the lead in time" },
        }
    }
}

fn not_a_lead(why: NoLead) -> Problem {
    Problem::NotALead { why, rejected_id: Some(Uuid::from_u128(0x01a2_0568_8e03_7978_80d5_bc93_6894_a57f)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_that_of_its_example_and_has_a_name_of_its_own() {
        for kind in Kind::ALL {
            assert_eq!(kind.example().kind(), *kind);
            assert!(kind.status().is_client_error() || kind.status().is_server_error(), "{kind:?}");
            let same = Kind::ALL.iter().filter(|other| other.name() == kind.name());
            assert_eq!(same.count(), 1, "{kind:?}");
        }
    }

    #[test]
    fn the_details_are_as_they_were_published() {
        let written = serde_json::to_string(&Problem::Unauthorized.details()).unwrap();
        let text = "put the endpoint's token into the query as sig=TOKEN, or into the header Authorization: Bearer TOKEN";
        let first = r#"{"type":"urn:leadline:problem:unauthorized","title":"The token is missing or wrong","status":401,"#;
        assert_eq!(written, format!(r#"{first}"detail":"{text}"}}"#));
        let kept = Kind::NotJson.example().details();
        assert_eq!(serde_json::from_str::<Details>(&serde_json::to_string(&kept).unwrap()).unwrap(), kept);
    }
}
