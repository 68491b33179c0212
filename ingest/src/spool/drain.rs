//! Publishes what lies in the spool, oldest first, and one person's leads one after the other.
//!
//! While Kafka is away the oldest entry is the probe: nothing else is tried until it is acknowledged.

use std::collections::HashMap;
use std::future::Future;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use leadline_platform::kafka::{Producer, PublishError};

use super::Spool;
use super::entry::Entry;
use super::index::Person;

/// Entries that are on their way at once, and their bytes together: large ones must fill neither the memory nor the producer.
const PAGE: usize = 1024;
const PAGE_BYTES: usize = 4 * 1024 * 1024;
/// Pause after Kafka did not acknowledge the probe.
const PAUSE: Duration = Duration::from_secs(1);

/// Publishes a spool to the topic of leads.
pub struct Drainer {
    /// What is drained.
    pub spool: Spool,
    /// By which it is published.
    pub producer: Producer,
    /// The topic `leads`.
    pub topic: String,
    /// Is told what became of entries: `ok`, `refused` or `error`, and how many.
    pub count: Box<dyn Fn(&'static str, usize) + Send + Sync>,
}

/// What became of a page.
#[derive(Debug, Default, PartialEq, Eq)]
struct Page {
    gone: usize,
    left: usize,
}

impl Drainer {
    /// Publishes whatever comes into the spool. After `stopping` it ends as soon as nothing is left or Kafka does not take it.
    pub async fn run(self, stopping: impl Future<Output = ()>) {
        let mut stopping = std::pin::pin!(stopping);
        let mut is_stopping = false;
        loop {
            let page = self.page(if self.spool.is_kafka_away() { 1 } else { PAGE }).await;
            if page.left > 0 {
                self.spool.kafka_missed();
            } else if page.gone > 0 {
                self.spool.kafka_answered();
                continue;
            }
            if is_stopping {
                return;
            }
            tokio::select! {
                () = &mut stopping => is_stopping = true,
                () = tokio::time::sleep(PAUSE), if page.left > 0 => {}
                () = self.spool.shared.changed.notified(), if page.left == 0 => {}
            }
        }
    }

    /// Tries the oldest entries.
    async fn page(&self, count: usize) -> Page {
        let oldest = self.spool.shared.index().oldest(count, PAGE_BYTES);
        let mut bytes: HashMap<u64, Vec<u8>> =
            self.spool.read(oldest.iter().map(|(number, _)| *number).collect()).await.into_iter().collect();
        let mut persons: HashMap<Person, Vec<(u64, Vec<u8>)>> = HashMap::new();
        for (number, person) in oldest {
            // One that was struck out meanwhile is not there any more.
            if let Some(bytes) = bytes.remove(&number) {
                persons.entry(person).or_default().push((number, bytes));
            }
        }
        let mut page = Page::default();
        let mut published: FuturesUnordered<_> = persons.into_values().map(|entries| self.person(entries)).collect();
        let mut acked = Vec::new();
        while let Some((gone, left)) = published.next().await {
            page.gone += gone.len();
            page.left += left;
            acked.extend(gone);
        }
        (self.count)("ok", acked.len());
        self.spool.remove(acked);
        page
    }

    /// One person's entries, one after the other. Returns those that Kafka has, and how many it does not take now.
    async fn person(&self, entries: Vec<(u64, Vec<u8>)>) -> (Vec<u64>, usize) {
        let (mut acked, total) = (Vec::new(), entries.len());
        for (done, (number, bytes)) in entries.into_iter().enumerate() {
            let Ok(entry) = Entry::decode(&bytes) else {
                // It was whole when the file was opened; whoever repairs the disk finds it apart.
                self.spool.refuse(number);
                continue;
            };
            match self.producer.publish(&entry.record(&self.topic)).await {
                Ok(_) => acked.push(number),
                Err(PublishError::Refused(code)) => {
                    tracing::error!(number, %code, "Kafka refuses a lead of the spool; it is kept apart: `leadline spool show`");
                    (self.count)("refused", 1);
                    self.spool.refuse(number);
                }
                Err(PublishError::QueueFull | PublishError::Unacknowledged(_)) => {
                    (self.count)("error", 1);
                    return (acked, total - done);
                }
            }
        }
        (acked, 0)
    }
}
