//! The settings of a trial: what is missing in the configuration is filled in, so that `leadline up` works with none at all.
//!
//! The secrets of the trial live in the data folder and stay the same from start to start.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use leadline_platform::config::{ConfigError, Settings};
use leadline_platform::process::Fatal;
use leadline_proto::config::TokenHash;
use serde::{Deserialize, Serialize};

use crate::command::endpoint::secret;
use crate::product;

/// The endpoint of a trial.
pub(super) const ENDPOINT: &str = "trial";
const SECRETS_FILE: &str = "trial.json";

/// The folder of a trial: secrets, mails, records.
pub(super) struct DataFolder(PathBuf);

/// What stays the same from start to start.
#[derive(Serialize, Deserialize)]
pub(super) struct Secrets {
    pub(super) token: String,
    person_key: String,
}

impl DataFolder {
    /// Opens the folder, or creates it for the owner alone.
    pub(super) fn open(path: &Path) -> Result<Self, Fatal> {
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
        made.map_err(|error| Fatal::usage(format!("the data folder {} cannot be made: {error}", path.display())))?;
        Ok(Self(path.to_owned()))
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writes a file that only the owner can read, whole or not at all.
    pub(super) fn write(&self, name: &str, text: &str) -> io::Result<()> {
        let temporary = self.path(&format!("{name}.new"));
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(temporary, self.path(name))
    }

    /// The secrets of this folder, made at the first start.
    pub(super) fn secrets(&self) -> Result<Secrets, Fatal> {
        let file = self.path(SECRETS_FILE);
        let failed = |error: &dyn std::fmt::Display| Fatal::usage(format!("{}: {error}", file.display()));
        match fs::read_to_string(&file) {
            Ok(text) => serde_json::from_str(&text).map_err(|error| failed(&error)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let secrets = Secrets { token: secret(), person_key: secret() };
                let text = serde_json::to_string_pretty(&secrets).map_err(Fatal::internal)?;
                self.write(SECRETS_FILE, &text).map_err(|error| failed(&error))?;
                Ok(secrets)
            }
            Err(error) => Err(failed(&error)),
        }
    }
}

/// The configuration, with an endpoint and sinks of the trial where it has none.
pub(super) fn settings(file: Option<&Path>, folder: &DataFolder, secrets: &Secrets) -> Result<Settings, ConfigError> {
    let given = product::settings(file, None)?;
    // What is printed is for a person who tries it; the file and the environment can ask for more.
    let mut preset = "[log]\nlevel = \"warn\"\n".to_owned();
    if given.section::<String>("ingest.person_key")?.is_empty() {
        preset += &format!("[ingest]\nperson_key = {:?}\n", secrets.person_key);
    }
    preset += &format!("[ingest.spool]\nfolder = {:?}\n", folder.path("spool").display().to_string());
    if given.names("endpoints").is_empty() {
        let hash = String::from(TokenHash::of(&secrets.token));
        preset += &format!("[endpoints.{ENDPOINT}]\ntokens = [{hash:?}]\ncontacts = \"sales@contoso.example\"\n");
    }
    if given.names("sinks").is_empty() {
        preset += &sinks(folder);
    }
    product::settings(file, Some(preset))
}

fn sinks(folder: &DataFolder) -> String {
    let outbox = folder.path("outbox").display().to_string();
    let database = format!("sqlite:{}", folder.path("crm.db").display());
    format!(
        "[sinks.email]\nkind = \"email\"\ntransport = \"file\"\nfrom = \"Leadline <leads@leadline.example>\"\n\
         [sinks.email.file]\ndirectory = {outbox:?}\n\
         [sinks.crm]\nkind = \"crm\"\n[sinks.crm.sql]\nurl = {database:?}\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn secrets_stay_the_same_and_are_the_owners_alone() {
        let directory = tempfile::tempdir().unwrap();
        let folder = DataFolder::open(&directory.path().join("data")).unwrap();
        let first = folder.secrets().unwrap();
        assert_eq!(folder.secrets().unwrap().token, first.token);
        let mode = fs::metadata(folder.path(SECRETS_FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_configuration_of_ones_own_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let folder = DataFolder::open(directory.path()).unwrap();
        let file = directory.path().join("leadline.toml");
        fs::write(&file, "[endpoints.mine]\n[sinks.crm]\nkind = \"crm\"\n").unwrap();
        let settings = settings(Some(&file), &folder, &folder.secrets().unwrap()).unwrap();
        assert_eq!(settings.names("endpoints"), ["mine"]);
        assert_eq!(settings.names("sinks"), ["crm"]);
    }
}
