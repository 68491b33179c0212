//! What operators and brakes have set at run time, as a worker obeys it: read from `leads.control` from its beginning, and followed
//! for ever.
//!
//! Nothing is started before it is known. Which settings there are is `leadline_proto::control`'s.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use leadline_platform::kafka::rdkafka::config::ClientConfig;
use leadline_platform::kafka::rdkafka::consumer::{BaseConsumer, Consumer};
use leadline_platform::kafka::rdkafka::error::KafkaError;
use leadline_platform::kafka::rdkafka::{Message, Offset, TopicPartitionList};
use leadline_platform::kafka::{KafkaContext, Reader};
use leadline_platform::lifecycle::Lifecycle;
use leadline_proto::control::{Braked, Change, Settings};
use leadline_proto::{EndpointName, SinkName};
use tokio::sync::mpsc::UnboundedSender;

use crate::event::Event;

/// Longest wait for a change; a stop is noticed after it.
const POLL: Duration = Duration::from_millis(200);
/// Longest wait for an answer.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Pause before reading is tried again.
const PAUSE: Duration = Duration::from_secs(2);
/// The only partition.
const PARTITION: i32 = 0;

/// The settings that hold now. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Controls {
    sink: SinkName,
    settings: Arc<RwLock<Settings>>,
}

impl Controls {
    /// Nothing is set, as far as is known.
    pub(crate) fn new(sink: SinkName) -> Self {
        Self { sink, settings: Arc::default() }
    }

    /// Takes in a change.
    pub(crate) fn apply(&self, change: Change) {
        self.settings.write().unwrap_or_else(PoisonError::into_inner).apply(change);
    }

    /// Whether leads of this endpoint are held back.
    pub(crate) fn holds(&self, endpoint: &EndpointName) -> bool {
        self.settings.read().unwrap_or_else(PoisonError::into_inner).holds(&self.sink, endpoint)
    }

    /// Why the brake of this sink is engaged, if it is.
    pub(crate) fn brake(&self) -> Option<Braked> {
        self.settings.read().unwrap_or_else(PoisonError::into_inner).brake(&self.sink).cloned()
    }

    /// Whether a change is about this sink or about an endpoint.
    pub(crate) fn concerns(&self, change: &Change) -> bool {
        use leadline_proto::control::Held;
        match change {
            Change::Hold(Held::Sink(sink), _) | Change::Unhold(Held::Sink(sink)) => *sink == self.sink,
            Change::Hold(Held::Endpoint(_), _) | Change::Unhold(Held::Endpoint(_)) => true,
            Change::Brake(sink, _) | Change::Unbrake(sink) | Change::Release(sink, _) => *sink == self.sink,
        }
    }
}

/// Follows the topic on a thread of its own, until the process stops.
pub(crate) struct Follow {
    pub(crate) config: ClientConfig,
    pub(crate) topic: String,
    pub(crate) events: UnboundedSender<Event>,
    pub(crate) lifecycle: Lifecycle,
}

impl Follow {
    /// Starts the thread.
    pub(crate) fn spawn(self) -> std::io::Result<()> {
        std::thread::Builder::new().name("controls".to_owned()).spawn(move || self.run()).map(drop)
    }

    fn run(&self) {
        let mut from = 0;
        let mut known = false;
        while !self.lifecycle.is_stopping() {
            match self.follow(&mut from, &mut known) {
                Ok(()) => return,
                Err(error) => {
                    tracing::warn!(%error, topic = self.topic, "holds and brakes cannot be read, and nothing is started before; does the topic exist? Trying again")
                }
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Reads on from an offset. What was set before the start is taken in at once; a past release means nothing any more.
    fn follow(&self, from: &mut i64, known: &mut bool) -> Result<(), KafkaError> {
        let reader: Reader = self.config.create_with_context(KafkaContext::default())?;
        let (first, end) = reader.fetch_watermarks(&self.topic, PARTITION, TIMEOUT)?;
        let start = (*from).clamp(first, end);
        self.assign(&reader, start)?;
        *from = start;
        while !self.lifecycle.is_stopping() {
            if !*known && *from >= end {
                *known = true;
                self.tell(Event::ControlsKnown);
            }
            match reader.poll(POLL) {
                Some(Ok(message)) => {
                    *from = message.offset() + 1;
                    let change = Change::read(message.key().unwrap_or_default(), message.payload());
                    if let Some(change) = change {
                        let past = matches!(change, Change::Release(..)) && !*known;
                        (!past).then(|| self.tell(Event::Control(change)));
                    }
                }
                // The records at the end may have been compacted away.
                Some(Err(KafkaError::PartitionEOF(_))) => *from = (*from).max(end),
                Some(Err(error)) => return Err(error),
                None => {}
            }
        }
        Ok(())
    }

    fn assign(&self, reader: &BaseConsumer<KafkaContext>, from: i64) -> Result<(), KafkaError> {
        let mut partitions = TopicPartitionList::new();
        partitions.add_partition_offset(&self.topic, PARTITION, Offset::Offset(from))?;
        reader.assign(&partitions)
    }

    fn tell(&self, event: Event) {
        // The worker may have ended meanwhile.
        let _ = self.events.send(event);
    }
}
