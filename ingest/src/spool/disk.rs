//! Where the spool lies: a folder of its own, readable by this user only.
//!
//! A trait, so that a test can put a disk under the spool that forgets whatever was not synced.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use redb::StorageBackend;
use redb::backends::FileBackend;

/// The store's file.
const FILE: &str = "spool.redb";
/// A new file, until it takes the place of the other.
const BESIDE: &str = "spool.redb.new";
/// Room that is given back when the disk is full, so that entries can still be removed.
const RESERVE_FILE: &str = "reserve";
const RESERVE_BYTES: usize = 1024 * 1024;

/// A folder on a disk. Its names are as fleeting as its bytes until they are synced.
pub(crate) trait Disk: Send + 'static {
    /// An opened file.
    type Backend: StorageBackend;
    /// Makes the folder, if it is not there.
    fn create(&self) -> io::Result<()>;
    /// Opens a file, or makes it. `fresh`: without what is in it.
    fn open_file(&self, name: &str, fresh: bool) -> io::Result<Self::Backend>;
    /// The whole file as it is.
    fn read_file(&self, name: &str) -> io::Result<Vec<u8>>;
    /// Gives a file a second name.
    fn link(&self, from: &str, to: &str) -> io::Result<()>;
    /// Gives a file another name, in the place of whatever has that name.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Makes the names last.
    fn sync(&self) -> io::Result<()>;
    /// Keeps some room for bad times, if there is any. Says whether it is kept now.
    fn reserve(&self) -> bool;
    /// Gives that room back.
    fn release(&self);

    /// Opens the store's file, which is there to stay.
    fn open(&self) -> io::Result<Self::Backend> {
        self.create()?;
        let file = self.open_file(FILE, false)?;
        self.sync()?;
        Ok(file)
    }

    /// The store's file as it is, for salvaging.
    fn read(&self) -> io::Result<Vec<u8>> {
        self.read_file(FILE)
    }

    /// Gives a file that cannot be used a second name, under which it is kept. Returns that name.
    fn keep(&self) -> io::Result<String> {
        let name = format!("{FILE}.broken-{}", Timestamp::now().as_millisecond());
        self.link(FILE, &name)?;
        self.sync()?;
        Ok(name)
    }

    /// Opens an empty file beside it, for what was salvaged.
    fn open_beside(&self) -> io::Result<Self::Backend> {
        self.open_file(BESIDE, true)
    }

    /// Puts the file beside in the place of the store's file, at once or not at all.
    fn replace(&self) -> io::Result<()> {
        self.rename(BESIDE, FILE)?;
        self.sync()
    }
}

/// A folder of the file system.
#[derive(Clone, Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    fn file(&self) -> PathBuf {
        self.0.join(FILE)
    }

    /// Whether a spool lies here.
    pub(crate) fn holds_a_spool(&self) -> bool {
        self.file().is_file()
    }
}

/// A file stands in its folder only once the folder is synced, too.
fn sync_folder(path: &Path) -> io::Result<()> {
    match File::open(path).and_then(|folder| folder.sync_all()) {
        // A folder above that is not ours to open was there before.
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Ok(()),
        synced => synced,
    }
}

impl Disk for Folder {
    type Backend = FileBackend;

    fn create(&self) -> io::Result<()> {
        if self.0.is_dir() {
            return Ok(());
        }
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.0)?;
        // Whatever was missing above it is new, too.
        self.0.ancestors().filter(|above| !above.as_os_str().is_empty()).try_for_each(sync_folder)?;
        if self.0.is_relative() { sync_folder(Path::new(".")) } else { Ok(()) }
    }

    fn open_file(&self, name: &str, fresh: bool) -> io::Result<FileBackend> {
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(fresh).mode(0o600).open(self.0.join(name))?;
        FileBackend::new(file).map_err(|error| io::Error::other(error.to_string()))
    }

    fn read_file(&self, name: &str) -> io::Result<Vec<u8>> {
        fs::read(self.0.join(name))
    }

    fn link(&self, from: &str, to: &str) -> io::Result<()> {
        fs::hard_link(self.0.join(from), self.0.join(to))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.0.join(from), self.0.join(to))
    }

    fn sync(&self) -> io::Result<()> {
        sync_folder(&self.0)
    }

    fn reserve(&self) -> bool {
        let path = self.0.join(RESERVE_FILE);
        if path.is_file() {
            return true;
        }
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        let written = file.and_then(|mut file| {
            io::Write::write_all(&mut file, &vec![0; RESERVE_BYTES])?;
            file.sync_all()
        });
        if written.is_err() {
            // Half a reserve would only take room from the leads.
            let _ = fs::remove_file(&path);
        }
        written.is_ok()
    }

    fn release(&self) {
        // It may be gone already.
        let _ = fs::remove_file(self.0.join(RESERVE_FILE));
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_folder_and_the_file_are_for_this_user_only() {
        let parent = tempfile::tempdir().unwrap();
        let folder = Folder::new(parent.path().join("a/spool"));
        assert!(!folder.holds_a_spool());
        drop(folder.open().unwrap());
        assert!(folder.holds_a_spool());
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&folder.0), mode(&folder.file())), (0o700, 0o600));
    }

    #[test]
    fn a_broken_file_is_kept_when_another_takes_its_place() {
        let parent = tempfile::tempdir().unwrap();
        let folder = Folder::new(parent.path());
        drop(folder.open().unwrap());
        fs::write(folder.file(), "rubbish").unwrap();
        let name = folder.keep().unwrap();
        drop(folder.open_beside().unwrap());
        folder.replace().unwrap();
        assert_eq!(fs::read(parent.path().join(name)).unwrap(), b"rubbish");
        assert_eq!(folder.read().unwrap(), b"");
    }

    #[test]
    fn the_reserve_takes_room_until_it_is_given_back() {
        let parent = tempfile::tempdir().unwrap();
        let folder = Folder::new(parent.path());
        assert!(folder.reserve() && folder.reserve());
        let reserve = parent.path().join(RESERVE_FILE);
        assert_eq!(fs::metadata(&reserve).unwrap().len(), 1024 * 1024);
        folder.release();
        folder.release();
        assert!(!reserve.exists());
    }
}
