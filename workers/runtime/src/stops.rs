//! Why no lead is started now, if there is a reason; and who must be told when that changes: the gate, the windows, readiness and
//! the metrics.

use std::sync::Arc;

use leadline_platform::health::Condition;
use leadline_platform::metrics::NO_LABELS;
use leadline_proto::control::Braked;
use tokio::sync::Notify;

use crate::gate::Gate;
use crate::metrics::RuntimeMetrics;
use crate::sink::SinkDown;
use crate::state::Windows;

/// What stops a worker.
pub(crate) struct Stops {
    /// Holds and brakes have not been read yet.
    controls_unknown: bool,
    sink_down: bool,
    braked: bool,
    /// Kafka does not acknowledge.
    kafka_away: bool,
    /// Asks the breaker for a probe at once.
    pub(crate) probe_now: Arc<Notify>,
    windows: Windows,
    known: Condition,
    brake_released: Condition,
    kafka_acknowledges: Condition,
    metrics: Arc<RuntimeMetrics>,
}

/// What readiness says of the stops.
pub(crate) struct Conditions {
    pub(crate) known: Condition,
    pub(crate) brake_released: Condition,
    pub(crate) kafka_acknowledges: Condition,
}

impl Stops {
    /// A worker that does not know yet what operators have set.
    pub(crate) fn new(windows: Windows, conditions: Conditions, metrics: Arc<RuntimeMetrics>) -> Self {
        let Conditions { known, brake_released, kafka_acknowledges } = conditions;
        brake_released.set(true);
        kafka_acknowledges.set(true);
        let probe_now = Arc::default();
        let (controls_unknown, sink_down, braked, kafka_away) = (true, false, false, false);
        Self {
            controls_unknown,
            sink_down,
            braked,
            kafka_away,
            probe_now,
            windows,
            known,
            brake_released,
            kafka_acknowledges,
            metrics,
        }
    }

    /// Whether leads may be started.
    pub(crate) fn none(&self) -> bool {
        !(self.controls_unknown || self.sink_down || self.braked || self.kafka_away)
    }

    /// What operators have set is known, and whether the brake was engaged.
    pub(crate) fn controls_known(&mut self, braked: Option<&Braked>, gate: &Gate) {
        self.controls_unknown = false;
        self.known.set(true);
        match braked {
            Some(braked) => self.brake(braked, gate),
            None => self.show(gate),
        }
    }

    /// Whether it is known what operators have set.
    pub(crate) fn are_controls_known(&self) -> bool {
        !self.controls_unknown
    }

    /// The sink is down. Says whether that is news.
    pub(crate) fn sink_down(&mut self, down: &SinkDown, gate: &Gate) -> bool {
        if std::mem::replace(&mut self.sink_down, true) {
            return false;
        }
        tracing::error!(code = %down.code, reason = ?down.why, "the sink is down: no lead is started until it answers");
        self.metrics.circuit_open(true);
        self.show(gate);
        true
    }

    /// The sink answers again.
    pub(crate) fn sink_up(&mut self, gate: &Gate) {
        tracing::info!("the sink answers again");
        self.sink_down = false;
        self.metrics.circuit_open(false);
        self.show(gate);
    }

    /// The brake is engaged.
    pub(crate) fn brake(&mut self, braked: &Braked, gate: &Gate) {
        if !std::mem::replace(&mut self.braked, true) {
            tracing::error!(%braked, "the brake stops this sink: too many leads were to be given up. Find out why, then `leadline release`");
            self.show(gate);
        }
    }

    /// The brake is released.
    pub(crate) fn unbrake(&mut self, gate: &Gate) {
        if std::mem::replace(&mut self.braked, false) {
            tracing::info!("the brake is released");
            self.show(gate);
        }
    }

    /// Whether Kafka acknowledges what is written.
    pub(crate) fn kafka_away(&mut self, away: bool) {
        self.kafka_acknowledges.set(!away);
        match (std::mem::replace(&mut self.kafka_away, away), away) {
            (false, true) => tracing::warn!("Kafka acknowledges nothing: no lead is started until it does"),
            (true, false) => tracing::info!("Kafka acknowledges again"),
            (false, false) | (true, true) => {}
        }
    }

    fn show(&self, gate: &Gate) {
        let closed = self.sink_down || self.braked;
        if closed {
            gate.close();
        } else {
            gate.open();
        }
        self.windows.leads.close(closed);
        self.windows.retry.close(closed);
        self.brake_released.set(!self.braked);
        self.metrics.brake.with_label_values(NO_LABELS).set(f64::from(u8::from(self.braked)));
    }
}
