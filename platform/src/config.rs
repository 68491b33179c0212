//! The layers of the configuration: compiled-in commented defaults, one TOML file, the environment, secrets from files.
//!
//! Later layers win. `LEADLINE__KAFKA__BOOTSTRAP` overrides `kafka.bootstrap`. A key that ends in `_file` names a file whose
//! content becomes the value of the key without that ending, so every key can be a mounted secret. Whatever is wrong stops
//! the start with one sentence that names the key.
//!
//! Which keys exist belongs in the sections: [`sections`] here, `config.rs` of each crate elsewhere.

mod error;
mod secret_files;
pub mod sections;

pub use error::ConfigError;

use std::path::{Path, PathBuf};

use figment::Figment;
use figment::providers::{Env, Format, Toml};
use serde::de::DeserializeOwned;

use secret_files::SecretFiles;

/// Prefix of environment variables that override a key.
const ENV_PREFIX: &str = "LEADLINE__";
/// File that is read when none is named and it exists.
pub const DEFAULT_FILE: &str = "leadline.toml";

/// The merged configuration. Sections are read from it one by one, by the process that needs them.
#[derive(Clone)]
pub struct Settings {
    figment: Figment,
    folder: PathBuf,
}

/// Where the layers come from.
#[derive(Default)]
pub struct Sources<'a> {
    /// Texts of the compiled-in defaults, one of each crate.
    pub defaults: &'a [&'a str],
    /// Names a section may have; any other stops the start.
    pub sections: &'a [&'a str],
    /// The file that was named; without it [`DEFAULT_FILE`] is read when it exists.
    pub file: Option<&'a Path>,
    /// TOML put between the defaults and the file, such as the settings of a trial.
    pub preset: Option<String>,
}

impl Settings {
    /// Reads and merges all layers.
    ///
    /// # Errors
    /// [`ConfigError`] when a file cannot be read or parsed, or a section is unknown.
    pub fn load(sources: &Sources<'_>) -> Result<Self, ConfigError> {
        let mut figment = Figment::new();
        for text in sources.defaults {
            figment = figment.merge(Toml::string(text));
        }
        if let Some(preset) = &sources.preset {
            figment = figment.merge(Toml::string(preset));
        }
        let mut folder = PathBuf::new();
        if let Some(file) = existing_file(sources.file)? {
            folder.extend(file.parent());
            figment = figment.merge(SecretFiles(Toml::file_exact(file)));
        }
        let env = Env::prefixed(ENV_PREFIX).split("__");
        let settings = Self { figment: figment.merge(SecretFiles(env)), folder };
        settings.refuse_unknown_sections(sources.sections)?;
        Ok(settings)
    }

    /// Reads one section, such as `kafka` or `sinks.email`.
    ///
    /// # Errors
    /// [`ConfigError`] naming the key that is missing, unknown or malformed.
    pub fn section<T: DeserializeOwned>(&self, path: &str) -> Result<T, ConfigError> {
        self.figment.extract_inner(path).map_err(|error| ConfigError::from_figment(path, error))
    }

    /// The names below a section, such as those of all sinks.
    pub fn names(&self, section: &str) -> Vec<String> {
        let value = self.figment.find_value(section).ok();
        value.and_then(|value| value.into_dict()).map(|dict| dict.into_keys().collect()).unwrap_or_default()
    }

    /// The folder of the configuration file, from which the files count that it names; without a file the working directory.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn refuse_unknown_sections(&self, known: &[&str]) -> Result<(), ConfigError> {
        let data: figment::value::Dict = self.figment.extract().map_err(|error| ConfigError::from_figment("", error))?;
        match data.keys().find(|name| !known.contains(&name.as_str())) {
            Some(name) => Err(ConfigError::unknown(name, known)),
            None => Ok(()),
        }
    }
}

fn existing_file(named: Option<&Path>) -> Result<Option<PathBuf>, ConfigError> {
    match named {
        Some(file) if file.is_file() => Ok(Some(file.to_owned())),
        Some(file) => Err(ConfigError::no_file(file)),
        None => Ok(Some(PathBuf::from(DEFAULT_FILE)).filter(|file| file.is_file())),
    }
}

#[cfg(test)]
mod tests;
