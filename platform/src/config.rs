//! The layers of the configuration: compiled-in commented defaults, one TOML file, the environment, secrets from files.
//!
//! Later layers win. `LEADLINE__KAFKA__BOOTSTRAP` overrides `kafka.bootstrap`. A key that ends in `_file` names a file whose
//! content becomes the value of the key without that ending, so every key can be a mounted secret. It is read with its section
//! only: a process needs no secret but its own. Whatever is wrong stops the start with one sentence that names the key.
//!
//! How changes are followed while a process runs belongs in [`crate::reload`]. Which keys exist belongs in the sections: [`sections`] here, `config.rs` of each crate elsewhere.

mod error;
mod secret_files;
pub mod sections;

pub use error::ConfigError;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use figment::Figment;
use figment::providers::{Env, Format, Toml};
use serde::de::DeserializeOwned;

use secret_files::Layer;

/// Prefix of environment variables that override a key.
const ENV_PREFIX: &str = "LEADLINE__";
/// File that is read when none is named and it exists.
pub const DEFAULT_FILE: &str = "leadline.toml";

/// The merged configuration. Sections are read from it one by one, by the process that needs them.
#[derive(Clone)]
pub struct Settings {
    layers: Arc<Layers>,
    /// The configuration file, when there is one.
    file: Option<PathBuf>,
    /// What was read, in the order in which later ones win. Only these may name files of secrets.
    read: Arc<Vec<Layer>>,
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

/// What stays the same when the configuration is read again.
struct Layers {
    defaults: Vec<String>,
    sections: Vec<String>,
    preset: Option<String>,
}

impl Settings {
    /// Reads and merges all layers.
    ///
    /// # Errors
    /// [`ConfigError`] when a file cannot be read or parsed, or a section is unknown.
    pub fn load(sources: &Sources<'_>) -> Result<Self, ConfigError> {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let (defaults, sections) = (owned(sources.defaults), owned(sources.sections));
        Self::merge(Arc::new(Layers { defaults, sections, preset: sources.preset.clone() }), sources.file)
    }

    /// Reads and merges all layers once more, file, environment and secret files as they are now.
    ///
    /// # Errors
    /// As [`Settings::load`]; and when there was a file and it is gone: that is a slip, not a wish for the defaults.
    pub fn reload(&self) -> Result<Self, ConfigError> {
        Self::merge(self.layers.clone(), self.file.as_deref())
    }

    fn merge(layers: Arc<Layers>, file: Option<&Path>) -> Result<Self, ConfigError> {
        let file = existing_file(file)?;
        let env = Layer::read(&Env::prefixed(ENV_PREFIX).split("__"));
        let read = file.iter().map(|file| Layer::read(&Toml::file_exact(file))).chain([env]).collect();
        let settings = Self { layers, file, read: Arc::new(read) };
        settings.refuse_unknown_sections(&settings.layers.sections)?;
        Ok(settings)
    }

    /// Everything, with the names of files in place of secrets.
    fn without_secrets(&self) -> Figment {
        self.read.iter().fold(self.given(), Figment::merge)
    }

    /// What is not read from outside.
    fn given(&self) -> Figment {
        let texts = self.layers.defaults.iter().chain(&self.layers.preset);
        texts.fold(Figment::new(), |figment, text| figment.merge(Toml::string(text)))
    }

    /// The configuration file, when there is one.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// Every file whose change can change a value: the configuration file, or the place where it is looked for, and the files of
    /// secrets.
    pub fn files(&self) -> Vec<PathBuf> {
        let file = self.file.clone().unwrap_or_else(|| DEFAULT_FILE.into());
        std::iter::once(file).chain(self.read.iter().flat_map(Layer::files)).collect()
    }

    /// Reads one section, such as `kafka` or `sinks.email`, and the files of its secrets.
    ///
    /// # Errors
    /// [`ConfigError`] naming the key that is missing, unknown or malformed.
    pub fn section<T: DeserializeOwned>(&self, path: &str) -> Result<T, ConfigError> {
        let layers = self.read.iter().map(|layer| layer.with_secrets_of(path));
        let figment = layers.fold(self.given(), Figment::merge);
        figment.extract_inner(path).map_err(|error| ConfigError::from_figment(path, error))
    }

    /// The names below a section, such as those of all sinks.
    pub fn names(&self, section: &str) -> Vec<String> {
        let value = self.without_secrets().find_value(section).ok();
        value.and_then(|value| value.into_dict()).map(|dict| dict.into_keys().collect()).unwrap_or_default()
    }

    /// The folder of the configuration file, from which the files count that it names; without a file the working directory.
    pub fn folder(&self) -> &Path {
        self.file.as_deref().and_then(Path::parent).unwrap_or(Path::new(""))
    }

    fn refuse_unknown_sections(&self, known: &[String]) -> Result<(), ConfigError> {
        let data: figment::value::Dict =
            self.without_secrets().extract().map_err(|error| ConfigError::from_figment("", error))?;
        match data.keys().find(|name| !known.contains(name)) {
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
