//! What the e-mail sink does with a lead: a message to each recipient, and one verdict over all of them.
//!
//! What an answer of the mail server means is decided in `classify`; when to try again in the runtime.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use leadline_platform::config::ConfigError;
use leadline_proto::config::{Contacts, Endpoints};
use leadline_proto::{Code, EndpointName, LeadKind, Reference, SinkName};
use leadline_runtime::sink::{DownReason, Failure, Permanent, Setup, Sink, SinkDown, Task, Transient, Verdict};
use tokio::time::Instant;

use crate::classify::{SmtpError, classify};
use crate::config::{Section, TestLeads, Transport};
use crate::message::{Composer, Recipient, stem};
use crate::metrics::Metrics;
use crate::outbox::Outbox;
use crate::smtp::{Server, Smtp};
use crate::template::Content;

/// The e-mail sink.
pub struct EmailSink {
    contacts: BTreeMap<EndpointName, Vec<Recipient>>,
    fallback: Vec<Recipient>,
    test_leads: TestLeads,
    composer: Composer,
    route: Route,
    /// Time for everything up to the final dot, over all recipients of a lead. One call can take longer by one answer.
    budget: Duration,
    metrics: Metrics,
}

enum Route {
    Smtp(Box<Smtp>),
    File(Outbox),
}

impl EmailSink {
    pub(crate) fn build(setup: &Setup<'_>) -> Result<Self, ConfigError> {
        let path = setup.section();
        let section: Section = setup.settings.section(&path)?;
        section.check(&path)?;
        section.check_deadlines(&path, setup.deadlines)?;
        let sender = section.sender(&path)?;
        let invalid = |error: &dyn std::fmt::Display| ConfigError::invalid(&path, error);
        let metrics = Metrics::of_sink(setup.registry, setup.name.as_str()).map_err(|error| invalid(&error))?;
        let route = match section.transport {
            Transport::Smtp => {
                let server = Server::new(&section.smtp, sender.email.domain(), &path)?;
                Route::Smtp(Box::new(Smtp::new(server, &section.smtp, metrics.clone())))
            }
            Transport::File => Route::File(Outbox::new(section.file.directory.clone())),
        };
        Ok(Self {
            contacts: contacts(setup.endpoints, setup.name)?,
            fallback: recipients(&section.to, &format!("{path}.to"))?,
            test_leads: section.test_leads,
            composer: Composer::new(sender).map_err(|error| invalid(&error))?,
            route,
            budget: section.smtp.command_timeout,
            metrics,
        })
    }

    /// Who is told about a lead: its endpoint's contacts, else those of the sink.
    fn recipients(&self, endpoint: &EndpointName) -> &[Recipient] {
        self.contacts.get(endpoint).filter(|contacts| !contacts.is_empty()).unwrap_or(&self.fallback)
    }

    async fn deliver(&self, task: &Task, deadline: Instant) -> Verdict {
        if task.lead.kind() == LeadKind::Test && self.test_leads == TestLeads::Skip {
            return Verdict::Skipped(Code::of("test"));
        }
        let recipients = self.recipients(&task.lead.endpoint);
        let Some(first) = recipients.first() else { return Verdict::Skipped(Code::of("no_recipient")) };
        let content = match self.composer.content(&task.lead) {
            Ok(content) => content,
            Err(error) => return Verdict::Failed(Failure::Permanent(Permanent::of(error.code()))),
        };
        let mut run = Run::new(task.history.progress.clone());
        for recipient in recipients {
            if run.progress.contains(&recipient.hash) {
                continue;
            }
            if run.transient.is_some() && Instant::now() >= deadline {
                // An earlier recipient used up the time, which is that lead's own failure.
                break;
            }
            let sent = self.send(task, &content, recipient, deadline).await;
            self.metrics.transaction(result(&sent));
            if let Some(end) = run.note(recipient, sent) {
                return run.cut_short(end);
            }
        }
        run.verdict(self.reference(task, first))
    }

    async fn send(&self, task: &Task, content: &Content, recipient: &Recipient, deadline: Instant) -> Result<(), Failure> {
        let mail =
            self.composer.mail(task, content, recipient).map_err(|error| Failure::Permanent(Permanent::of(error.code())))?;
        match &self.route {
            // The call's time was used up by earlier recipients: this server is slow, the lead is not to blame.
            Route::Smtp(_) if Instant::now() >= deadline => {
                Err(Failure::SinkDown(SinkDown::of(DownReason::Throttled, Code::of("smtp-slow"))))
            }
            Route::Smtp(smtp) => {
                smtp.send(&mail, &task.claim, deadline).await.map_err(|error| classify(&error, Timestamp::now()))
            }
            Route::File(outbox) => outbox.write(&file_name(task, recipient), mail.bytes).await.map_err(Failure::SinkDown),
        }
    }

    /// Where the result is found: the part of the Message-ID that all recipients share, or the first file.
    fn reference(&self, task: &Task, first: &Recipient) -> Option<Reference> {
        let text = match &self.route {
            Route::Smtp(_) => format!("{}.{}", task.lead.lead_id, task.history.replay),
            Route::File(_) => file_name(task, first),
        };
        Reference::new(text).ok()
    }
}

