//! The kinds of refusals: one list, from which the answers, the label values of the metric and the OpenAPI document are made.
//!
//! What differs from one refusal to the next, such as a limit or a time to wait, belongs in `problem`.

use actix_web::http::StatusCode;

/// Declares the kinds. Each row is `Kind = STATUS, "name", "title";`, and its doc comment says when it is answered.
macro_rules! kinds {
    ($($(#[doc = $when:literal])+ $kind:ident = $status:ident, $name:literal, $title:literal;)+) => {
        /// What was wrong with a request. Name and status of a kind never change.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Kind {
            $($(#[doc = $when])+ $kind,)+
        }

        impl Kind {
            /// Every kind, by status.
            pub const ALL: &'static [Self] = &[$(Self::$kind),+];

            /// The last part of the problem's `type`, also the label of its metric.
            pub fn name(self) -> &'static str {
                match self { $(Self::$kind => $name),+ }
            }

            /// The status of the answer.
            pub fn status(self) -> StatusCode {
                match self { $(Self::$kind => StatusCode::$status),+ }
            }

            /// The title of the problem.
            pub fn title(self) -> &'static str {
                match self { $(Self::$kind => $title),+ }
            }

            /// When it is answered.
            pub fn when(self) -> &'static str {
                match self { $(Self::$kind => concat!($($when),+).trim_ascii()),+ }
            }
        }
    };
}

kinds! {
    /// The body is not UTF-8.
    NotUtf8 = BAD_REQUEST, "not-utf8", "The body is not a lead";
    /// The body is not JSON.
    NotJson = BAD_REQUEST, "not-json", "The body is not a lead";
    /// The body is JSON, but not an object.
    NotAnObject = BAD_REQUEST, "not-an-object", "The body is not a lead";
    /// Arrays and objects lie more than 64 deep in each other.
    TooDeep = BAD_REQUEST, "too-deep", "The body is not a lead";
    /// The body does not fit the schema that the operator has set for the endpoint, and such bodies are refused.
    SchemaViolation = BAD_REQUEST, "schema-violation", "The body is not a lead";
    /// The connection broke within the body, or its chunks are malformed.
    Incomplete = BAD_REQUEST, "incomplete", "The body ended early";
    /// The header is there and is not 1 to 255 visible ASCII characters, once.
    IdempotencyKey = BAD_REQUEST, "idempotency-key", "The Idempotency-Key cannot be used";
    /// The token is missing, wrong or expired. Where the operator hides endpoints, also: there is no such endpoint.
    Unauthorized = UNAUTHORIZED, "unauthorized", "The token is missing or wrong";
    /// There is no such endpoint or path.
    NotFound = NOT_FOUND, "not-found", "There is no such endpoint";
    /// The method is another than POST.
    MethodNotAllowed = METHOD_NOT_ALLOWED, "method-not-allowed", "Only POST is allowed";
    /// The body came too slowly.
    Timeout = REQUEST_TIMEOUT, "timeout", "The body came too slowly";
    /// The body is larger than the limit.
    TooLarge = PAYLOAD_TOO_LARGE, "too-large", "The body is too large";
    /// The `Content-Type` is another than JSON.
    UnsupportedMediaType = UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", "The media type is not JSON";
    /// There are more leads a second than the operator allows, or too many requests of one address with a wrong token or endpoint.
    RateLimited = TOO_MANY_REQUESTS, "rate-limited", "More than is allowed";
    /// Too many leads are in flight; nothing of the body was read.
    Overloaded = SERVICE_UNAVAILABLE, "overloaded", "Too many leads are in flight";
    /// The lead cannot be made durable now.
    Unavailable = SERVICE_UNAVAILABLE, "unavailable", "The lead could not be stored now";
}
