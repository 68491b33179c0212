//! The one thread that touches the spool's file. Whatever waits while it syncs goes into the next commit together.
//!
//! After any failure the file is closed and opened anew, so that what memory believes is what the disk has. Until then nothing is
//! accepted into the spool.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::disk::Disk;
use super::entry::Entry;
use super::index::{Noted, Person};
use super::store::{Change, Store, StoreError};
use super::{NotSpooled, Shared, salvage};

/// Operations of one commit at the most.
const BATCH: usize = 2048;
/// Pause before a file that could not be used is tried again.
const REOPEN: Duration = Duration::from_secs(1);
/// A file that has held so much is made small when it is empty.
const COMPACT_BYTES: usize = 16 * 1024 * 1024;

/// What the thread is asked to do.
pub(super) enum Op {
    /// Write an entry for which room is taken, and answer once it is durable. `refused`: keep it apart at once.
    Append { bytes: Vec<u8>, noted: Noted, refused: bool, reply: oneshot::Sender<Result<u64, NotSpooled>> },
    /// These are no longer needed.
    Remove(Vec<u64>),
    /// Kafka refuses this one.
    Refuse(u64),
    /// Try everything again that Kafka has refused.
    Requeue(oneshot::Sender<()>),
    /// Read these.
    Read { numbers: Vec<u64>, reply: oneshot::Sender<Vec<(u64, Vec<u8>)>> },
}

struct Appended {
    number: u64,
    noted: Noted,
    refused: bool,
    reply: oneshot::Sender<Result<u64, NotSpooled>>,
}

pub(super) struct Writer<D> {
    disk: D,
    shared: Arc<Shared>,
    store: Option<Store>,
    tried: Option<Instant>,
    next: u64,
    /// The disk had no room; until there is a reserve again, entries are only removed.
    full: bool,
    /// What is to be removed and to be kept apart, until it has been committed.
    gone: BTreeSet<u64>,
    refused: BTreeSet<u64>,
    /// The most that lay here since the file was last made small.
    most: usize,
}

impl<D: Disk> Writer<D> {
    pub(super) fn new(disk: D, shared: Arc<Shared>) -> Self {
        let (gone, refused) = (BTreeSet::new(), BTreeSet::new());
        Self { disk, shared, store: None, tried: None, next: 1, full: false, gone, refused, most: 0 }
    }

