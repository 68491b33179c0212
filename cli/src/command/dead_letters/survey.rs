//! Reads the book of dead letters from the topics.

use leadline_platform::kafka::rdkafka::error::KafkaError;
use leadline_platform::kafka::rdkafka::message::{BorrowedMessage, Message};
use leadline_platform::kafka::{Reader, Reading, headers};
use leadline_platform::process::Fatal;
use leadline_proto::topics::Topic;
use leadline_proto::{Headers, SinkName};

use super::book::Book;
use crate::command::site::Site;

/// The sinks that are asked for: one, or all.
pub(super) fn sinks(site: &Site, one: Option<&SinkName>) -> Result<Vec<SinkName>, Fatal> {
    let Some(sink) = one else { return Ok(site.sinks.clone()) };
    site.must_know(sink)?;
    Ok(vec![sink.clone()])
}

/// The dead letters of these sinks; `each` is called with every record of them, for what the book does not keep.
pub(super) fn read(
    site: &Site,
    reader: &Reader,
    sinks: &[SinkName],
    each: impl FnMut(&SinkName, &BorrowedMessage<'_>, &Headers),
) -> Result<Book, Fatal> {
    try_read(site, reader, sinks, each).map_err(|error| site.away(&error))
}

/// The letters come first: what is recorded for one of them meanwhile is then found.
fn try_read(
    site: &Site,
    reader: &Reader,
    sinks: &[SinkName],
    mut each: impl FnMut(&SinkName, &BorrowedMessage<'_>, &Headers),
) -> Result<Book, KafkaError> {
    let mut book = Book::default();
    for sink in sinks {
        read_topic(site, reader, &Topic::DeadLetters(sink.clone()), |message, headers| {
            book.record(sink, (message.partition(), message.offset()), message.key(), headers);
            each(sink, message, headers);
        })?;
    }
    for sink in sinks {
        read_topic(site, reader, &Topic::Retry(sink.clone()), |_, headers| book.retry(sink, headers))?;
    }
    read_topic(site, reader, &Topic::Outcomes, |message, headers| {
        book.outcome(headers, message.payload().unwrap_or_default());
    })?;
    Ok(book)
}

fn read_topic(
    site: &Site,
    reader: &Reader,
    topic: &Topic,
    mut each: impl FnMut(&BorrowedMessage<'_>, &Headers),
) -> Result<(), KafkaError> {
    let mut reading = Reading::default();
    reading.add_topic(reader, &site.name(topic))?;
    reading.run(reader, |message| each(message, &headers(message).into_iter().collect()))
}
