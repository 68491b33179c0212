//! The CRM sink: writes leads into a CRM, one record per person and offer.
//!
//! When to try again, and what is recorded about it, is the business of `workers/runtime`.
//!
//! | to change | open |
//! |---|---|
//! | the settings `[sinks.NAME]` | [`config`] and `defaults.toml` beside it |
//! | which leads are skipped, which CRM is called | [`handler`] |
//! | what a record holds | [`record`], and `migrations/` for a new column |
//! | the statements | [`sql`], one file per database |
//! | which error is retried, and which stops the sink | [`classify`] |
//! | metrics | [`metrics`] |
//!
//! A new CRM is one file beside `sql.rs` and one variant of [`handler::Connector`].

pub mod classify;
pub mod config;
pub mod handler;
pub mod metrics;
pub mod record;
pub mod sql;

use leadline_platform::config::ConfigError;
use leadline_runtime::sink::{Kind, Setup};

use config::Config;
use handler::Handler;
use metrics::Metrics;

/// The kind `crm`.
pub struct Crm;

impl Kind for Crm {
    const KIND: &'static str = "crm";
    const BINARY: &'static str = "leadline-crm";
    const ABOUT: &'static str = "Writes the leads in Kafka into a CRM";
    const DEFAULTS: &'static str = config::DEFAULTS;
    type Sink = Handler;

    fn build(setup: &Setup<'_>) -> Result<Handler, ConfigError> {
        let section = setup.section();
        let config: Config = setup.settings.section(&section)?;
        let metrics = Metrics::new(setup.registry, &[("sink", setup.name.as_str())])
            .map_err(|error| ConfigError::invalid(&section, error))?;
        Handler::new(&config, &section, metrics)
    }
}
