//! What the product consists of: the defaults of every crate, and the kinds of sinks. A new kind of sink is added here.

use std::path::Path;
use std::sync::Arc;

use leadline_crm::Crm;
use leadline_email::Email;
use leadline_platform::config::{ConfigError, Settings, Sources, sections};
use leadline_platform::kafka::DeliveryObserver;
use leadline_platform::metrics::prometheus::Registry;
use leadline_platform::process::{Fatal, Process};
use leadline_proto::SinkName;
use leadline_proto::config::{Endpoints, SECTIONS};
use leadline_runtime::Worker;
use leadline_runtime::sink::{Deadlines, Kind, Setup};
use leadline_runtime::worker::kind_of;

/// The commented defaults of the whole product, in the order in which a person reads them.
pub fn defaults() -> [&'static str; 6] {
    [
        sections::DEFAULTS,
        leadline_proto::config::DEFAULTS,
        leadline_ingest::config::DEFAULTS,
        leadline_runtime::config::DEFAULTS,
        Email::DEFAULTS,
        Crm::DEFAULTS,
    ]
}

/// The settings of all processes; `preset` lies between the defaults and the file.
///
/// # Errors
/// [`ConfigError`] naming the bad key.
pub fn settings(file: Option<&Path>, preset: Option<String>) -> Result<Settings, ConfigError> {
    Settings::load(&Sources { defaults: &defaults(), sections: SECTIONS, file, preset })
}

/// The sinks of a configuration.
///
/// # Errors
/// [`ConfigError`] when a name cannot be used.
pub fn sinks(settings: &Settings) -> Result<Vec<SinkName>, ConfigError> {
    let names = settings.names("sinks").into_iter();
    names.map(|name| name.parse().map_err(|error| ConfigError::invalid(&format!("sinks.{name}"), error))).collect()
}

/// Starts the worker of one sink, whatever its kind.
///
/// # Errors
/// [`Fatal`] when the configuration is bad or a client cannot be made.
pub fn start_worker(process: &Process, name: &SinkName, observer: Option<Arc<dyn DeliveryObserver>>) -> Result<Worker, Fatal> {
    match kind_of(&process.settings, name)?.as_str() {
        Email::KIND => Worker::start::<Email>(process, name, observer),
        Crm::KIND => Worker::start::<Crm>(process, name, observer),
        other => Err(unknown_kind(name, other).into()),
    }
}

/// Builds a sink and drops it, to see that its section is good. Does no I/O beyond reading local files.
///
/// # Errors
/// [`ConfigError`] naming the bad key.
pub fn check_sink(
    settings: &Settings,
    name: &SinkName,
    endpoints: &Endpoints,
    deadlines: Deadlines,
) -> Result<String, ConfigError> {
    let registry = Registry::new();
    let setup = Setup { settings, name, endpoints, registry: &registry, deadlines };
    let kind = kind_of(settings, name)?;
    match kind.as_str() {
        Email::KIND => Email::build(&setup).map(drop)?,
        Crm::KIND => Crm::build(&setup).map(drop)?,
        other => return Err(unknown_kind(name, other)),
    }
    Ok(kind)
}

fn unknown_kind(name: &SinkName, kind: &str) -> ConfigError {
    let why = format!("there is no kind `{kind}`; there are: {}, {}", Email::KIND, Crm::KIND);
    ConfigError::invalid(&format!("sinks.{name}.kind"), why)
}
