//! What the usual `OTEL_*` variables ask for. Whatever cannot be done stops the start with one sentence that names the variable and
//! does not repeat its value: it may hold a secret.
//!
//! The names are OpenTelemetry's, not keys of the configuration. Those that only the SDK needs, it reads itself: resource
//! attributes, headers of the requests, sizes of queue and batches.

use std::path::PathBuf;
use std::time::Duration;

use reqwest::Url;

use crate::config::ConfigError;

const DISABLED: &str = "OTEL_SDK_DISABLED";
const EXPORTER: &str = "OTEL_TRACES_EXPORTER";
const SERVICE_NAME: &str = "OTEL_SERVICE_NAME";
const SAMPLER: &str = "OTEL_TRACES_SAMPLER";
const SAMPLER_ARGUMENT: &str = "OTEL_TRACES_SAMPLER_ARG";
const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const TRACES_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
/// Each with the name that holds for traces alone first.
const PROTOCOL: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"];
const COMPRESSION: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "OTEL_EXPORTER_OTLP_COMPRESSION"];
const TIMEOUT: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT"];
const CERTIFICATE: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", "OTEL_EXPORTER_OTLP_CERTIFICATE"];

/// Where a collector is when no variable says so.
const DEFAULT_ENDPOINT: &str = "http://localhost:4318";
/// How long an export may take when no variable says so.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// How spans are to be exported.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Export {
    /// The whole URL.
    pub(super) endpoint: Url,
    /// How long one export may take, tries and pauses included.
    pub(super) timeout: Duration,
    /// File of the authorities to trust instead of the system's, and the variable that names it.
    pub(super) authorities: Option<(&'static str, PathBuf)>,
    pub(super) sampler: Sampler,
    /// What the process is called; without it a name is found elsewhere.
    pub(super) service: Option<String>,
}

/// Which traces are exported.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sampler {
    /// A span that has a parent does as its parent does.
    pub(super) by_parent: bool,
    /// Share of all other traces.
    pub(super) share: f64,
}

type Get<'a> = &'a dyn Fn(&str) -> Option<String>;

/// What the environment of this process asks for; `None` when nothing is to be exported.
///
/// # Errors
/// [`ConfigError`] naming the variable that cannot be followed.
pub(super) fn read() -> Result<Option<Export>, ConfigError> {
    Export::of(&variable)
}

#[expect(clippy::disallowed_methods, reason = "these names are OpenTelemetry's, and no keys of the configuration")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

impl Export {
    fn of(get: Get<'_>) -> Result<Option<Self>, ConfigError> {
        // A variable that is set to nothing counts as not set.
        let get: Get<'_> = &|name| get(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        if !is_wanted(get)? {
            return Ok(None);
        }
        accept_only(get, PROTOCOL, "http/protobuf")?;
        accept_only(get, COMPRESSION, "none")?;
        Ok(Some(Self {
            endpoint: endpoint(get)?,
            timeout: timeout(get)?,
            authorities: first(get, CERTIFICATE).map(|(name, file)| (name, file.into())),
            sampler: Sampler::of(get)?,
            service: get(SERVICE_NAME),
        }))
    }
}

/// Off unless an exporter or an endpoint is named: the specification's default would send to a collector that is not there.
fn is_wanted(get: Get<'_>) -> Result<bool, ConfigError> {
    if get(DISABLED).is_some_and(|value| value.eq_ignore_ascii_case("true")) {
        return Ok(false);
    }
    match get(EXPORTER).map(|value| value.to_lowercase()).as_deref() {
        Some("none") => Ok(false),
        Some("otlp") => Ok(true),
        Some(_) => Err(ConfigError::invalid(EXPORTER, "expected `otlp` or `none`")),
        None => Ok(get(ENDPOINT).or_else(|| get(TRACES_ENDPOINT)).is_some()),
    }
}

/// The first of two variables that is set.
fn first(get: Get<'_>, names: [&'static str; 2]) -> Option<(&'static str, String)> {
    names.into_iter().find_map(|name| get(name).map(|value| (name, value)))
}

fn accept_only(get: Get<'_>, names: [&'static str; 2], only: &str) -> Result<(), ConfigError> {
    match first(get, names) {
        Some((name, value)) if !value.eq_ignore_ascii_case(only) => {
            Err(ConfigError::invalid(name, format!("only `{only}` is supported")))
        }
        Some(_) | None => Ok(()),
    }
}

/// The endpoint of traces as it stands, or the common one with the usual path behind its own.
fn endpoint(get: Get<'_>) -> Result<Url, ConfigError> {
    if let Some(text) = get(TRACES_ENDPOINT) {
        return url(TRACES_ENDPOINT, &text);
    }
    let mut url = url(ENDPOINT, get(ENDPOINT).as_deref().unwrap_or(DEFAULT_ENDPOINT))?;
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(["v1", "traces"]);
    }
    Ok(url)
}

fn url(name: &str, text: &str) -> Result<Url, ConfigError> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    url.ok_or_else(|| ConfigError::invalid(name, "expected a URL that begins with http:// or https://"))
}

fn timeout(get: Get<'_>) -> Result<Duration, ConfigError> {
    let Some((name, text)) = first(get, TIMEOUT) else { return Ok(DEFAULT_TIMEOUT) };
    let milliseconds = text.parse().ok().filter(|milliseconds| *milliseconds > 0);
    let milliseconds = milliseconds.ok_or_else(|| ConfigError::invalid(name, "expected milliseconds, at least 1"))?;
    Ok(Duration::from_millis(milliseconds))
}

impl Sampler {
    fn of(get: Get<'_>) -> Result<Self, ConfigError> {
        let name = get(SAMPLER).map(|value| value.to_lowercase()).unwrap_or_else(|| "parentbased_always_on".to_owned());
        let (by_parent, root) = match name.strip_prefix("parentbased_") {
            Some(root) => (true, root),
            None => (false, name.as_str()),
        };
        let share = match root {
            "always_on" => 1.0,
            "always_off" => 0.0,
            "traceidratio" => share(get)?,
            _ => {
                return Err(ConfigError::invalid(
                    SAMPLER,
                    "expected always_on, always_off or traceidratio, or parentbased_ and one of them",
                ));
            }
        };
        Ok(Self { by_parent, share })
    }
}

fn share(get: Get<'_>) -> Result<f64, ConfigError> {
    let Some(text) = get(SAMPLER_ARGUMENT) else { return Ok(1.0) };
    let share = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| ConfigError::invalid(SAMPLER_ARGUMENT, "expected a number from 0 to 1"))
}

#[cfg(test)]
mod tests;
