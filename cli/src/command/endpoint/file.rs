//! Replacing the configuration file: whole or not at all, and only by one that can be read.
//!
//! A running ingest may read the file at any moment, and it holds what nobody has twice. So the new text goes to a file beside
//! it, is read back as the product would read it, and takes the old one's place by a rename.

use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use leadline_platform::config::Settings;
use leadline_platform::process::Fatal;
use leadline_proto::config::Endpoints;
use leadline_runtime::worker::read_endpoints;
use tempfile::NamedTempFile;
use toml_edit::DocumentMut;

use crate::product;

/// Who besides the owner can read a file.
const OTHERS: u32 = 0o077;
/// The part of a mode that is carried over.
const MODE: u32 = 0o7777;

/// A configuration file and what stood in it when it was opened.
pub(super) struct ConfigFile {
    /// As the operator names it.
    named: PathBuf,
    /// The file itself, where `named` is a link.
    real: PathBuf,
    text: String,
}

impl ConfigFile {
    pub(super) fn open(named: &Path) -> Result<Self, Fatal> {
        let read = || {
            let real = fs::canonicalize(named)?;
            let text = fs::read_to_string(&real)?;
            Ok(Self { named: named.to_owned(), real, text })
        };
        read().map_err(|error: io::Error| failed(named, &error))
    }

    /// The file as the operator names it.
    pub(super) fn name(&self) -> std::path::Display<'_> {
        self.named.display()
    }

    /// Its text, to be edited.
    pub(super) fn document(&self) -> Result<DocumentMut, Fatal> {
        // Its error quotes the line, which may hold a secret. The settings were read from this text, so there is hardly one.
        self.text.parse().map_err(|_| Fatal::usage(format!("{} cannot be edited: it is not TOML", self.name())))
    }

    /// Whether others than its owner can read it.
    pub(super) fn is_open_to_others(&self) -> bool {
        fs::metadata(&self.real).is_ok_and(|file| file.mode() & OTHERS != 0)
    }

    /// Puts an edited text in its place, if the product reads it and `is_right` finds in it what was meant.
    pub(super) fn replace(&self, edited: &DocumentMut, is_right: impl FnOnce(&Endpoints) -> bool) -> Result<(), Fatal> {
        let failed = |error: io::Error| failed(&self.named, &error);
        let folder = self.real.parent().unwrap_or(Path::new("."));
        // Only the owner can read it from its first byte on.
        let mut new = NamedTempFile::new_in(folder).map_err(failed)?;
        new.write_all(edited.to_string().as_bytes()).map_err(failed)?;
        self.check(new.path(), is_right)?;
        self.take_over(new.as_file()).map_err(failed)?;
        new.as_file().sync_all().map_err(failed)?;
        if fs::read_to_string(&self.real).map_err(failed)? != self.text {
            return Err(Fatal::usage(format!("{} was changed meanwhile; nothing was written, try again", self.name())));
        }
        new.persist(&self.real).map_err(|error| failed(error.error))?;
        // The rename itself must outlast a crash, too.
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
    }

    fn check(&self, new: &Path, is_right: impl FnOnce(&Endpoints) -> bool) -> Result<(), Fatal> {
        let read = product::settings(Some(new), None).and_then(|settings: Settings| read_endpoints(&settings));
        let (new, named) = (new.display().to_string(), self.name().to_string());
        let endpoints = read.map_err(|error| Fatal::usage(error.to_string().replace(&new, &named)))?;
        let why = "the environment overrides `endpoints`, so an edit would change nothing; use --print";
        if is_right(&endpoints) { Ok(()) } else { Err(Fatal::usage(format!("{named} is left as it is: {why}"))) }
    }

    /// Gives the new file the owner and the mode of the old one, so that who could read that can read this.
    fn take_over(&self, new: &File) -> io::Result<()> {
        let (old, made) = (fs::metadata(&self.real)?, new.metadata()?);
        if (old.uid(), old.gid()) != (made.uid(), made.gid()) {
            fchown(new, Some(old.uid()), Some(old.gid()))?;
        }
        new.set_permissions(Permissions::from_mode(old.mode() & MODE))
    }
}

fn failed(file: &Path, error: &io::Error) -> Fatal {
    Fatal::usage(format!("{} cannot be edited: {error}", file.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    const TEXT: &str = "# kept\n[endpoints.a]\n";

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.toml"), TEXT).unwrap();
        folder
    }

    fn edited(file: &ConfigFile) -> DocumentMut {
        let mut document = file.document().unwrap();
        document["endpoints"]["a"]["offer_id"] = toml_edit::value("x");
        document
    }

    /// Names of all files in a folder.
    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn the_mode_stays_and_nothing_is_left_behind() {
        let folder = folder();
        let path = folder.path().join("a.toml");
        for mode in [0o640, 0o600] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            let file = ConfigFile::open(&path).unwrap();
            assert_eq!(file.is_open_to_others(), mode == 0o640);
            file.replace(&edited(&file), |_| true).unwrap();
            assert_eq!(fs::metadata(&path).unwrap().mode() & MODE, mode);
            assert_eq!(fs::read_to_string(&path).unwrap(), format!("{TEXT}offer_id = \"x\"\n"));
        }
        assert_eq!(names(folder.path()), ["a.toml"]);
    }

    #[test]
    fn a_link_stays_a_link() {
        let folder = folder();
        let link = folder.path().join("link.toml");
        symlink("a.toml", &link).unwrap();
        let file = ConfigFile::open(&link).unwrap();
        file.replace(&edited(&file), |_| true).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert!(fs::read_to_string(folder.path().join("a.toml")).unwrap().contains("offer_id"));
    }

    #[test]
    fn what_cannot_be_read_or_is_not_what_was_meant_is_not_written() {
        let folder = folder();
        let path = folder.path().join("a.toml");
        let file = ConfigFile::open(&path).unwrap();
        let mut bad = file.document().unwrap();
        bad["endpoints"]["a"]["offer"] = toml_edit::value("x");
        let refused = file.replace(&bad, |_| true).unwrap_err().to_string();
        assert!(refused.contains("a.toml: `endpoints.a.offer`: unknown key"), "{refused}");
        let overridden = file.replace(&edited(&file), |_| false).unwrap_err().to_string();
        assert!(overridden.contains("the environment overrides"), "{overridden}");
        assert_eq!((fs::read_to_string(&path).unwrap().as_str(), names(folder.path())), (TEXT, vec!["a.toml".to_owned()]));
    }

    #[test]
    fn what_somebody_else_wrote_meanwhile_stays() {
        let folder = folder();
        let path = folder.path().join("a.toml");
        let file = ConfigFile::open(&path).unwrap();
        fs::write(&path, "# of somebody else\n").unwrap();
        assert!(file.replace(&edited(&file), |_| true).unwrap_err().to_string().contains("was changed meanwhile"));
        assert_eq!(fs::read_to_string(&path).unwrap(), "# of somebody else\n");
    }
}
