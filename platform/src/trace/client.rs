//! How a batch of spans is sent: by the HTTP client and the TLS of the whole product, on the runtime of the process.
//!
//! The SDK asks from a thread of its own that has no runtime, so the request is a task on ours. What is in a batch and when it is
//! tried again is the SDK's.

use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response, ResponseBodyTooLarge};
use tokio::runtime::Handle;

use super::variables::Export;
use crate::config::ConfigError;
use crate::process::Fatal;
use crate::tls;

/// A collector's answer is a few bytes; what is longer is somebody else's.
const ANSWER_LIMIT: usize = 64 * 1024;

/// Sends requests of the SDK.
#[derive(Debug)]
pub(super) struct Client {
    runtime: Handle,
    http: reqwest::Client,
}

impl Client {
    /// A client whose requests run on the current runtime.
    pub(super) fn new(export: &Export) -> Result<Self, Fatal> {
        let tls = match (&export.authorities, export.endpoint.scheme()) {
            (Some((name, file)), _) => {
                let authorities = std::fs::read_to_string(file).map_err(|error| ConfigError::invalid(name, error))?;
                tls::client(Some(&authorities)).map_err(|error| ConfigError::invalid(name, error))?
            }
            (None, "https") => tls::client(None).map_err(Fatal::usage)?,
            (None, _) => tls::trusting_nobody().map_err(Fatal::internal)?,
        };
        let http = reqwest::Client::builder()
            .timeout(export.timeout)
            // The headers may hold a key that is meant for this collector alone.
            .redirect(reqwest::redirect::Policy::none())
            .tls_backend_preconfigured((*tls).clone())
            .build()
            .map_err(Fatal::internal)?;
        Ok(Self { runtime: Handle::current(), http })
    }
}

#[async_trait::async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        self.runtime.spawn(send(self.http.clone(), request)).await?
    }
}

async fn send(http: reqwest::Client, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
    // An error of reqwest prints the URL, whose query may hold a key.
    let mut answer = http.execute(request.try_into()?).await.map_err(reqwest::Error::without_url)?;
    let mut body = Vec::new();
    while let Some(part) = answer.chunk().await.map_err(reqwest::Error::without_url)? {
        body.extend_from_slice(&part);
        if body.len() > ANSWER_LIMIT {
            return Err(ResponseBodyTooLarge::new().into());
        }
    }
    let mut response = Response::new(body.into());
    *response.status_mut() = answer.status();
    *response.headers_mut() = std::mem::take(answer.headers_mut());
    Ok(response)
}

#[cfg(test)]
mod tests;