    /// Works until nobody can ask any more.
    pub(super) fn run(mut self, ops: &Receiver<Op>) {
        loop {
            let first = match ops.recv_timeout(REOPEN) {
                Ok(op) => Some(op),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            self.open_if_closed();
            let waiting = std::iter::from_fn(|| ops.try_recv().ok());
            self.work(first.into_iter().chain(waiting).take(BATCH).collect());
        }
    }

    /// Opens the file unless it is open, or was tried a moment ago.
    pub(super) fn open_if_closed(&mut self) {
        if self.store.is_some() || self.tried.is_some_and(|tried| tried.elapsed() < REOPEN) {
            return self.look_for_room();
        }
        self.tried = Some(Instant::now());
        match self.open().and_then(|store| self.load(store)) {
            Ok(()) => {
                self.look_for_room();
                tracing::info!(entries = self.shared.index().len(), "the spool is open");
            }
            Err(error) => {
                self.shared.unusable(&error);
                tracing::error!(%error, "the spool cannot be used; trying again. While Kafka is away leads are refused");
            }
        }
    }

    fn look_for_room(&mut self) {
        // What was given back is for what has to be removed first.
        if self.store.is_some() && self.gone.is_empty() && self.refused.is_empty() {
            self.full = !self.disk.reserve() && self.full;
            if !self.full {
                self.shared.usable();
            }
        }
    }

    fn open(&mut self) -> Result<Store, StoreError> {
        let opened = catch_unwind(AssertUnwindSafe(|| Store::open(self.disk.open()?)));
        match opened.unwrap_or_else(|_| Err(StoreError::Corrupt("it cannot even be checked".to_owned()))) {
            Err(StoreError::Corrupt(what)) => self.salvage(&what),
            opened => opened,
        }
    }

    /// Takes over what can be read of a damaged file, and keeps the file.
    fn salvage(&mut self, what: &str) -> Result<Store, StoreError> {
        let entries = salvage::entries(&self.disk.read()?);
        let kept = self.disk.keep()?;
        let store = Store::open(self.disk.open_beside()?)?;
        let append: Vec<_> = entries.iter().zip(self.next..).map(|(entry, number)| (number, entry.encode())).collect();
        let salvaged = append.len();
        store.commit(&Change { append, ..Change::default() })?;
        self.disk.replace()?;
        self.shared.damaged.fetch_add(1, Ordering::AcqRel);
        tracing::error!(what, kept, salvaged, "the spool was damaged: every whole entry was taken over, and the file is kept");
        Ok(store)
    }

    /// Makes the index what the file says.
    fn load(&mut self, store: Store) -> Result<(), StoreError> {
        let mut index = self.shared.index();
        for (number, bytes) in store.refused()? {
            index.refused(number, bytes);
        }
        let mut damaged = Vec::new();
        store.for_each(|number, bytes| match Entry::decode(bytes) {
            Ok(_) if self.gone.contains(&number) || self.refused.contains(&number) => {}
            Ok(entry) => index.found(number, noted(&entry, bytes.len())),
            Err(error) => damaged.push((number, bytes.len(), error)),
        })?;
        for (number, bytes, error) in damaged {
            index.refused(number, bytes);
            tracing::error!(number, %error, "an entry of the spool cannot be read; it is set aside");
            self.refused.insert(number);
        }
        drop(index);
        self.next = self.next.max(store.highest()? + 1);
        self.store = Some(store);
        self.shared.changed.notify_one();
        Ok(())
    }

    fn work(&mut self, ops: Vec<Op>) {
        let (mut append, mut appended, mut reads, mut requeues) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for op in ops {
            match op {
                Op::Append { noted, reply, .. } if self.full || self.store.is_none() => self.fail(noted, reply),
                Op::Append { bytes, noted, refused, reply } => {
                    append.push((self.next, bytes));
                    appended.push(Appended { number: self.next, noted, refused, reply });
                    self.next += 1;
                }
                Op::Remove(numbers) => {
                    let mut index = self.shared.index();
                    numbers.iter().for_each(|number| index.removed(*number));
                    self.gone.extend(numbers);
                }
                Op::Refuse(number) => {
                    let mut index = self.shared.index();
                    let size = index.size(number);
                    index.refused(number, size);
                    self.refused.insert(number);
                }
                Op::Requeue(reply) => requeues.push(reply),
                Op::Read { numbers, reply } => reads.push((numbers, reply)),
            }
        }
        self.commit(append, appended, requeues);
        for (numbers, reply) in reads {
            let found = self.store.as_ref().map(|store| store.read(&numbers));
            let found = found.transpose().unwrap_or_else(|error| self.broken(&error)).unwrap_or_default();
            // Who asked may have gone.
            let _ = reply.send(found);
        }
    }

    fn commit(&mut self, append: Vec<(u64, Vec<u8>)>, appended: Vec<Appended>, requeues: Vec<oneshot::Sender<()>>) {
        let nothing = append.is_empty() && self.gone.is_empty() && self.refused.is_empty() && requeues.is_empty();
        let Some(store) = self.store.as_ref().filter(|_| !nothing) else { return };
        let refuse = self.refused.iter().copied();
        let refuse = refuse.chain(appended.iter().filter(|one| one.refused).map(|one| one.number)).collect();
        let change = Change { append, remove: self.gone.clone(), refuse, requeue: !requeues.is_empty() };
        match store.commit(&change) {
            Ok(()) => {
                self.gone.clear();
                self.refused.clear();
                self.committed(appended);
                if change.requeue {
                    self.shared.index().requeued();
                    self.reload();
                }
                for reply in requeues {
                    // Who asked may have gone.
                    let _ = reply.send(());
                }
                self.compact_if_empty();
            }
            Err(error) => {
                self.full = true;
                self.disk.release();
                self.broken::<()>(&error);
                appended.into_iter().for_each(|one| self.fail(one.noted, one.reply));
            }
        }
    }

    fn committed(&mut self, appended: Vec<Appended>) {
        let mut index = self.shared.index();
        for Appended { number, noted, refused, reply } in appended {
            if refused {
                index.failed(noted.person, noted.bytes);
                index.refused(number, noted.bytes);
            } else {
                index.written(number, noted);
            }
            // Who asked may have gone; the lead is kept all the same.
            let _ = reply.send(Ok(number));
        }
        self.most = self.most.max(index.bytes());
        drop(index);
        self.shared.changed.notify_one();
    }

    fn fail(&self, noted: Noted, reply: oneshot::Sender<Result<u64, NotSpooled>>) {
        self.shared.index().failed(noted.person, noted.bytes);
        let _ = reply.send(Err(NotSpooled::Unusable));
    }

    /// The file is not to be trusted until it has been opened and checked anew, which is tried at once the first time.
    fn broken<T>(&mut self, error: &StoreError) -> Option<T> {
        tracing::error!(%error, "the spool has failed");
        self.store = None;
        self.shared.unusable(error);
        None
    }

    fn reload(&mut self) {
        if let Some(store) = self.store.take()
            && let Err(error) = self.load(store)
        {
            self.broken::<()>(&error);
        }
    }

    fn compact_if_empty(&mut self) {
        let index = self.shared.index();
        let is_empty = index.len() == 0 && index.refused_count() == 0;
        drop(index);
        if is_empty && self.most > COMPACT_BYTES {
            self.most = 0;
            if let Some(Err(error)) = self.store.as_mut().map(Store::compact) {
                self.broken::<()>(&error);
            }
        }
    }
}

fn noted(entry: &Entry, bytes: usize) -> Noted {
    Noted { person: Person::of(&entry.key), bytes, spooled_at: entry.spooled_at }
}
