//! When a lead counts as durable: Kafka has acknowledged it, or the spool has synced it. Then, and only then, the answer is 202.
//!
//! Kafka comes first. A lead that it misses goes into the spool, and so do those that come after it, until Kafka acknowledges
//! something of the spool; so only those wait who were there at the first miss. A person with a lead in the spool queues behind it.

use std::pin::Pin;
use std::sync::Arc;

use leadline_platform::kafka::{Acked, PublishError, Record};
use leadline_platform::trace::{TraceContext, Tracer};
use leadline_proto::AcceptedLead;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;

use crate::config::Ingest as Config;
use crate::limits::places::{Place, Places};
use crate::metrics::IngestMetrics;
use crate::problem::Problem;
use crate::publish::{Full, Publisher};
use crate::spool::Spool;
use crate::{read, trace};

/// Where an accepted lead is safe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// In Kafka, on every in-sync replica.
    Kafka,
    /// Synced to the local disk; it will be published.
    Spool,
    /// In the memory of the embedded broker, until it stops.
    Memory,
}

impl Durability {
    /// The word as it stands in the receipt.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Kafka => "kafka",
            Self::Spool => "spool",
            Self::Memory => "memory",
        }
    }
}

/// Makes leads durable.
pub(crate) struct Keeper {
    pub(crate) publisher: Publisher,
    /// Without one, a lead that Kafka misses is refused.
    pub(crate) spool: Option<Spool>,
    /// When they are scarce, leads do not wait for Kafka either: it has begun to hang, or they come faster than it takes them.
    pub(crate) places: Places,
    pub(crate) config: Arc<Config>,
    pub(crate) metrics: IngestMetrics,
    pub(crate) tracer: Tracer,
}

/// A record that was handed to Kafka.
type Publishing = Pin<Box<dyn Future<Output = Result<Acked, PublishError>> + Send>>;

/// What Kafka said of a record, in time.
enum Heard {
    Acknowledged,
    /// It refuses this record for good.
    Refused,
    /// Nothing good; the record may be acknowledged later, which the task will know.
    Missed(&'static str, Option<JoinHandle<bool>>),
}

impl Keeper {
    /// Where leads can be durable here.
    pub(crate) fn durabilities(&self) -> Vec<Durability> {
        let spool = self.spool.as_ref().map(|_| Durability::Spool);
        std::iter::once(self.publisher.durability()).chain(spool).collect()
    }

    /// Makes a lead durable and says where. Its place is free again when nothing of it is held any more. `parent` is the span of its
    /// request.
    ///
    /// # Errors
    /// When it is too large, or can be kept nowhere now.
    pub(crate) async fn keep(
        self: &Arc<Self>,
        lead: &AcceptedLead,
        place: Place,
        parent: TraceContext,
    ) -> Result<Durability, Problem> {
        let mut record = read::record(&self.publisher.topic, lead);
        if record.value.as_ref().map_or(0, Vec::len) > self.config.largest_message() {
            return Err(Problem::TooLarge { limit: self.config.body_limit });
        }
        let span = trace::publish(&self.tracer, parent, lead, &mut record);
        let (this, key) = (self.clone(), lead.person.clone());
        // On a task of its own: a sender that hangs up does not end it half-way.
        let kept = tokio::spawn(async move {
            let kept = this.keep_record(Arc::new(record), key.as_str()).await;
            drop(place);
            trace::kept(&span, &kept);
            kept
        });
        kept.await.unwrap_or_else(|_| Err(self.unavailable("the lead could not be handled")))
    }

    async fn keep_record(self: &Arc<Self>, record: Arc<Record>, person: &str) -> Result<Durability, Problem> {
        if let Some(spool) = &self.spool
            && (spool.is_kafka_away() || spool.holds(person) || self.places.are_scarce())
            && self.spool(spool, &record).await.is_some()
        {
            return Ok(Durability::Spool);
        }
        match self.ask_kafka(&record).await? {
            Heard::Acknowledged => Ok(self.publisher.durability()),
            Heard::Refused => self.keep_refused(&record).await,
            Heard::Missed(why, late) => self.keep_missed(&record, why, late).await,
        }
    }

    fn publish(self: &Arc<Self>, record: &Arc<Record>) -> Result<Publishing, Problem> {
        let full =
            |_: Full| self.unavailable("the embedded broker of this trial is full; wait for deliveries, or start with --kafka");
        let room = self.publisher.reserve(record).map_err(full)?;
        let (this, record) = (self.clone(), record.clone());
        Ok(Box::pin(async move { this.publisher.publish(&record, room).await }))
    }

    async fn ask_kafka(self: &Arc<Self>, record: &Arc<Record>) -> Result<Heard, Problem> {
        let mut publishing = self.publish(record)?;
        let missed = |why, late| Ok(Heard::Missed(why, late));
        match tokio::time::timeout(self.config.publish_deadline, &mut publishing).await {
            Ok(Ok(_acked)) => Ok(Heard::Acknowledged),
            Ok(Err(PublishError::Refused(_))) => Ok(Heard::Refused),
            Ok(Err(PublishError::QueueFull)) => missed("more leads arrive than Kafka takes", None),
            Ok(Err(PublishError::Unacknowledged(_))) => missed("Kafka has not acknowledged the lead", None),
            Err(_elapsed) => {
                // It goes on: the record may be acknowledged later.
                let late = tokio::spawn(async move { publishing.await.is_ok() });
                missed("Kafka has not acknowledged the lead in time", Some(late))
            }
        }
    }

    async fn keep_missed(
        &self,
        record: &Record,
        why: &'static str,
        late: Option<JoinHandle<bool>>,
    ) -> Result<Durability, Problem> {
        let Some(spool) = &self.spool else { return Err(self.unavailable(why)) };
        let Some(number) = self.spool(spool, record).await else { return Err(self.unavailable(why)) };
        spool.kafka_missed();
        if let Some(late) = late {
            let spool = spool.clone();
            tokio::spawn(async move {
                if late.await.unwrap_or(false) {
                    spool.remove(vec![number]);
                    spool.kafka_answered();
                }
            });
        }
        Ok(Durability::Spool)
    }

    /// Kafka will never take this one. Its sender has done nothing wrong, so somebody has to look at it here.
    async fn keep_refused(&self, record: &Record) -> Result<Durability, Problem> {
        let refused = || self.unavailable("Kafka refuses the record");
        let spool = self.spool.as_ref().ok_or_else(refused)?;
        spool.append_refused(record).await.map_err(|_| refused())?;
        tracing::error!("Kafka refuses a lead; it is kept apart in the spool: `leadline spool show`");
        Ok(Durability::Spool)
    }

    async fn spool(&self, spool: &Spool, record: &Record) -> Option<u64> {
        let written = spool.append(record).await;
        let result = match &written {
            Ok(_) => "ok",
            Err(crate::spool::NotSpooled::Full) => "full",
            Err(crate::spool::NotSpooled::Unusable) => "error",
        };
        self.metrics.spooled.with_label_values(&[result]).inc();
        written.ok()
    }

    fn unavailable(&self, why: &'static str) -> Problem {
        Problem::Unavailable { retry_after: self.config.retry_after.as_secs(), why }
    }
}
