//! Carries the chosen dead letters to the retry topics: reads each again, publishes it at the given pace, and notes in the dead
//! letters that it is dealt with. Never more than a few records are in memory.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use leadline_platform::health::Health;
use leadline_platform::kafka::rdkafka::message::{BorrowedMessage, Message};
use leadline_platform::kafka::{Producer, Reading, Record, headers};
use leadline_platform::lifecycle::Lifecycle;
use leadline_platform::process::Fatal;
use leadline_proto::settled::Settled;
use leadline_proto::topics::Topic;
use leadline_proto::{Headers, SinkName};
use tokio::sync::mpsc::{Receiver, channel};
use tokio::task::{JoinError, JoinHandle, JoinSet};
use tokio::time::{Interval, MissedTickBehavior, interval};
use uuid::Uuid;

use super::plan::Plan;
use super::progress::Progress;
use super::record;
use crate::command::dead_letters::CLIENT;
use crate::command::site::{self, Site};

/// Letters that may be on their way to Kafka at a time.
const IN_FLIGHT: usize = 16;
/// Letters that are read ahead.
const AHEAD: usize = 16;
/// Longest wait at the end for what is still on its way.
const FLUSH: Duration = Duration::from_secs(10);

/// What was done.
pub(super) struct Carried {
    pub(super) replayed: usize,
    pub(super) end: End,
}

/// How it ended.
pub(super) enum End {
    All,
    Interrupted,
    Failed(Fatal),
}

impl End {
    /// As it stands in the JSON report.
    pub(super) fn as_str(&self) -> &'static str {
        match self {
            Self::All => "done",
            Self::Interrupted => "interrupted",
            Self::Failed(_) => "failed",
        }
    }
}

/// A chosen letter.
struct Chosen {
    sink: SinkName,
    lead_id: Uuid,
    replay: u32,
}

/// The chosen letters by topic, partition and offset.
type Places = HashMap<(String, i32, i64), Chosen>;

/// A letter as it was read.
struct Taken {
    chosen: Chosen,
    partition: i32,
    key: Option<Vec<u8>>,
    headers: Headers,
    value: Option<Vec<u8>>,
}

/// How publishing one letter went: it can stand in the retry topic and yet have no note.
struct Sent {
    replayed: bool,
    error: Option<Fatal>,
}

/// Replays all that are chosen. A stop by a signal or a failure leaves the rest open.
pub(super) async fn run(site: &Site, plan: &Plan<'_>, rate: f64) -> Result<Carried, Fatal> {
    let stop = Lifecycle::new(&Health::default(), FLUSH);
    stop.stop_on_signals().map_err(Fatal::internal)?;
    let writer = Arc::new(Writer { site: site.clone(), producer: site.producer(CLIENT)? });
    let (mut letters, reading) = read(site, places(site, plan));
    let mut progress = Progress::start(plan.chosen.len(), rate);
    let mut pace = interval(Duration::from_secs_f64(1.0 / rate));
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut flying: JoinSet<Sent> = JoinSet::new();
    let mut tally = Tally::default();
    let stopped = loop {
        tokio::select! {
            () = stop.stopping() => break true,
            Some(sent) = flying.join_next() => tally.note(sent, &mut progress),
            letter = next(&mut pace, &mut letters), if flying.len() < IN_FLIGHT => match letter {
                Some(letter) => drop(flying.spawn(Arc::clone(&writer).publish(letter))),
                None => break false,
            },
        }
        if tally.error.is_some() {
            break false;
        }
    };
    while let Some(sent) = flying.join_next().await {
        tally.note(sent, &mut progress);
    }
    drop(letters);
    writer.producer.flush(FLUSH).await;
    let end = match tally.error {
        Some(error) => End::Failed(error),
        None if stopped => End::Interrupted,
        None => reading.await.map_err(Fatal::internal)?.map_or_else(End::Failed, |()| End::All),
    };
    Ok(Carried { replayed: tally.replayed, end })
}

