//! The file of the spool: entries by number, durable once a call returns.
//!
//! redb keeps it: each commit is one sync, a commit that was cut is as if it had never begun, and every page has a checksum that
//! is verified when the file is opened. Why redb: docs/adr.

use std::collections::BTreeSet;

use redb::{Database, DatabaseError, ReadableDatabase, ReadableTable, StorageBackend, StorageError, TableDefinition};

/// What is to be published.
const QUEUE: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("queue");
/// What Kafka has refused for good.
const REFUSED: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("refused");
/// Memory for pages. Entries are written once and read once, so little is enough.
const CACHE_BYTES: usize = 4 * 1024 * 1024;

/// Why the store did not do what it was asked for. Nothing of it has happened then.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// Another process has it open.
    #[error("another process uses this spool")]
    InUse,
    /// Its file is not as it was written.
    #[error("the file of the spool is damaged: {0}")]
    Corrupt(String),
    /// The disk refuses: it is full, read-only, or worse.
    #[error("{0}")]
    Disk(redb::Error),
}

impl<E: Into<redb::Error>> From<E> for StoreError {
    fn from(error: E) -> Self {
        let error = error.into();
        if let redb::Error::Corrupted(what) = error {
            return Self::Corrupt(what);
        }
        if matches!(error, redb::Error::DatabaseAlreadyOpen) { Self::InUse } else { Self::Disk(error) }
    }
}

/// What one commit changes.
#[derive(Debug, Default)]
pub(crate) struct Change {
    /// New entries.
    pub(crate) append: Vec<(u64, Vec<u8>)>,
    /// Entries that are no longer needed.
    pub(crate) remove: BTreeSet<u64>,
    /// Entries to be kept apart: Kafka refuses them. Each is in the queue, or new.
    pub(crate) refuse: BTreeSet<u64>,
    /// Refused entries to be tried again.
    pub(crate) requeue: bool,
}

/// The opened file.
pub(crate) struct Store {
    database: Database,
}

impl Store {
    /// Opens the file, checks all of it, and makes it one of ours if it is empty.
    pub(crate) fn open(backend: impl StorageBackend) -> Result<Self, StoreError> {
        let mut builder = Database::builder();
        builder.set_cache_size(CACHE_BYTES).set_check_integrity_on_open(true);
        let database = builder.create_with_backend(backend).map_err(open_error)?;
        let transaction = database.begin_write()?;
        transaction.open_table(QUEUE)?;
        transaction.open_table(REFUSED)?;
        transaction.commit()?;
        Ok(Self { database })
    }

    /// Does all of a change, durably, or nothing.
    pub(crate) fn commit(&self, change: &Change) -> Result<(), StoreError> {
        let transaction = self.database.begin_write()?;
        {
            let mut queue = transaction.open_table(QUEUE)?;
            let mut refused = transaction.open_table(REFUSED)?;
            for (number, bytes) in &change.append {
                queue.insert(number, bytes.as_slice())?;
            }
            for number in &change.remove {
                queue.remove(number)?;
            }
            for number in &change.refuse {
                if let Some(bytes) = queue.remove(number)? {
                    refused.insert(number, bytes.value())?;
                }
            }
            if change.requeue {
                while let Some((number, bytes)) = refused.pop_first()? {
                    queue.insert(number.value(), bytes.value())?;
                }
            }
        }
        transaction.commit()?;
        Ok(())
    }

    /// Calls `each` with every entry to be published, in order.
    pub(crate) fn for_each(&self, mut each: impl FnMut(u64, &[u8])) -> Result<(), StoreError> {
        let queue = self.database.begin_read()?.open_table(QUEUE)?;
        for entry in queue.iter()? {
            let (number, bytes) = entry?;
            each(number.value(), bytes.value());
        }
        Ok(())
    }

    /// These entries, as far as they are there.
    pub(crate) fn read(&self, numbers: &[u64]) -> Result<Vec<(u64, Vec<u8>)>, StoreError> {
        let queue = self.database.begin_read()?.open_table(QUEUE)?;
        let mut found = Vec::with_capacity(numbers.len());
        for number in numbers {
            if let Some(bytes) = queue.get(number)? {
                found.push((*number, bytes.value().to_vec()));
            }
        }
        Ok(found)
    }

    /// Numbers and sizes of the entries that are kept apart.
    pub(crate) fn refused(&self) -> Result<Vec<(u64, usize)>, StoreError> {
        let refused = self.database.begin_read()?.open_table(REFUSED)?;
        let sizes = refused.iter()?.map(|entry| entry.map(|(number, bytes)| (number.value(), bytes.value().len())));
        Ok(sizes.collect::<Result<_, _>>()?)
    }

    /// The highest number in use.
    pub(crate) fn highest(&self) -> Result<u64, StoreError> {
        let reading = self.database.begin_read()?;
        let (queue, refused) = (reading.open_table(QUEUE)?, reading.open_table(REFUSED)?);
        let last = [queue.last()?, refused.last()?].into_iter().flatten().map(|(number, _)| number.value());
        Ok(last.max().unwrap_or_default())
    }

    /// Gives room back to the disk; to be called when little is left in the file.
    pub(crate) fn compact(&mut self) -> Result<(), StoreError> {
        self.database.compact()?;
        Ok(())
    }
}

/// A file that is no database of redb is damaged like one whose checksums are wrong.
fn open_error(error: DatabaseError) -> StoreError {
    if let DatabaseError::Storage(StorageError::Io(error)) = &error
        && error.kind() == std::io::ErrorKind::InvalidData
    {
        return StoreError::Corrupt(error.to_string());
    }
    if let DatabaseError::UpgradeRequired(version) = error {
        return StoreError::Corrupt(format!("it has version {version}"));
    }
    error.into()
}
