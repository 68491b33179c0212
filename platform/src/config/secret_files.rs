//! Keys that end in `_file`: the file's content becomes the value of the key without that ending.
//!
//! A file is read when its section is, never before: a process that has no business with a secret does not even open its file.

#![allow(clippy::result_large_err, reason = "figment's Provider trait asks for this error type")]

use std::path::PathBuf;

use figment::value::{Dict, Map, Value};
use figment::{Error, Metadata, Profile, Provider};

const ENDING: &str = "_file";

/// A layer as it was read once.
#[derive(Clone)]
pub(super) struct Layer {
    metadata: Metadata,
    data: Result<Map<Profile, Dict>, Error>,
}

impl Layer {
    pub(super) fn read(provider: &impl Provider) -> Self {
        Self { metadata: provider.metadata(), data: provider.data() }
    }

    /// Every file that it names, readable or not.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        self.data.iter().flat_map(Map::values).flat_map(named).collect()
    }

    /// The layer with the secrets of one section, such as `kafka` or `sinks.email`.
    pub(super) fn with_secrets_of<'a>(&'a self, section: &'a str) -> impl Provider + 'a {
        WithSecrets { layer: self, section }
    }
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        self.metadata.clone()
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        self.data.clone()
    }
}

/// A layer whose `…_file` keys below a section are replaced by what the files hold.
struct WithSecrets<'a> {
    layer: &'a Layer,
    section: &'a str,
}

impl Provider for WithSecrets<'_> {
    fn metadata(&self) -> Metadata {
        self.layer.metadata()
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        let profiles = self.layer.data()?;
        profiles.into_iter().map(|(profile, dict)| Ok((profile, resolve_below(dict, self.section)?))).collect()
    }
}

/// The names of files that stand in a dictionary, however deep.
fn named(dict: &Dict) -> Vec<PathBuf> {
    let named_by = |(key, value): (&String, &Value)| match value {
        Value::String(_, file) if is_file_key(key) => vec![PathBuf::from(file)],
        Value::Dict(_, inner) => named(inner),
        Value::String(..) | Value::Char(..) | Value::Bool(..) | Value::Num(..) | Value::Empty(..) | Value::Array(..) => vec![],
    };
    dict.iter().flat_map(named_by).collect()
}

fn is_file_key(key: &str) -> bool {
    key.strip_suffix(ENDING).is_some_and(|name| !name.is_empty())
}

/// Errors name the key from the section on.
fn resolve_below(mut dict: Dict, section: &str) -> Result<Dict, Error> {
    let (name, rest) = section.split_once('.').map_or((section, None), |(name, rest)| (name, Some(rest)));
    // A section that is one key, such as a secret by itself.
    if rest.is_none()
        && let Some((key, value)) = dict.remove_entry(&format!("{name}{ENDING}"))
    {
        let (key, value) = resolve_entry((key, value))?;
        dict.insert(key, value);
    }
    if let Some((key, value)) = dict.remove_entry(name) {
        let value = match (value, rest) {
            (Value::Dict(tag, inner), Some(rest)) => Value::Dict(tag, resolve_below(inner, rest)?),
            (Value::Dict(tag, inner), None) => Value::Dict(tag, resolve(inner)?),
            (value, _) => value,
        };
        dict.insert(key, value);
    }
    Ok(dict)
}

fn resolve(dict: Dict) -> Result<Dict, Error> {
    dict.into_iter().map(resolve_entry).collect()
}

fn resolve_entry((key, value): (String, Value)) -> Result<(String, Value), Error> {
    match (key.strip_suffix(ENDING), value) {
        (Some(name), Value::String(tag, file)) if !name.is_empty() => {
            let text = std::fs::read_to_string(&file).map_err(|error| {
                let kind = error.kind();
                Error::from(format!("the file {file} cannot be read: {kind}")).with_path(&key)
            })?;
            Ok((name.to_owned(), Value::String(tag, text.trim_end_matches(['\r', '\n']).to_owned())))
        }
        (_, Value::Dict(tag, inner)) => {
            let inner = resolve(inner).map_err(|error| prefixed(&key, error))?;
            Ok((key, Value::Dict(tag, inner)))
        }
        (_, value) => Ok((key, value)),
    }
}

fn prefixed(key: &str, mut error: Error) -> Error {
    error.path.insert(0, key.to_owned());
    error
}
