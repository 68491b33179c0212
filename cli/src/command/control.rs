//! The topic `leads.control` for commands: what holds now, and writing a change. What a change means is in `proto::control`,
//! what is done about it in `workers/runtime`.

use jiff::Timestamp;
use leadline_platform::kafka::rdkafka::message::Message;
use leadline_platform::kafka::{Reader, Reading};
use leadline_platform::process::Fatal;
use leadline_proto::control::{Change, Settings};
use leadline_proto::topics::Topic;

use super::block_on;
use super::site::{self, Site};

/// Everything that is set now.
pub(crate) fn read(site: &Site, reader: &Reader) -> Result<Settings, Fatal> {
    let mut settings = Settings::default();
    let mut reading = Reading::default();
    let read = reading.add_topic(reader, &site.name(&Topic::Control)).and_then(|()| {
        reading.run(reader, |message| {
            if let Some(change) = Change::read(message.key().unwrap_or_default(), message.payload()) {
                settings.apply(change);
            }
        })
    });
    read.map(|()| settings).map_err(|error| site.away(&error))
}

/// Writes changes one after the other, each acknowledged.
pub(crate) fn write(site: &Site, command: &str, changes: &[Change], now: Timestamp) -> Result<(), Fatal> {
    let producer = site.producer(command)?;
    site.must_exist(&producer, &Topic::Control)?;
    let topic = site.name(&Topic::Control);
    block_on(async {
        for change in changes {
            let key = Some(change.key().into_bytes());
            let record = site::record(topic.clone(), 0, key, change.headers(now), change.value());
            producer.publish(&record).await.map_err(|error| site.not_written(&Topic::Control, &error))?;
        }
        Ok(())
    })
}
