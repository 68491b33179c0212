//! What goes wrong in a run, and when: drawn from the seed before it starts. Pure; who carries it out is in `tracks`.
//!
//! Four tracks run beside each other: workers of the e-mail sink, the CRM worker, brokers, the mail server. On one track
//! things happen one after the other, so there are never two brokers down.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};

use crate::sink::Ailment;

/// A session of a worker is 15 s, see `platform::kafka::settings`.
pub(crate) const SESSION: Duration = Duration::from_secs(15);
/// The first seconds and the last belong to nobody.
const QUIET: Duration = Duration::from_secs(8);

/// A fault with its time from the start, and a number that says on whom.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Planned<T> {
    pub(crate) at: Duration,
    pub(crate) draw: usize,
    pub(crate) fault: T,
}

/// What is done to workers of the e-mail sink.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum WorkerFault {
    /// SIGKILL, and a new one in its place.
    Kill,
    /// SIGSTOP for so long.
    Stop(Duration),
    /// SIGTERM one after the other, each replaced.
    Rolling,
    /// To one worker, to five, to two.
    Scaling,
}

/// What is done to the CRM worker.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum CrmFault {
    Kill,
    Restart,
}

/// A broker is killed, and started again after so long.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct BrokerFault {
    pub(crate) down: Duration,
}

/// The mail server is ill for so long.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SinkFault {
    pub(crate) ailment: Ailment,
    pub(crate) lasts: Duration,
}

/// A fault as a track needs it.
pub(crate) trait Fault: fmt::Display {
    /// The name it is counted by.
    fn kind(&self) -> &'static str;
    /// About how long it takes, recovery included.
    fn takes(&self) -> Duration;
}

/// Everything that goes wrong.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Plan {
    pub(crate) workers: Vec<Planned<WorkerFault>>,
    pub(crate) crm: Vec<Planned<CrmFault>>,
    pub(crate) brokers: Vec<Planned<BrokerFault>>,
    pub(crate) sink: Vec<Planned<SinkFault>>,
}

impl Plan {
    /// Draws a plan for a run of that length: `each` faults of each kind, without it 21 of them in half an hour. Only kinds
    /// that contain the text `only`.
    pub(crate) fn draw(run: Duration, seed: u64, each: Option<usize>, only: &str) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let each = each.unwrap_or_else(|| usize::try_from(run.as_secs() * 7 / 600).unwrap_or(usize::MAX).max(1));
        let workers: Vec<_> = (0..each).flat_map(|round| worker_faults(round, &mut rng)).collect();
        let crm: Vec<_> = (0..each).map(|round| if round % 2 == 0 { CrmFault::Kill } else { CrmFault::Restart }).collect();
        let brokers: Vec<_> = (0..each).map(|_| BrokerFault { down: seconds(&mut rng, 5.0, 12.0) }).collect();
        let sink: Vec<_> = (0..each).flat_map(|round| sink_faults(round, &mut rng)).collect();
        Self {
            workers: spread(workers, only, run, &mut rng),
            crm: spread(crm, only, run, &mut rng),
            brokers: spread(brokers, only, run, &mut rng),
            sink: spread(sink, only, run, &mut rng),
        }
    }

    /// The kinds of faults that are in it.
    pub(crate) fn kinds(&self) -> BTreeSet<&'static str> {
        let workers = self.workers.iter().map(|planned| planned.fault.kind());
        let crm = self.crm.iter().map(|planned| planned.fault.kind());
        let brokers = self.brokers.iter().map(|planned| planned.fault.kind());
        workers.chain(crm).chain(brokers).chain(self.sink.iter().map(|planned| planned.fault.kind())).collect()
    }

    /// A line for each fault, in the order of time.
    pub(crate) fn lines(&self) -> Vec<String> {
        fn each<T: Fault>(faults: &[Planned<T>]) -> impl Iterator<Item = (Duration, String)> {
            faults.iter().map(|planned| (planned.at, planned.fault.to_string()))
        }
        let mut all: Vec<_> =
            each(&self.workers).chain(each(&self.crm)).chain(each(&self.brokers)).chain(each(&self.sink)).collect();
        all.sort();
        all.into_iter().map(|(at, what)| format!("{:7.1} s  {what}", at.as_secs_f64())).collect()
    }
}

