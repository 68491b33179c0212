//! Where a lead is safe while Kafka is away: on the local disk, synced before anybody is told that it was accepted.
//!
//! Entries keep their order, and a person's later leads queue behind the earlier ones. An entry leaves only after Kafka has
//! acknowledged its record. When leads come here instead of Kafka is `durable`'s to say.
//!
//! | to change | open |
//! |---|---|
//! | what is written for a lead | `entry` |
//! | folder, files, their modes | `disk` |
//! | the file's inside | `store` |
//! | commits, failures of the disk | `writer` |
//! | what a request asks without touching the disk | `index` |
//! | publishing what lies here | [`drain`] |
//! | what is taken over from a damaged file | `salvage` |

mod disk;
pub mod drain;
mod entry;
mod index;
mod salvage;
mod store;
#[cfg(test)]
mod tests;
mod writer;

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use leadline_platform::kafka::Record;
use tokio::sync::{Notify, oneshot};

use self::disk::{Disk, Folder};
use self::entry::Entry;
use self::index::{Index, Noted, Person};
use self::writer::{Op, Writer};

/// Why a lead did not come into the spool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotSpooled {
    /// It holds as much as it may.
    #[error("the spool is full")]
    Full,
    /// Its disk fails, or another process has it.
    #[error("the spool cannot be used")]
    Unusable,
}

/// What lies in a spool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Figures {
    /// Entries that wait for Kafka.
    pub entries: usize,
    /// Bytes of everything in it.
    pub bytes: usize,
    /// When the oldest entry came.
    pub since: Option<Timestamp>,
    /// Entries that Kafka has refused for good.
    pub refused: usize,
    /// Damaged files that were found.
    pub damaged: u64,
    /// Whether a lead can be written now.
    pub usable: bool,
}

/// What the handles and the writer share.
#[derive(Debug)]
struct Shared {
    index: Mutex<Index>,
    /// Something was written, or removed.
    changed: Notify,
    usable: AtomicBool,
    /// Kafka has missed a lead and has acknowledged nothing since.
    away: AtomicBool,
    damaged: AtomicU64,
    /// Why it cannot be used.
    failure: Mutex<Option<String>>,
}

impl Shared {
    fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn usable(&self) {
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.usable.store(true, Ordering::Release);
    }

    fn unusable(&self, why: impl fmt::Display) {
        self.usable.store(false, Ordering::Release);
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(why.to_string());
    }
}

/// A spool. Clones are the same one; its file is closed when the last is dropped.
#[derive(Debug, Clone)]
pub struct Spool {
    shared: Arc<Shared>,
    ops: Sender<Op>,
}

impl Spool {
    /// Opens the spool in a folder, which is made if it is not there. A folder that cannot be used is tried again and again.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn open(folder: impl Into<PathBuf>, limit: usize) -> std::io::Result<Self> {
        Self::on(Folder::new(folder), limit)
    }

    /// Whether a spool lies in a folder.
    pub fn is_in(folder: impl Into<PathBuf>) -> bool {
        Folder::new(folder).holds_a_spool()
    }

    fn on(disk: impl Disk, limit: usize) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            index: Mutex::new(Index::new(limit)),
            changed: Notify::new(),
            usable: AtomicBool::new(false),
            away: AtomicBool::new(false),
            damaged: AtomicU64::new(0),
            failure: Mutex::default(),
        });
        let (ops, asked) = mpsc::channel();
        let mut writer = Writer::new(disk, shared.clone());
        // Before the first request: whose leads have to queue must be known by then.
        writer.open_if_closed();
        // Somebody's leads wait, so nobody else should until Kafka has shown itself.
        let waits = shared.index().len() > 0;
        shared.away.store(waits, Ordering::Release);
        std::thread::Builder::new().name("spool".to_owned()).spawn(move || writer.run(&asked))?;
        Ok(Self { shared, ops })
    }

    /// Writes a record. Returns its number once it is durable.
    ///
    /// # Errors
    /// [`NotSpooled`]; the record is not in the spool then, or at least nobody may rely on it.
    pub async fn append(&self, record: &Record) -> Result<u64, NotSpooled> {
        self.write(record, false).await
    }

    /// Writes a record that Kafka has refused, and keeps it apart.
    ///
    /// # Errors
    /// [`NotSpooled`].
    pub async fn append_refused(&self, record: &Record) -> Result<u64, NotSpooled> {
        self.write(record, true).await
    }

    async fn write(&self, record: &Record, refused: bool) -> Result<u64, NotSpooled> {
        if !self.shared.usable.load(Ordering::Acquire) {
            return Err(NotSpooled::Unusable);
        }
        let spooled_at = Timestamp::now();
        let entry = Entry::of(record, spooled_at).ok_or(NotSpooled::Unusable)?;
        let bytes = entry.encode();
        let noted = Noted { person: Person::of(&entry.key), bytes: bytes.len(), spooled_at };
        if !self.shared.index().begin(noted.person, noted.bytes) {
            return Err(NotSpooled::Full);
        }
        let (reply, answer) = oneshot::channel();
        self.ask(Op::Append { bytes, noted, refused, reply });
        answer.await.unwrap_or(Err(NotSpooled::Unusable))
    }

    fn ask(&self, op: Op) {
        // The thread ends only after the last handle is gone.
        let _ = self.ops.send(op);
    }

    /// Kafka has these by now.
    pub fn remove(&self, numbers: Vec<u64>) {
        self.ask(Op::Remove(numbers));
    }

    /// Kafka refuses this entry; it is kept apart.
    pub fn refuse(&self, number: u64) {
        self.ask(Op::Refuse(number));
    }

    /// Puts what Kafka has refused back among those to be published.
    pub async fn requeue(&self) {
        let (reply, answer) = oneshot::channel();
        self.ask(Op::Requeue(reply));
        // Nobody answers for a file that cannot be used.
        let _ = answer.await;
    }

    async fn read(&self, numbers: Vec<u64>) -> Vec<(u64, Vec<u8>)> {
        let (reply, answer) = oneshot::channel();
        self.ask(Op::Read { numbers, reply });
        answer.await.unwrap_or_default()
    }

    /// Whether a lead with this key has to queue behind another one.
    pub fn holds(&self, key: &str) -> bool {
        self.shared.index().holds(Person::of(key))
    }

    /// Whether Kafka is taken to be away, so that nobody should wait for it.
    pub fn is_kafka_away(&self) -> bool {
        self.shared.away.load(Ordering::Acquire)
    }

    /// Kafka has not acknowledged a record in time, which lies here now. It will be asked with what lies here.
    pub fn kafka_missed(&self) {
        self.shared.away.store(true, Ordering::Release);
        self.shared.changed.notify_one();
    }

    /// Kafka has acknowledged something.
    pub fn kafka_answered(&self) {
        self.shared.away.store(false, Ordering::Release);
    }

    /// Why nothing can be written now, if that is so.
    pub fn failure(&self) -> Option<String> {
        self.shared.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What lies here once everything that was asked for so far is done.
    pub async fn settled_figures(&self) -> Figures {
        self.read(Vec::new()).await;
        self.figures()
    }

    /// What lies here now.
    pub fn figures(&self) -> Figures {
        let index = self.shared.index();
        Figures {
            entries: index.len(),
            bytes: index.bytes(),
            since: index.since(),
            refused: index.refused_count(),
            damaged: self.shared.damaged.load(Ordering::Acquire),
            usable: self.shared.usable.load(Ordering::Acquire),
        }
    }
}
