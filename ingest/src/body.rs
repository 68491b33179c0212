//! Reading a body: never more than the limit, never longer than the time.

use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::header::CONTENT_LENGTH;
use actix_web::web::{Bytes, BytesMut, Payload};
use futures::StreamExt;

use crate::problem::Problem;

/// Reads the whole body.
pub(crate) async fn read(request: &HttpRequest, payload: Payload, limit: usize, time: Duration) -> Result<Bytes, Problem> {
    let announced = announced(request);
    if announced.is_some_and(|length| length > limit) {
        return Err(Problem::TooLarge { limit });
    }
    tokio::time::timeout(time, collect(payload, announced.unwrap_or_default(), limit)).await.map_err(|_| Problem::Timeout)?
}

/// How long the body is, when the request says so.
pub(crate) fn announced(request: &HttpRequest) -> Option<usize> {
    request.headers().get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

async fn collect(mut payload: Payload, announced: usize, limit: usize) -> Result<Bytes, Problem> {
    let mut body = BytesMut::with_capacity(announced);
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| Problem::Incomplete)?;
        if body.len() + chunk.len() > limit {
            return Err(Problem::TooLarge { limit });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}
