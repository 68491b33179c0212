//! The two journals of a run, as lines of JSON: what was posted, and what arrived. Written as things happen, read at the end.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Milliseconds since 1970.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970");
    i64::try_from(since.as_millis()).expect("fits for a long time")
}

/// A lead that was posted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Post {
    /// Unique; stands in the lead's text.
    pub(crate) number: u64,
    pub(crate) person: u32,
    /// The place among the person's leads.
    pub(crate) seq: u32,
    pub(crate) endpoint: String,
    /// When the answer came.
    pub(crate) at: i64,
    pub(crate) answer: Answer,
}

/// What ingest said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub(crate) enum Answer {
    /// `202`
    Accepted { lead: Uuid },
    /// `503`, or none: the lead may be stored or not.
    Unknown { why: String },
    /// Anything else.
    Refused { status: u16 },
}

/// A mail, as the sink got it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Arrival {
    /// Its place in the sink's journal, from 0.
    pub(crate) n: u64,
    /// When its final dot was read.
    pub(crate) at: i64,
    pub(crate) lead: Uuid,
    pub(crate) to: String,
    pub(crate) replay: u32,
    /// Who sent it.
    pub(crate) worker: String,
    /// Whether the sink has said yes to it. Not known when the line is written; the line [`Answered`] follows.
    #[serde(skip)]
    pub(crate) answered: bool,
}

/// The sink has said yes to a mail.
#[derive(Serialize, Deserialize)]
struct Answered {
    answered: u64,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum SinkLine {
    Arrival(Arrival),
    Answered(Answered),
}

/// Writes posts on a thread of its own. A post counts when it is on the disk.
pub(crate) struct Posts {
    lines: mpsc::Sender<Post>,
    pub(crate) counts: Arc<PostCounts>,
    thread: JoinHandle<()>,
}

/// What is on the disk.
#[derive(Default)]
pub(crate) struct PostCounts {
    pub(crate) accepted: AtomicU64,
    pub(crate) unknown: AtomicU64,
    pub(crate) refused: AtomicU64,
}

impl Posts {
    pub(crate) fn create(file: &Path) -> io::Result<Self> {
        let mut file = File::create(file)?;
        let (lines, receiver) = mpsc::channel::<Post>();
        let counts = Arc::new(PostCounts::default());
        let counted = Arc::clone(&counts);
        let thread = std::thread::spawn(move || {
            while let Ok(first) = receiver.recv() {
                // All that wait go to the disk together.
                let batch: Vec<Post> = std::iter::once(first).chain(receiver.try_iter()).collect();
                let text: String = batch.iter().map(line).collect();
                file.write_all(text.as_bytes()).and_then(|()| file.sync_data()).expect("the journal must be written");
                batch.iter().for_each(|post| counted.add(&post.answer));
            }
        });
        Ok(Self { lines, counts, thread })
    }

    pub(crate) fn sender(&self) -> mpsc::Sender<Post> {
        self.lines.clone()
    }

    /// Waits until everything is on the disk; all senders must be gone.
    pub(crate) fn close(self) {
        drop(self.lines);
        self.thread.join().expect("the journal must be written");
    }
}

impl PostCounts {
    fn add(&self, answer: &Answer) {
        let count = match answer {
            Answer::Accepted { .. } => &self.accepted,
            Answer::Unknown { .. } => &self.unknown,
            Answer::Refused { .. } => &self.refused,
        };
        count.fetch_add(1, Ordering::Relaxed);
    }
}

/// The mail sink's journal. A line is in the file before the sink answers.
pub(crate) struct Arrivals(Mutex<(File, u64)>);

impl Arrivals {
    pub(crate) fn create(file: &Path) -> io::Result<Self> {
        Ok(Self(Mutex::new((File::create(file)?, 0))))
    }

    /// Notes a mail and gives its number.
    pub(crate) fn arrived(&self, lead: Uuid, to: &str, replay: u32, worker: &str) -> u64 {
        let mut locked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let n = locked.1;
        let arrival = Arrival { n, at: now(), lead, to: to.to_owned(), replay, worker: worker.to_owned(), answered: false };
        locked.0.write_all(line(&arrival).as_bytes()).expect("the sink's journal must be written");
        locked.1 += 1;
        n
    }

    /// Notes that a mail was answered with yes.
    pub(crate) fn answered(&self, n: u64) {
        let mut locked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        locked.0.write_all(line(&Answered { answered: n }).as_bytes()).expect("the sink's journal must be written");
    }

    /// Mails so far.
    pub(crate) fn count(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1
    }
}

fn line(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("plain values serialise") + "\n"
}

/// Reads the posts back.
pub(crate) fn read_posts(file: &Path) -> io::Result<Vec<Post>> {
    read(file)
}

/// Reads the mails back, in their order.
pub(crate) fn read_arrivals(file: &Path) -> io::Result<Vec<Arrival>> {
    let mut arrivals: Vec<Arrival> = Vec::new();
    let mut places: HashMap<u64, usize> = HashMap::new();
    for line in read::<SinkLine>(file)? {
        match line {
            SinkLine::Arrival(arrival) => {
                places.insert(arrival.n, arrivals.len());
                arrivals.push(arrival);
            }
            SinkLine::Answered(Answered { answered }) => {
                if let Some(place) = places.get(&answered) {
                    arrivals[*place].answered = true;
                }
            }
        }
    }
    Ok(arrivals)
}

fn read<T: DeserializeOwned>(file: &Path) -> io::Result<Vec<T>> {
    let lines = BufReader::new(File::open(file)?).lines();
    lines.map(|line| serde_json::from_str(&line?).map_err(io::Error::other)).collect()
}