/// One of each kind. Every other stop outlasts the session, with a margin on both sides.
fn worker_faults(round: usize, rng: &mut StdRng) -> [WorkerFault; 4] {
    let stop = if round.is_multiple_of(2) { seconds(rng, 18.0, 30.0) } else { seconds(rng, 1.0, 4.0) };
    [WorkerFault::Kill, WorkerFault::Stop(stop), WorkerFault::Rolling, WorkerFault::Scaling]
}

/// One of each kind; two kinds have two forms.
fn sink_faults(round: usize, rng: &mut StdRng) -> [SinkFault; 5] {
    let other = round % 2 == 1;
    let hanging = if other { Ailment::HangAtCommand } else { Ailment::HangAtDot };
    let throttled = if other { Ailment::Throttle } else { Ailment::Busy };
    let ailments = [hanging, Ailment::Refuse, throttled, Ailment::Permanent, Ailment::Drop];
    ailments.map(|ailment| SinkFault { ailment, lasts: seconds(rng, 3.0, 6.0) })
}

fn seconds(rng: &mut StdRng, from: f64, to: f64) -> Duration {
    Duration::from_secs_f64(rng.random_range(from..to))
}

/// Shuffles the faults and gives each its time: as much as it takes, and an even share of what is left.
fn spread<T: Fault>(mut faults: Vec<T>, only: &str, run: Duration, rng: &mut StdRng) -> Vec<Planned<T>> {
    faults.retain(|fault| fault.kind().contains(only));
    faults.shuffle(rng);
    let span = run.saturating_sub(QUIET * 2);
    let needed: Duration = faults.iter().map(Fault::takes).sum();
    let slack = span.saturating_sub(needed).as_secs_f64() / faults.len().max(1) as f64;
    let mut at = QUIET;
    let place = |fault: T| {
        let pause = slack * rng.random_range(0.0..1.0);
        let planned = Planned { at: at + Duration::from_secs_f64(pause), draw: rng.random_range(0..1000), fault };
        at += planned.fault.takes() + Duration::from_secs_f64(slack);
        planned
    };
    faults.into_iter().map(place).collect()
}

impl Fault for WorkerFault {
    fn kind(&self) -> &'static str {
        match self {
            Self::Kill => "worker kill -9",
            Self::Stop(_) => "worker SIGSTOP",
            Self::Rolling => "rolling restart",
            Self::Scaling => "scaling 1-5-2",
        }
    }

    fn takes(&self) -> Duration {
        match self {
            Self::Kill => Duration::from_secs(18),
            Self::Stop(time) => *time + Duration::from_secs(5),
            Self::Rolling => Duration::from_secs(12),
            Self::Scaling => Duration::from_secs(20),
        }
    }
}

impl fmt::Display for WorkerFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stop(time) => write!(f, "{} for {:.1} s", self.kind(), time.as_secs_f64()),
            Self::Kill | Self::Rolling | Self::Scaling => f.write_str(self.kind()),
        }
    }
}

impl Fault for CrmFault {
    fn kind(&self) -> &'static str {
        match self {
            Self::Kill => "CRM worker kill -9",
            Self::Restart => "CRM worker restart",
        }
    }

    fn takes(&self) -> Duration {
        Duration::from_secs(18)
    }
}

impl fmt::Display for CrmFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind())
    }
}

impl Fault for BrokerFault {
    fn kind(&self) -> &'static str {
        "broker kill -9 and restart"
    }

    fn takes(&self) -> Duration {
        self.down + Duration::from_secs(25)
    }
}

impl fmt::Display for BrokerFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} after {:.1} s", self.kind(), self.down.as_secs_f64())
    }
}

impl Fault for SinkFault {
    fn kind(&self) -> &'static str {
        match self.ailment {
            Ailment::Healthy => "sink healthy",
            Ailment::HangAtDot | Ailment::HangAtCommand => "sink hanging",
            Ailment::Refuse => "sink refusing",
            Ailment::Busy | Ailment::Throttle => "sink 429",
            Ailment::Permanent => "sink 5xx",
            Ailment::Drop => "sink dropping mid-reply",
        }
    }

    fn takes(&self) -> Duration {
        self.lasts + Duration::from_secs(6)
    }
}

impl fmt::Display for SinkFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({:?}) for {:.1} s", self.kind(), self.ailment, self.lasts.as_secs_f64())
    }
}