/// The next letter, not before its time. A caller that stops waiting loses no letter.
async fn next(pace: &mut Interval, letters: &mut Receiver<Taken>) -> Option<Taken> {
    pace.tick().await;
    letters.recv().await
}

#[derive(Default)]
struct Tally {
    replayed: usize,
    error: Option<Fatal>,
}

impl Tally {
    fn note(&mut self, sent: Result<Sent, JoinError>, progress: &mut Progress) {
        let sent = sent.unwrap_or_else(|error| Sent { replayed: false, error: Some(Fatal::internal(error)) });
        self.replayed += usize::from(sent.replayed);
        progress.at(self.replayed);
        if let Some(error) = sent.error {
            self.error.get_or_insert(error);
        }
    }
}

fn places(site: &Site, plan: &Plan<'_>) -> Places {
    let place = |letter: &super::Letter| {
        let topic = site.name(&Topic::DeadLetters(letter.sink.clone()));
        let chosen = Chosen { sink: letter.sink.clone(), lead_id: letter.lead_id, replay: letter.next_replay() };
        ((topic, letter.partition, letter.offset), chosen)
    };
    plan.letters().map(place).collect()
}

/// Reads the letters on a thread of its own, no faster than they are taken.
fn read(site: &Site, mut places: Places) -> (Receiver<Taken>, JoinHandle<Result<(), Fatal>>) {
    let (sender, receiver) = channel(AHEAD);
    let site = site.clone();
    let reading = tokio::task::spawn_blocking(move || {
        let reader = site.reader(CLIENT)?;
        let mut from: HashMap<(String, i32), i64> = HashMap::new();
        for (topic, partition, offset) in places.keys() {
            let least = from.entry((topic.clone(), *partition)).or_insert(*offset);
            *least = (*offset).min(*least);
        }
        let mut reading = Reading::default();
        for ((topic, partition), offset) in from {
            reading.add(&reader, &topic, partition, offset).map_err(|error| site.away(&error))?;
        }
        let read = reading.run(&reader, |message| {
            if let Some(chosen) = places.remove(&(message.topic().to_owned(), message.partition(), message.offset())) {
                // Nobody takes any more after a stop; the rest is read in vain.
                let _ = sender.blocking_send(take(chosen, message));
            }
        });
        read.map_err(|error| site.away(&error))
    });
    (receiver, reading)
}

fn take(chosen: Chosen, message: &BorrowedMessage<'_>) -> Taken {
    Taken {
        chosen,
        partition: message.partition(),
        key: message.key().map(<[u8]>::to_vec),
        headers: headers(message).into_iter().collect(),
        value: message.payload().map(<[u8]>::to_vec),
    }
}

struct Writer {
    site: Site,
    producer: Producer,
}

impl Writer {
    /// The retry record first: the note alone would leave the lead to nobody.
    async fn publish(self: Arc<Self>, letter: Taken) -> Sent {
        let Taken { chosen: Chosen { sink, lead_id, replay }, partition, key, headers, value } = letter;
        let (now, retry, letters) = (Timestamp::now(), Topic::Retry(sink.clone()), Topic::DeadLetters(sink.clone()));
        let again = record::headers(&headers, replay, now);
        let again = site::record(self.site.name(&retry), partition, key.clone(), again, value);
        if let Err(error) = self.write(&retry, &again).await {
            return Sent { replayed: false, error: Some(error) };
        }
        let note = Settled { lead_id, replay }.headers(&sink, now);
        let note = site::record(self.site.name(&letters), partition, key, note, None);
        Sent { replayed: true, error: self.write(&letters, &note).await.err() }
    }

    async fn write(&self, topic: &Topic, record: &Record) -> Result<(), Fatal> {
        self.producer.publish(record).await.map(drop).map_err(|error| self.site.not_written(topic, &error))
    }
}
