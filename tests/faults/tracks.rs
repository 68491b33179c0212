//! Carries out the plan. Each track is a thread; on one track things happen one after the other, and late rather than not at all.

use std::time::{Duration, Instant};

use leadline_tests::eventually::within;
use leadline_tests::guarded::Signal;
use leadline_tests::kafka::Cluster;

use crate::checker::BlowKind;
use crate::chronicle::Chronicle;
use crate::fleet::Fleet;
use crate::plan::{BrokerFault, CrmFault, Fault, Planned, SESSION, SinkFault, WorkerFault};
use crate::sink::{Ailment, Sink};

/// Workers of the e-mail sink between two faults.
pub(crate) const WORKERS: usize = 2;
const MOST_WORKERS: usize = 5;
/// How long a kill waits until its victim has something in flight.
const IN_FLIGHT: Duration = Duration::from_secs(10);
/// How long a number of workers is kept while scaling.
const HOLD: Duration = Duration::from_secs(4);

/// What every track knows.
#[derive(Clone, Copy)]
pub(crate) struct Stage<'a> {
    pub(crate) start: Instant,
    /// Nothing begins after this.
    pub(crate) end: Duration,
    pub(crate) sink: &'a Sink,
    pub(crate) chronicle: &'a Chronicle,
}

impl Stage<'_> {
    /// Calls `act` for each fault at its time.
    fn play<T: Fault>(&self, plan: &[Planned<T>], mut act: impl FnMut(&Planned<T>)) {
        for planned in plan {
            let due = planned.at.min(self.end);
            std::thread::sleep(due.saturating_sub(self.start.elapsed()));
            if self.start.elapsed() >= self.end {
                self.chronicle.note(&format!("left out for want of time: {}", planned.fault));
                continue;
            }
            act(planned);
            self.chronicle.count(planned.fault.kind());
        }
    }
}

/// The workers of the e-mail sink.
pub(crate) fn workers(stage: Stage<'_>, plan: &[Planned<WorkerFault>], fleet: &mut Fleet<'_>) {
    stage.play(plan, |planned| {
        fleet.replace_dead();
        match planned.fault {
            WorkerFault::Kill => kill(stage, fleet, planned.draw),
            WorkerFault::Stop(time) => stop(stage, fleet, planned.draw, time),
            WorkerFault::Rolling => rolling(stage, fleet),
            WorkerFault::Scaling => scaling(stage, fleet),
        }
        fleet.wait_until_ready();
    });
}

/// Waits until there are mails on their way, and says how many.
fn in_flight(open: impl Fn() -> usize) -> usize {
    within("mails are on their way", IN_FLIGHT, || Some(open()).filter(|open| *open > 0)).unwrap_or_default()
}

/// Chooses a worker that has mails on their way, and says how many: the one that was drawn, or the next that has.
fn victim(stage: Stage<'_>, fleet: &Fleet<'_>, draw: usize) -> (usize, usize) {
    let members = fleet.members.len();
    let busy = || {
        let candidates = (draw..draw + members).map(|at| (at % members, stage.sink.open_of(&fleet.members[at % members].name)));
        candidates.into_iter().find(|(_, open)| *open > 0)
    };
    within("mails are on their way", IN_FLIGHT, busy).unwrap_or((draw % members, 0))
}

fn kill(stage: Stage<'_>, fleet: &mut Fleet<'_>, draw: usize) {
    let (victim, open) = victim(stage, fleet, draw);
    let name = fleet.members[victim].name.clone();
    fleet.kill(victim);
    fleet.start();
    stage.chronicle.count_kill(open);
    stage.chronicle.note(&format!("kill -9 {name} with {open} mails on their way"));
}

fn stop(stage: Stage<'_>, fleet: &mut Fleet<'_>, draw: usize, time: Duration) {
    let (victim, open) = victim(stage, fleet, draw);
    let member = &mut fleet.members[victim];
    let long = time > SESSION;
    let stopped = stage.chronicle.blow(&member.name);
    member.signal(Signal::Stop);
    let seconds = time.as_secs_f64();
    stage.chronicle.note(&format!("SIGSTOP {} for {seconds:.1} s with {open} mails on their way", member.name));
    std::thread::sleep(time);
    member.signal(Signal::Cont);
    stage.chronicle.note(&format!("SIGCONT {}", member.name));
    if long {
        stage.chronicle.count_kill(open);
        stopped.done(BlowKind::Frozen);
    }
}

/// Each worker is asked to stop, and replaced at once.
fn rolling(stage: Stage<'_>, fleet: &mut Fleet<'_>) {
    for _ in 0..fleet.members.len() {
        let old = fleet.ask_to_stop(0);
        stage.chronicle.note(&format!("SIGTERM {} (rolling restart)", old.name));
        fleet.start();
        fleet.wait_for_end(old);
        fleet.wait_until_ready();
    }
}

fn scaling(stage: Stage<'_>, fleet: &mut Fleet<'_>) {
    for number in [1, MOST_WORKERS, WORKERS] {
        stage.chronicle.note(&format!("scaling to {number}"));
        scale(fleet, number);
        std::thread::sleep(HOLD);
    }
}

fn scale(fleet: &mut Fleet<'_>, number: usize) {
    let mut stopping = Vec::new();
    while fleet.members.len() > number {
        stopping.push(fleet.ask_to_stop(0));
    }
    while fleet.members.len() < number {
        fleet.start();
    }
    stopping.into_iter().for_each(|member| fleet.wait_for_end(member));
    fleet.wait_until_ready();
}

/// The CRM worker.
pub(crate) fn crm(stage: Stage<'_>, plan: &[Planned<CrmFault>], fleet: &mut Fleet<'_>) {
    stage.play(plan, |planned| {
        fleet.replace_dead();
        let name = fleet.members[0].name.clone();
        stage.chronicle.note(&format!("{}: {name}", planned.fault));
        match planned.fault {
            CrmFault::Kill => {
                fleet.kill(0);
                fleet.start();
            }
            CrmFault::Restart => {
                let old = fleet.ask_to_stop(0);
                fleet.start();
                fleet.wait_for_end(old);
            }
        }
        fleet.wait_until_ready();
    });
}

/// One broker at a time.
pub(crate) fn brokers(stage: Stage<'_>, plan: &[Planned<BrokerFault>], cluster: &Cluster) {
    stage.play(plan, |planned| {
        let broker = planned.draw % cluster.size() + 1;
        let open = in_flight(|| stage.sink.open());
        stage.chronicle.count_kill(open);
        stage.chronicle.note(&format!("kill -9 broker {broker} with {open} mails on their way"));
        cluster.kill(broker);
        std::thread::sleep(planned.fault.down);
        stage.chronicle.note(&format!("starting broker {broker} again"));
        cluster.restart(broker);
        stage.chronicle.note(&format!("broker {broker} is in sync again"));
    });
}

/// The mail server.
pub(crate) fn sink(stage: Stage<'_>, plan: &[Planned<SinkFault>]) {
    stage.play(plan, |planned| {
        stage.chronicle.note(&planned.fault.to_string());
        stage.sink.suffer(planned.fault.ailment);
        std::thread::sleep(planned.fault.lasts);
        stage.sink.suffer(Ailment::Healthy);
    });
}
