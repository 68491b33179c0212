//! A broker's settings: those of production where they change behaviour, small and quick where they only cost.

use std::path::Path;

use super::Ports;

/// The settings of broker `number` of those that listen on `ports`.
pub(crate) fn properties(ports: &[Ports], number: usize, data: &Path) -> String {
    let Ports { clients, controller } = ports[number - 1];
    let replicas = ports.len();
    let min_isr = if replicas >= 3 { 2 } else { 1 };
    let voters = ports.iter().zip(1..).map(|(ports, number)| format!("{number}@127.0.0.1:{}", ports.controller));
    let voters = voters.collect::<Vec<_>>().join(",");
    let data = data.display();
    format!(
        "process.roles=broker,controller
node.id={number}
controller.quorum.voters={voters}
listeners=PLAINTEXT://127.0.0.1:{clients},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{clients}
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={data}
default.replication.factor={replicas}
min.insync.replicas={min_isr}
offsets.topic.replication.factor={replicas}
transaction.state.log.replication.factor={replicas}
transaction.state.log.min.isr={min_isr}
share.coordinator.state.topic.replication.factor={replicas}
share.coordinator.state.topic.min.isr={min_isr}
{COMMON}"
    )
}

/// What is the same everywhere.
///
/// A dead broker is given up after 4 s instead of 9, and a group may ask for short sessions, so that tests of failures need not
/// wait. Topics are never created by accident. The cleaner's default buffer alone would not fit the heap.
const COMMON: &str = "auto.create.topics.enable=false
broker.session.timeout.ms=4000
broker.heartbeat.interval.ms=500
group.min.session.timeout.ms=1000
group.initial.rebalance.delay.ms=0
offsets.topic.num.partitions=3
offsets.retention.minutes=43200
transaction.state.log.num.partitions=1
log.cleaner.dedupe.buffer.size=2097152
log.segment.bytes=16777216
num.network.threads=2
num.io.threads=2
";
