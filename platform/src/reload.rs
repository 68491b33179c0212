//! Following the configuration while a process runs: its files changed, here are new [`Settings`].
//!
//! Looks at the files from time to time, as that works the same on every file system and mount: a Kubernetes ConfigMap is
//! swapped by a symbolic link, an editor renames, a script writes in place. Which sections may change while a process runs is
//! the caller's: [`follow`] hands over all settings, and the caller takes what it can use.

pub mod metrics;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tokio::sync::watch;

use self::metrics::ReloadMetrics;
use crate::config::{ConfigError, Settings};
use crate::metrics::NO_LABELS;
use crate::process::Process;

/// How often the files are looked at: soon enough for a person who waits, and a few system calls each time.
const LOOK: Duration = Duration::from_secs(2);
/// How long changed files must stay the same before they are read: who writes in place empties a file first, and half of it
/// may make sense.
const SETTLE: Duration = Duration::from_millis(500);

/// Hands new settings to `apply` whenever the files change, for as long as the process runs. What cannot be read, or what
/// `apply` refuses, is logged once and exported, and nothing changes.
pub async fn follow(
    process: &Process,
    metrics: ReloadMetrics,
    mut apply: impl FnMut(&Settings) -> Result<(), ConfigError> + Send,
) {
    let mut watcher = Watcher::new(&process.settings, process.lifecycle.reloads());
    report(&metrics, true);
    loop {
        let applied = watcher.changed().await.and_then(|settings| apply(&settings));
        report(&metrics, applied.is_ok());
        match applied {
            Ok(()) => tracing::info!("the configuration was read again"),
            Err(error) => tracing::error!(%error, "the configuration has changed and cannot be used; nothing changes"),
        }
    }
}

fn report(metrics: &ReloadMetrics, applied: bool) {
    metrics.failed.with_label_values(NO_LABELS).set(if applied { 0.0 } else { 1.0 });
    if applied {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        metrics.loaded.with_label_values(NO_LABELS).set(now.as_secs_f64());
    }
}

/// What tells one state of a file from another. Of the file that a link leads to, so a link that is swapped is seen.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stamp {
    place: (u64, u64),
    size: u64,
    modified: (i64, i64),
    /// Changes with every write, also with one that sets back the time above.
    changed: (i64, i64),
}

impl Stamp {
    fn of(file: &Path) -> Option<Self> {
        let file = fs::metadata(file).ok()?;
        Some(Self {
            place: (file.dev(), file.ino()),
            size: file.size(),
            modified: (file.mtime(), file.mtime_nsec()),
            changed: (file.ctime(), file.ctime_nsec()),
        })
    }
}

/// The state of all files; `None` for one that is not there.
type Stamps = Vec<Option<Stamp>>;

/// Sees when the files of the configuration change.
pub struct Watcher {
    settings: Settings,
    seen: Stamps,
    asked: watch::Receiver<u64>,
    look: Duration,
    settle: Duration,
}

impl Watcher {
    /// Watches the files of these settings from now on. A change of `asked` is a wish to read them at once, changed or not.
    pub fn new(settings: &Settings, asked: watch::Receiver<u64>) -> Self {
        let seen = stamps(&settings.files());
        Self { settings: settings.clone(), seen, asked, look: LOOK, settle: SETTLE }
    }

    /// Completes when the files have changed, with what they say now.
    ///
    /// # Errors
    /// [`ConfigError`] when they cannot be read; told once for each change.
    pub async fn changed(&mut self) -> Result<Settings, ConfigError> {
        loop {
            let asked = self.rest().await;
            let before = self.stamps().await;
            if !asked && before == self.seen {
                continue;
            }
            if !asked {
                tokio::time::sleep(self.settle).await;
            }
            let read = self.read().await;
            if self.stamps().await != before {
                // Somebody is writing. What was read may be half of it; the next look finds the rest.
                continue;
            }
            return match read {
                Ok(settings) => {
                    let same = settings.files() == self.settings.files();
                    self.settings = settings.clone();
                    self.seen = if same { before } else { self.stamps().await };
                    Ok(settings)
                }
                Err(error) => {
                    self.seen = before;
                    Err(error)
                }
            };
        }
    }

    /// Waits for the next look. Says whether somebody asked for it.
    async fn rest(&mut self) -> bool {
        tokio::select! {
            () = tokio::time::sleep(self.look) => false,
            asked = self.asked.changed() => match asked {
                Ok(()) => true,
                Err(_) => {
                    // Nobody is left who could ask.
                    tokio::time::sleep(self.look).await;
                    false
                }
            }
        }
    }

    /// The files' state. Beside the other tasks, as a file system may take its time.
    async fn stamps(&self) -> Stamps {
        let files = self.settings.files();
        tokio::task::spawn_blocking(move || stamps(&files)).await.unwrap_or_default()
    }

    async fn read(&self) -> Result<Settings, ConfigError> {
        let settings = self.settings.clone();
        let read = tokio::task::spawn_blocking(move || settings.reload()).await;
        read.unwrap_or_else(|error| Err(ConfigError::invalid("configuration", error)))
    }
}

fn stamps(files: &[PathBuf]) -> Stamps {
    files.iter().map(|file| Stamp::of(file)).collect()
}

#[cfg(test)]
mod tests;
