//! Posting a lead as a marketplace would.

use std::time::Duration;

use leadline_ingest::problem::Details;
use leadline_ingest::receipt::Receipt;
use leadline_platform::process::Fatal;
use leadline_platform::tls;
use uuid::Uuid;

use crate::command::root_cause;

/// Longer than ingest takes to say that Kafka is away.
const TIMEOUT: Duration = Duration::from_secs(30);

/// What ingest answered.
pub(super) enum Answer {
    /// 202
    Accepted(Receipt),
    /// Anything else.
    Refused { status: u16, title: String },
}

pub(super) async fn post(url: &str, body: Vec<u8>) -> Result<Answer, Fatal> {
    // An error of reqwest prints the URL, which holds the token.
    let failed = |error: reqwest::Error| Fatal::unavailable(format!("the endpoint does not answer: {}", root_cause(error)));
    let tls = tls::client(None).map_err(Fatal::internal)?;
    let client = reqwest::Client::builder().timeout(TIMEOUT).tls_backend_preconfigured((*tls).clone());
    let request = client.build().map_err(failed)?.post(url).header("content-type", "application/json").body(body);
    let answer = request.send().await.map_err(failed)?;
    let status = answer.status();
    let text = answer.bytes().await.map_err(failed)?;
    if status == reqwest::StatusCode::ACCEPTED {
        return serde_json::from_slice(&text).map(Answer::Accepted).map_err(Fatal::internal);
    }
    let kept = |id: Uuid| format!("; it is kept: leadline rejected show {id}");
    let title = serde_json::from_slice(&text).map(|problem: Details| {
        format!("{}: {}{}", problem.title, problem.detail, problem.rejected_id.map(kept).unwrap_or_default())
    });
    Ok(Answer::Refused { status: status.as_u16(), title: title.unwrap_or_default() })
}