impl Sink for EmailSink {
    async fn handle(&self, tasks: &[Task]) -> Vec<Verdict> {
        let deadline = Instant::now() + self.budget;
        let mut verdicts = Vec::with_capacity(tasks.len());
        for task in tasks {
            verdicts.push(self.deliver(task, deadline).await);
        }
        verdicts
    }

    fn capacity(&self) -> usize {
        match &self.route {
            Route::Smtp(smtp) => smtp.connections(),
            Route::File(_) => usize::MAX,
        }
    }

    async fn probe(&self) -> Result<(), SinkDown> {
        match &self.route {
            Route::Smtp(smtp) => smtp.probe(Instant::now() + self.budget).await.map_err(|error| down(&error)),
            Route::File(outbox) => outbox.probe().await,
        }
    }
}

/// What has become of a lead's recipients so far.
struct Run {
    progress: Vec<Code>,
    transient: Option<Transient>,
    refused: Option<Code>,
    /// The server has said something, so it is not silence that failed.
    answered: bool,
}

impl Run {
    fn new(progress: Vec<Code>) -> Self {
        Self { progress, transient: None, refused: None, answered: false }
    }

    /// Notes how one recipient went. The others go on, so that one bad address delays nobody; returns what stops them all.
    fn note(&mut self, recipient: &Recipient, sent: Result<(), Failure>) -> Option<Failure> {
        self.answered |= !matches!(&sent, Err(Failure::Transient(transient)) if transient.silent);
        match sent {
            Ok(()) => self.progress.push(recipient.hash.clone()),
            Err(Failure::Permanent(failure)) => {
                self.refused.get_or_insert(failure.code);
            }
            Err(Failure::Transient(transient)) => self.defer(transient),
            Err(end @ (Failure::SinkDown(_) | Failure::Forfeited)) => return Some(end),
        }
        None
    }

    /// The code of the first failure counts, with the longest wait of all.
    fn defer(&mut self, next: Transient) {
        let first = self.transient.get_or_insert_with(|| Transient::of(next.code.clone()));
        first.after = first.after.max(next.after);
        first.ambiguous |= next.ambiguous;
        first.silent |= next.silent;
    }

    /// The sink went down on the way, or the lead went to another owner. That an earlier message may have arrived must not be forgotten over it, and only a
    /// transient failure can say so; the next lead will find the sink down as well.
    fn cut_short(self, end: Failure) -> Verdict {
        Verdict::Failed(match (self.transient.filter(|transient| transient.ambiguous), end) {
            (Some(transient), Failure::SinkDown(_)) => Failure::Transient(Transient { progress: self.progress, ..transient }),
            (None, Failure::SinkDown(down)) => Failure::SinkDown(SinkDown { progress: self.progress, ..down }),
            (_, end @ (Failure::Forfeited | Failure::Permanent(_) | Failure::Transient(_))) => end,
        })
    }

    /// As long as anyone may still be served, the lead is tried again. A recipient who was refused for good makes it a dead
    /// letter, as somebody who should know about it never got it; the others have theirs.
    fn verdict(self, reference: Option<Reference>) -> Verdict {
        match (self.transient, self.refused) {
            (Some(transient), _) => {
                let silent = transient.silent && !self.answered;
                Verdict::Failed(Failure::Transient(Transient { progress: self.progress, silent, ..transient }))
            }
            (None, Some(code)) => Verdict::Failed(Failure::Permanent(Permanent { code, progress: self.progress })),
            (None, None) => Verdict::Delivered { reference },
        }
    }
}

fn file_name(task: &Task, recipient: &Recipient) -> String {
    format!("{}.eml", stem(task, recipient))
}

/// The result of one message, for the metric.
fn result(sent: &Result<(), Failure>) -> &'static str {
    match sent {
        Ok(()) => "accepted",
        Err(Failure::Permanent(_)) => "refused",
        Err(Failure::Transient(transient)) if transient.ambiguous => "ambiguous",
        Err(Failure::Transient(_)) => "deferred",
        Err(Failure::SinkDown(_)) => "down",
        Err(Failure::Forfeited) => "forfeited",
    }
}

/// A failed probe: no lead was involved, so only the sink can be at fault.
fn down(error: &SmtpError) -> SinkDown {
    match classify(error, Timestamp::now()) {
        Failure::SinkDown(down) => down,
        Failure::Permanent(failure) => SinkDown::of(DownReason::Misconfigured, failure.code),
        Failure::Transient(transient) => SinkDown::of(DownReason::Unreachable, transient.code),
        Failure::Forfeited => SinkDown::of(DownReason::Unreachable, error.code()),
    }
}

/// The contacts of all endpoints that feed this sink.
fn contacts(endpoints: &Endpoints, sink: &SinkName) -> Result<BTreeMap<EndpointName, Vec<Recipient>>, ConfigError> {
    let fed = endpoints.iter().filter(|(_, endpoint)| endpoint.routes_to(sink));
    fed.map(|(name, endpoint)| {
        let key = format!("endpoints.{name}.contacts");
        Ok((name.clone(), recipients(&endpoint.contacts, &key)?))
    })
    .collect()
}

fn recipients(contacts: &Contacts, key: &str) -> Result<Vec<Recipient>, ConfigError> {
    let unusable = || ConfigError::invalid(key, "mail cannot be sent to one of the addresses: its domain is no domain name");
    contacts.addresses().iter().map(|address| Recipient::read(address).ok_or_else(unusable)).collect()
}

#[cfg(test)]
mod tests;
