//! The outbox: a folder of `.eml` files in place of a mail server, for trials and tests.
//!
//! A file has the name of its lead, recipient and replay, so a message that is written again replaces itself.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use leadline_proto::Code;
use leadline_runtime::sink::{DownReason, SinkDown};

/// A folder of messages.
pub(crate) struct Outbox {
    directory: PathBuf,
}

impl Outbox {
    /// The folder; it is created when the first message comes.
    pub(crate) fn new(directory: PathBuf) -> Self {
        Self { directory }
    }

    /// Writes a message. The file is there completely or not at all, and only its owner can read it.
    pub(crate) async fn write(&self, file: &str, bytes: Vec<u8>) -> Result<(), SinkDown> {
        let path = self.directory.join(file);
        blocking(move || write(&path, &bytes)).await
    }

    /// Whether the folder can be written to. Leaves nothing behind.
    pub(crate) async fn probe(&self) -> Result<(), SinkDown> {
        let directory = self.directory.clone();
        blocking(move || temporary(&directory).map(drop)).await
    }
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    let mut file = temporary(directory)?;
    file.write_all(bytes)?;
    file.persist(path)?;
    Ok(())
}

/// A file that goes away unless it gets a name. Its mode is 0600, and its name ends so that nobody takes it for a message.
fn temporary(directory: &Path) -> io::Result<tempfile::NamedTempFile> {
    std::fs::create_dir_all(directory)?;
    tempfile::Builder::new().prefix(".").suffix(".tmp").tempfile_in(directory)
}

async fn blocking(work: impl FnOnce() -> io::Result<()> + Send + 'static) -> Result<(), SinkDown> {
    let result = tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| Err(io::Error::other("the write was cut off")));
    result.map_err(|error| {
        tracing::warn!(kind = %error.kind(), "the outbox cannot be written");
        SinkDown::of(DownReason::Unreachable, Code::of("outbox-unwritable"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_message_written_again_replaces_itself() {
        let folder = tempfile::tempdir().unwrap();
        let outbox = Outbox::new(folder.path().join("deep/outbox"));
        outbox.write("a.eml", b"one".to_vec()).await.unwrap();
        outbox.write("a.eml", b"two".to_vec()).await.unwrap();
        outbox.probe().await.unwrap();
        let files: Vec<_> = std::fs::read_dir(&outbox.directory).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(files, ["a.eml"]);
        assert_eq!(std::fs::read(outbox.directory.join("a.eml")).unwrap(), b"two");
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn only_the_owner_can_read_a_message() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        Outbox::new(folder.path().to_owned()).write("a.eml", b"one".to_vec()).await.unwrap();
        let mode = std::fs::metadata(folder.path().join("a.eml")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[tokio::test]
    async fn a_folder_that_cannot_be_is_told_as_the_sink_s_fault() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("file"), b"").unwrap();
        let outbox = Outbox::new(folder.path().join("file/outbox"));
        let down = SinkDown::of(DownReason::Unreachable, Code::of("outbox-unwritable"));
        assert_eq!(outbox.probe().await, Err(down.clone()));
        assert_eq!(outbox.write("a.eml", b"one".to_vec()).await, Err(down));
    }
}
