//! A disk in memory. At a kill it forgets what was not synced: bytes, lengths and names, each on its own or in part, as a real one
//! may. It can also fail.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use redb::StorageBackend;

use super::super::disk::Disk;

/// How the disk fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Failing {
    #[default]
    Not,
    /// Nothing can be written or opened.
    Always,
    /// Nothing can be written until the reserve is released, which cannot be had back.
    UntilReleased,
}

#[derive(Clone, Debug)]
enum Unsynced {
    Write(usize, Vec<u8>),
    Length(usize),
}

#[derive(Clone, Debug, Default)]
struct File {
    synced: Vec<u8>,
    unsynced: Vec<Unsynced>,
    now: Vec<u8>,
    open: bool,
}

#[derive(Debug, Default)]
struct State {
    files: Vec<File>,
    names: BTreeMap<String, usize>,
    synced_names: BTreeMap<String, usize>,
    failing: Failing,
    released: bool,
    /// Operations so far, and at the kill.
    done: usize,
    life: Option<usize>,
}

/// The disk; clones are the same one.
#[derive(Clone, Debug, Default)]
pub(super) struct FakeDisk(Arc<Mutex<State>>);

#[derive(Debug)]
pub(super) struct FakeFile {
    disk: FakeDisk,
    file: usize,
}

impl FakeDisk {
    /// A disk whose process is killed after so many operations; after them nothing reaches it.
    pub(super) fn killed_after(operations: usize) -> Self {
        Self(Arc::new(Mutex::new(State { life: Some(operations), ..State::default() })))
    }

    pub(super) fn operations(&self) -> usize {
        self.state().done
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One operation; fails after the kill.
    fn step(&self, changes: bool) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.state();
        state.done += 1;
        if state.life.is_some_and(|life| state.done > life) {
            return Err(io::Error::other("killed"));
        }
        match state.failing {
            Failing::Always => Err(ErrorKind::ReadOnlyFilesystem.into()),
            Failing::UntilReleased if changes && !state.released => Err(ErrorKind::StorageFull.into()),
            Failing::UntilReleased | Failing::Not => Ok(state),
        }
    }

    /// What a machine finds that starts again after the kill.
    pub(super) fn after_the_kill(&self, seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed + 1_000_000);
        let state = self.state();
        let mut names = state.synced_names.clone();
        for (name, file) in &state.names {
            if !names.contains_key(name) && random.random() {
                names.insert(name.clone(), *file);
            }
        }
        let files = state.files.iter().map(|file| remembered(file, &mut random)).collect();
        let state = State { files, synced_names: names.clone(), names, ..State::default() };
        Self(Arc::new(Mutex::new(state)))
    }

    pub(super) fn fail(&self, failing: Failing) {
        self.state().failing = failing;
    }

    pub(super) fn is_open(&self) -> bool {
        self.state().files.iter().any(|file| file.open)
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.state().names.keys().cloned().collect()
    }

    pub(super) fn put(&self, name: &str, bytes: Vec<u8>) {
        let mut state = self.state();
        let file = state.files.len();
        state.files.push(File { synced: bytes.clone(), now: bytes, ..File::default() });
        state.names.insert(name.to_owned(), file);
        state.synced_names.insert(name.to_owned(), file);
    }

    /// Flips a bit wherever the text stands, in old copies of pages, too.
    pub(super) fn damage(&self, text: &str) {
        let mut state = self.state();
        let file = &mut state.files[0];
        while let Some(at) = file.now.windows(text.len()).position(|window| window == text.as_bytes()) {
            file.now[at] ^= 1;
        }
        file.synced = file.now.clone();
        file.unsynced.clear();
    }
}

/// Each write that was not synced is kept, forgotten, or kept in part.
fn remembered(file: &File, random: &mut StdRng) -> File {
    let mut bytes = file.synced.clone();
    for change in &file.unsynced {
        match (change, random.random_range(0..3)) {
            (_, 0) => {}
            (Unsynced::Length(length), _) => bytes.resize(*length, 0),
            (Unsynced::Write(at, written), kind) => {
                let cut = if kind == 1 { written.len() } else { random.random_range(0..=written.len()) };
                put(&mut bytes, *at, &written[..cut]);
            }
        }
    }
    File { synced: bytes.clone(), now: bytes, ..File::default() }
}

fn put(bytes: &mut Vec<u8>, at: usize, written: &[u8]) {
    if bytes.len() < at + written.len() {
        bytes.resize(at + written.len(), 0);
    }
    bytes[at..at + written.len()].copy_from_slice(written);
}

impl Disk for FakeDisk {
    type Backend = FakeFile;

    fn create(&self) -> io::Result<()> {
        self.step(true).map(drop)
    }

    fn open_file(&self, name: &str, fresh: bool) -> io::Result<FakeFile> {
        let mut state = self.step(false)?;
        let known = state.names.get(name).copied().filter(|_| !fresh);
        let file = known.unwrap_or_else(|| {
            state.files.push(File::default());
            state.files.len() - 1
        });
        state.names.insert(name.to_owned(), file);
        state.files[file].open = true;
        Ok(FakeFile { disk: self.clone(), file })
    }

    fn read_file(&self, name: &str) -> io::Result<Vec<u8>> {
        let state = self.step(false)?;
        let file = *state.names.get(name).ok_or(ErrorKind::NotFound)?;
        Ok(state.files[file].now.clone())
    }

    fn link(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.step(true)?;
        let file = *state.names.get(from).ok_or(ErrorKind::NotFound)?;
        state.names.insert(to.to_owned(), file);
        Ok(())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.step(true)?;
        let file = state.names.remove(from).ok_or(ErrorKind::NotFound)?;
        state.names.insert(to.to_owned(), file);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.step(false)?;
        state.synced_names = state.names.clone();
        Ok(())
    }

    fn reserve(&self) -> bool {
        let mut state = self.state();
        if state.failing == Failing::Not {
            state.released = false;
        }
        state.failing == Failing::Not
    }

    fn release(&self) {
        self.state().released = true;
    }
}

fn number(number: u64) -> usize {
    usize::try_from(number).unwrap()
}

impl StorageBackend for FakeFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.disk.step(false)?.files[self.file].now.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.disk.step(false)?;
        let bytes = state.files[self.file].now.get(number(offset)..number(offset) + out.len());
        out.copy_from_slice(bytes.ok_or(ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let mut state = self.disk.step(true)?;
        let file = &mut state.files[self.file];
        file.now.resize(number(length), 0);
        file.unsynced.push(Unsynced::Length(number(length)));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.disk.step(false)?;
        let file = &mut state.files[self.file];
        file.synced = file.now.clone();
        file.unsynced.clear();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut state = self.disk.step(true)?;
        let file = &mut state.files[self.file];
        put(&mut file.now, number(offset), data);
        file.unsynced.push(Unsynced::Write(number(offset), data.to_vec()));
        Ok(())
    }

    fn close(&self) -> io::Result<()> {
        self.disk.state().files[self.file].open = false;
        Ok(())
    }
}
