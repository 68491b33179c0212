//! What a sink has to say: the one small trait between the runtime and a destination of leads.
//!
//! A sink handles a lead and classifies the result. When to call it again, where the lead is kept meanwhile, what is recorded
//! and when an offset moves is the runtime's and does not belong in a sink.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use leadline_platform::config::{ConfigError, Settings};
use leadline_platform::metrics::prometheus::Registry;
use leadline_proto::config::Endpoints;
use leadline_proto::retry::History;
use leadline_proto::{AcceptedLead, Code, Reference, SinkName};

use crate::tenure::Tenure;

/// One lead to be handled, with what earlier tries left behind.
#[derive(Clone, Debug)]
pub struct Task {
    /// The lead.
    pub lead: Arc<AcceptedLead>,
    /// Tries, replay number and progress so far.
    pub history: History,
    /// Whether the lead is still this worker's.
    pub claim: Claim,
}

/// Whether a lead is still this worker's. A process that was frozen may have lost it to another one without knowing.
#[derive(Clone, Debug, Default)]
pub struct Claim(Option<Arc<Tenure>>);

impl Claim {
    /// The claim on leads of an assigned partition.
    pub(crate) fn of(tenure: Arc<Tenure>) -> Self {
        Self(Some(tenure))
    }

    /// Says whether the lead is still ours. To be asked right before the step that cannot be taken back, such as the final dot
    /// of a mail; when it says no, that is [`Failure::Forfeited`]. It may wait for a moment to find out.
    pub async fn holds(&self) -> bool {
        match &self.0 {
            Some(tenure) => tenure.holds().await,
            None => true,
        }
    }
}

/// What became of one lead in one try.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// The destination has it.
    Delivered {
        /// Where it can be found there.
        reference: Option<Reference>,
    },
    /// It is not meant for this sink; the rule says why.
    Skipped(Code),
    /// Not now, by the sink's own rules (business hours, a digest). Burns no try.
    Later {
        /// Not before this time.
        until: Timestamp,
        /// The rule.
        rule: Code,
    },
    /// It did not work.
    Failed(Failure),
}

/// Why a try failed. Decided in each sink's `classify.rs`.
#[derive(Clone, Debug, PartialEq)]
pub enum Failure {
    /// This lead can never succeed here. It goes to the dead letters.
    Permanent(Permanent),
    /// This lead may succeed later.
    Transient(Transient),
    /// The lead has another owner by now ([`Claim::holds`]), who handles it; nothing is to be recorded here.
    Forfeited,
    /// The destination as a whole is unusable. Burns no try; the worker stops taking leads and probes. With
    /// [`DownReason::Throttled`] and no time named, it only calls the destination less often.
    SinkDown(SinkDown),
}

/// A failure that will not pass.
#[derive(Clone, Debug, PartialEq)]
pub struct Permanent {
    /// What failed.
    pub code: Code,
    /// Steps done so far, earlier ones included; they come back when an operator replays the dead letter.
    pub progress: Vec<Code>,
}

impl Permanent {
    /// A failure of a lead of which nothing was done.
    pub fn of(code: Code) -> Self {
        Self { code, progress: Vec::new() }
    }
}

/// A failure that may pass.
#[derive(Clone, Debug, PartialEq)]
pub struct Transient {
    /// What failed.
    pub code: Code,
    /// How long the destination asked to wait, such as by `Retry-After`.
    pub after: Option<Duration>,
    /// Steps done so far, earlier ones included; they come back with the next try.
    pub progress: Vec<Code>,
    /// The destination may have accepted the lead although no answer came.
    pub ambiguous: bool,
    /// No answer came at all. When that happens to several different leads on end, the sink is taken to be down.
    pub silent: bool,
}

impl Transient {
    /// A failure without progress, of which is known that nothing was delivered.
    pub fn of(code: Code) -> Self {
        Self { code, after: None, progress: Vec::new(), ambiguous: false, silent: false }
    }
}

/// Why a destination as a whole is unusable.
#[derive(Clone, Debug, PartialEq)]
pub struct SinkDown {
    /// What failed.
    pub code: Code,
    /// Whose fault it is.
    pub why: DownReason,
    /// When the destination said it can be used again.
    pub until: Option<Timestamp>,
    /// Steps done before it went down, earlier ones included; they come back with the next try.
    pub progress: Vec<Code>,
}

impl SinkDown {
    /// A destination that is down, with nothing of the lead done.
    pub fn of(why: DownReason, code: Code) -> Self {
        Self { code, why, until: None, progress: Vec::new() }
    }
}

/// Whose fault it is that a destination is unusable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DownReason {
    /// The network's or the destination's: no connection.
    Unreachable,
    /// The operator's: credentials, rights or settings are refused. Every lead would fail alike.
    Misconfigured,
    /// The destination's limits.
    Throttled,
}

/// A destination of leads.
pub trait Sink: Send + Sync + 'static {
    /// Handles leads and returns one verdict for each, in order. The runtime ends a call that takes longer than its deadline,
    /// so the future must be safe to drop: afterwards nothing half-done may be reused.
    fn handle(&self, tasks: &[Task]) -> impl Future<Output = Vec<Verdict>> + Send;

    /// How many leads the sink can handle at the same time. More would only wait inside it, against their deadline.
    fn capacity(&self) -> usize {
        usize::MAX
    }

    /// Connects and authenticates, and sends nothing.
    ///
    /// # Errors
    /// Why the destination is unusable.
    fn probe(&self) -> impl Future<Output = Result<(), SinkDown>> + Send;
}

/// A kind of sink, as it stands in `[sinks.NAME] kind = "…"`.
pub trait Kind {
    /// The kind's name.
    const KIND: &'static str;
    /// The name of its binary.
    const BINARY: &'static str;
    /// What its binary does, in one line.
    const ABOUT: &'static str;
    /// Commented defaults of its section.
    const DEFAULTS: &'static str;
    /// What it builds.
    type Sink: Sink;

    /// Builds a sink from its section `sinks.NAME`. Does no I/O beyond reading local files: a destination that is down must
    /// not stop the start.
    ///
    /// # Errors
    /// [`ConfigError`] naming the bad key.
    fn build(setup: &Setup<'_>) -> Result<Self::Sink, ConfigError>;
}

/// What a sink is built from.
pub struct Setup<'a> {
    /// The configuration; the sink's own section is [`Setup::section`].
    pub settings: &'a Settings,
    /// The sink's name.
    pub name: &'a SinkName,
    /// All endpoints.
    pub endpoints: &'a Endpoints,
    /// Where the sink registers its own metrics, with its name as the constant label `sink`.
    pub registry: &'a Registry,
    /// What a call may take. A sink whose own timeouts are longer would be cut off, so it refuses them.
    pub deadlines: Deadlines,
}

/// What a call to a sink may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// Up to the point from which the lead may have been delivered: `worker.call`.
    pub call: Duration,
    /// The wait for the answer after that point: `worker.confirm`.
    pub confirm: Duration,
}

impl Setup<'_> {
    /// The path of the sink's section, such as `sinks.email`.
    pub fn section(&self) -> String {
        format!("sinks.{}", self.name)
    }
}
