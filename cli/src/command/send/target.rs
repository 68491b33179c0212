//! Where a lead is posted to, and where its outcomes are read: the running trial, or the configuration.

use std::path::Path;

use leadline_ingest::route;
use leadline_platform::config::sections::{Kafka, Sections};
use leadline_platform::process::Fatal;
use leadline_proto::config::{Endpoints, Topics};
use leadline_proto::topics::Topic;

use crate::command::up::running::Running;
use crate::product;

/// Where to post and where to look.
pub(super) struct Target {
    pub(super) url: String,
    pub(super) kafka: Kafka,
    pub(super) outcomes: String,
    pub(super) sinks: Vec<String>,
}

impl Target {
    pub(super) fn find(url: Option<&str>, data: &Path, file: Option<&Path>) -> Result<Self, Fatal> {
        match (url, Running::read(data)?) {
            (None, None) => Err(Fatal::unavailable(format!(
                "no running `leadline up` was found in {}; start it in another terminal, or name an endpoint by --url",
                data.display()
            ))),
            (None, Some(running)) => Self::running(running, file),
            (Some(url), _) => Self::configured(url, file),
        }
    }

    fn running(running: Running, file: Option<&Path>) -> Result<Self, Fatal> {
        let hint = "the running `leadline up` uses endpoints of its configuration; name one by --url";
        let url = running.url.ok_or_else(|| Fatal::usage(hint))?;
        let mut kafka: Kafka = product::settings(file, None)?.section("kafka")?;
        kafka.bootstrap = running.kafka;
        kafka.embedded = running.embedded;
        Ok(Self { url, kafka, outcomes: running.outcomes, sinks: running.sinks })
    }

    fn configured(url: &str, file: Option<&Path>) -> Result<Self, Fatal> {
        let settings = product::settings(file, None)?;
        let topics: Topics = settings.section("topics")?;
        let endpoints: Endpoints = settings.section("endpoints")?;
        let path = url.split('?').next().unwrap_or_default();
        let endpoint = endpoints.iter().find(|(name, _)| path.ends_with(&route::path(name)));
        let sinks = product::sinks(&settings)?;
        let routed = sinks.iter().filter(|sink| endpoint.is_none_or(|(_, endpoint)| endpoint.routes_to(sink)));
        Ok(Self {
            url: url.to_owned(),
            kafka: Sections::read(&settings)?.kafka,
            outcomes: topics.name(&Topic::Outcomes),
            sinks: routed.map(ToString::to_string).collect(),
        })
    }
}
