//! Which changes are seen, and what is handed over. The pauses are short; nothing depends on how long anything takes.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use tempfile::TempDir;

use super::*;
use crate::config::Sources;
use crate::config::sections::{self, Sections};

/// Far more than it takes.
const PATIENCE: Duration = Duration::from_secs(60);

struct Site {
    folder: TempDir,
    ask: watch::Sender<u64>,
    watcher: Watcher,
}

impl Site {
    /// `name` is the file that is watched, in a folder that `prepare` fills.
    fn new(name: &str, prepare: impl FnOnce(&Path)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        prepare(folder.path());
        let known = ["kafka", "admin", "log", "lifecycle"];
        let file = folder.path().join(name);
        let sources = Sources { defaults: &[sections::DEFAULTS], sections: &known, file: Some(&file), preset: None };
        let (ask, asked) = watch::channel(0);
        let watcher = Watcher::new(&Settings::load(&sources).unwrap(), asked);
        let watcher = Watcher { look: Duration::from_millis(10), settle: Duration::from_millis(10), ..watcher };
        Self { folder, ask, watcher }
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).unwrap();
    }

    /// What the next change says `kafka.bootstrap` is.
    async fn next(&mut self) -> Result<String, String> {
        let changed = tokio::time::timeout(PATIENCE, self.watcher.changed()).await.expect("the change is seen");
        changed.map(|settings| Sections::read(&settings).unwrap().kafka.bootstrap).map_err(|error| error.to_string())
    }

    /// Whether the files are as they were when they were last looked at.
    fn is_quiet(&self) -> bool {
        stamps(&self.watcher.settings.files()) == self.watcher.seen
    }
}

fn broker(name: &str) -> String {
    format!("[kafka]\nbootstrap = \"{name}\"\n")
}

fn one_file(folder: &Path) {
    fs::write(folder.join("a.toml"), broker("one:1")).unwrap();
}

#[tokio::test]
async fn a_file_written_in_place_or_renamed_is_seen() {
    let mut site = Site::new("a.toml", one_file);
    assert!(site.is_quiet());
    site.write("a.toml", &broker("two:2"));
    assert_eq!(site.next().await, Ok("two:2".to_owned()));
    site.write("new.toml", &broker("six:6"));
    fs::rename(site.folder.path().join("new.toml"), site.folder.path().join("a.toml")).unwrap();
    assert_eq!(site.next().await, Ok("six:6".to_owned()));
    assert!(site.is_quiet());
}

/// As Kubernetes mounts it: the file is a link through `..data`, which is replaced by a rename.
#[tokio::test]
async fn a_config_map_that_is_swapped_is_seen() {
    let version = |folder: &Path, name: &str, text: &str| {
        fs::create_dir(folder.join(name)).unwrap();
        fs::write(folder.join(name).join("leadline.toml"), text).unwrap();
    };
    let mut site = Site::new("leadline.toml", |folder| {
        version(folder, "..1", &broker("one:1"));
        symlink("..1", folder.join("..data")).unwrap();
        symlink("..data/leadline.toml", folder.join("leadline.toml")).unwrap();
    });
    let folder = site.folder.path().to_owned();
    version(&folder, "..2", &broker("two:2"));
    symlink("..2", folder.join("..data_tmp")).unwrap();
    fs::rename(folder.join("..data_tmp"), folder.join("..data")).unwrap();
    fs::remove_dir_all(folder.join("..1")).unwrap();
    assert_eq!(site.next().await, Ok("two:2".to_owned()));
}

#[tokio::test]
async fn a_secret_file_is_followed_too() {
    let mut site = Site::new("a.toml", |folder| {
        fs::write(folder.join("secret"), "one:1").unwrap();
        let named = folder.join("secret").display().to_string();
        fs::write(folder.join("a.toml"), format!("[kafka]\nbootstrap_file = {named:?}\n")).unwrap();
    });
    site.write("secret", "two:2");
    assert_eq!(site.next().await, Ok("two:2".to_owned()));
}

#[tokio::test]
async fn a_broken_or_missing_file_is_told_once_and_then_what_is_right_again() {
    let mut site = Site::new("a.toml", one_file);
    site.write("a.toml", "[kafka]\nbootstrap = \"a secret without its end\n");
    let broken = site.next().await.unwrap_err();
    assert!(broken.contains("a.toml") && broken.contains("line 2"), "{broken}");
    assert!(!broken.contains("secret") && !broken.contains('\n'), "the line is not quoted: {broken}");
    assert!(site.is_quiet(), "it is not told again");
    fs::remove_file(site.folder.path().join("a.toml")).unwrap();
    assert!(site.next().await.unwrap_err().contains("does not exist"));
    assert!(site.is_quiet());
    site.write("a.toml", &broker("two:2"));
    assert_eq!(site.next().await, Ok("two:2".to_owned()));
}

#[tokio::test]
async fn who_asks_gets_the_files_as_they_are() {
    let mut site = Site::new("a.toml", one_file);
    site.ask.send_modify(|times| *times += 1);
    assert_eq!(site.next().await, Ok("one:1".to_owned()));
}
