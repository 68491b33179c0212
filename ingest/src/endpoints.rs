//! The endpoints as they are now. They may change while ingest runs: a new configuration swaps them whole, and each request goes
//! on with those it began with.
//!
//! How a change is noticed belongs in `platform::reload`; who may post in `admit`.

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use actix_web::web::Data;
use leadline_platform::config::sections::Sections;
use leadline_platform::config::{ConfigError, Settings};
use leadline_platform::process::{Fatal, Process};
use leadline_platform::reload::{self, metrics::ReloadMetrics};
use leadline_proto::EndpointName;
use leadline_proto::config::{Endpoint, Endpoints, Topics};

use crate::accept::Intake;
use crate::config::Ingest as Config;
use crate::prepared::{Prepared, PreparedEndpoint};
use crate::tls::Identity;

/// Endpoints that belong together: those of one reading of the configuration.
#[derive(Default)]
pub(crate) struct Known {
    endpoints: Endpoints,
    prepared: Prepared,
    most_tokens: usize,
}

impl Known {
    /// Reads the section, and the schema files that it names.
    pub(crate) fn read(settings: &Settings) -> Result<Self, ConfigError> {
        Self::build(settings.section("endpoints")?, settings.folder())
    }

    pub(crate) fn build(endpoints: Endpoints, folder: &Path) -> Result<Self, ConfigError> {
        let prepared = Prepared::build(&endpoints, folder)?;
        let most_tokens = endpoints.values().map(|endpoint| endpoint.tokens.len()).max().unwrap_or_default();
        Ok(Self { endpoints, prepared, most_tokens })
    }

    /// An endpoint, and how its bodies are read.
    pub(crate) fn find(&self, name: &EndpointName) -> Option<(&Endpoint, &PreparedEndpoint)> {
        self.endpoints.get(name).zip(self.prepared.get(name))
    }

    pub(crate) fn prepared(&self) -> &Prepared {
        &self.prepared
    }

    pub(crate) fn all(&self) -> &Endpoints {
        &self.endpoints
    }

    /// How many tokens the endpoint with the most of them has.
    pub(crate) fn most_tokens(&self) -> usize {
        self.most_tokens
    }
}

/// What holds the endpoints for all requests.
pub(crate) struct Current(RwLock<Arc<Known>>);

impl Current {
    pub(crate) fn new(known: Known) -> Self {
        Self(RwLock::new(Arc::new(known)))
    }

    /// Those that hold now; who has them keeps them.
    pub(crate) fn now(&self) -> Arc<Known> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn swap(&self, known: Known) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(known);
    }
}

/// Follows the configuration from now on.
pub(crate) fn follow(process: &Process, intake: &Data<Intake>) -> Result<(), Fatal> {
    let metrics = ReloadMetrics::new(&process.registry, &[]).map_err(Fatal::internal)?;
    let (process, intake) = (process.clone(), intake.clone());
    tokio::spawn(async move { reload::follow(&process, metrics, |settings| intake.reload(settings)).await });
    Ok(())
}

impl Intake {
    /// Takes over the endpoints and the certificate of new settings. Everything is read that the next start would read, so that what would stop it is
    /// told now.
    fn reload(&self, settings: &Settings) -> Result<(), ConfigError> {
        Sections::read(settings)?;
        let config = Config::read(settings)?;
        let identity = Identity::read(&config.tls)?;
        settings.section::<Topics>("topics")?;
        let (before, known) = (self.endpoints.now(), Known::read(settings)?);
        if known.all().is_empty() && !before.all().is_empty() {
            let why = "there is none any more, and ingest does not stop taking leads for what may be a slip; restart it";
            return Err(ConfigError::invalid("endpoints", why));
        }
        known.all().keys().for_each(|name| self.metrics.start_endpoint(name, known.prepared().has_schema(name)));
        self.metrics.start_endpoints(known.all().keys(), &self.keeper.durabilities());
        self.metrics.show_tokens(before.all(), known.all());
        tracing::info!(before = before.all().len(), now = known.all().len(), "these endpoints take leads from now on");
        self.endpoints.swap(known);
        if let Some((presented, identity)) = self.certificate.as_ref().zip(identity) {
            presented.swap(&identity);
            self.metrics.show_certificate(Some(&identity));
        }
        Ok(())
    }
}
