//! Handles leads: the rules that skip one, and the call of the connector for the others.
//!
//! What a record holds belongs in `record`, how it is written in the connector.

use leadline_platform::config::ConfigError;
use leadline_proto::{AcceptedLead, Code, LeadKind, Reference};
use leadline_runtime::sink::{Failure, Sink, SinkDown, Task, Verdict};

use crate::config::{Config, ConnectorKind, OnExisting, TestLeads};
use crate::metrics::Metrics;
use crate::record::{Record, Written};
use crate::sql::Sql;

/// Skipped: one of Microsoft's own test leads.
const TEST: Code = Code::of("test");

/// A CRM that records can be written to. One variant and one file for each.
pub enum Connector {
    /// Tables in SQLite or PostgreSQL.
    Sql(Sql),
}

/// The CRM sink.
pub struct Handler {
    connector: Connector,
    test_leads: TestLeads,
    on_existing: OnExisting,
    metrics: Metrics,
}

impl Handler {
    /// Builds the sink of a section, such as `sinks.crm`. Connects to nothing.
    ///
    /// # Errors
    /// [`ConfigError`] naming the bad key.
    pub fn new(config: &Config, section: &str, metrics: Metrics) -> Result<Self, ConfigError> {
        let connector = match config.connector {
            ConnectorKind::Sql => Connector::Sql(Sql::new(&config.sql, &format!("{section}.sql"))?),
        };
        // A result that never occurred is 0, not absent.
        for written in Written::ALL {
            metrics.upserts.with_label_values(&[written.as_str()]);
        }
        Ok(Self { connector, test_leads: config.test_leads, on_existing: config.on_existing, metrics })
    }

    fn skip(&self, lead: &AcceptedLead) -> Option<Code> {
        match lead.kind() {
            LeadKind::Test => match self.test_leads {
                TestLeads::Skip => Some(TEST),
                TestLeads::Write => None,
            },
            // A do-not-contact lead marks the record, and a blank one is a lead all the same: its offer is known.
            LeadKind::DoNotContact | LeadKind::Blank | LeadKind::Customer => None,
        }
    }

    async fn one(&self, lead: &AcceptedLead) -> Verdict {
        if let Some(rule) = self.skip(lead) {
            return Verdict::Skipped(rule);
        }
        let record = Record::of(lead);
        let result = match &self.connector {
            Connector::Sql(sql) => sql.write(&record, self.on_existing).await,
        };
        match result {
            Ok(written) => {
                self.metrics.upserts.with_label_values(&[written.as_str()]).inc();
                Verdict::Delivered { reference: Reference::new(record.crm_key).ok() }
            }
            Err(failure) => Verdict::Failed(failure),
        }
    }
}

impl Sink for Handler {
    async fn handle(&self, tasks: &[Task]) -> Vec<Verdict> {
        let mut verdicts = Vec::with_capacity(tasks.len());
        let mut down: Option<SinkDown> = None;
        for task in tasks {
            // Once the CRM is down the rest of a batch would only wait for the same answer.
            let verdict = match &down {
                Some(down) => Verdict::Failed(Failure::SinkDown(down.clone())),
                None => self.one(&task.lead).await,
            };
            if let Verdict::Failed(Failure::SinkDown(why)) = &verdict {
                down = Some(why.clone());
            }
            verdicts.push(verdict);
        }
        verdicts
    }

    fn capacity(&self) -> usize {
        match &self.connector {
            Connector::Sql(sql) => sql.capacity(),
        }
    }

    async fn probe(&self) -> Result<(), SinkDown> {
        match &self.connector {
            Connector::Sql(sql) => sql.probe().await,
        }
    }
}

#[cfg(test)]
mod tests;
