//! Keys that end in `_file`: the file's content becomes the value of the key without that ending.

#![allow(clippy::result_large_err, reason = "figment's Provider trait asks for this error type")]

use std::cell::RefCell;
use std::path::PathBuf;

use figment::value::{Dict, Map, Value};
use figment::{Error, Metadata, Profile, Provider};

const ENDING: &str = "_file";

/// A layer whose `…_file` keys are replaced by what the files hold.
pub(super) struct SecretFiles<'a, P> {
    layer: P,
    /// Every file that was named, readable or not.
    named: &'a RefCell<Vec<PathBuf>>,
}

impl<'a, P> SecretFiles<'a, P> {
    /// The layer; the files that it names are added to the list.
    pub(super) fn of(layer: P, named: &'a RefCell<Vec<PathBuf>>) -> Self {
        Self { layer, named }
    }
}

impl<P: Provider> Provider for SecretFiles<'_, P> {
    fn metadata(&self) -> Metadata {
        self.layer.metadata()
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        let profiles = self.layer.data()?;
        let mut named = self.named.borrow_mut();
        profiles.into_iter().map(|(profile, dict)| Ok((profile, resolve(dict, &mut named)?))).collect()
    }
}

fn resolve(dict: Dict, named: &mut Vec<PathBuf>) -> Result<Dict, Error> {
    dict.into_iter().map(|entry| resolve_entry(entry, named)).collect()
}

fn resolve_entry((key, value): (String, Value), named: &mut Vec<PathBuf>) -> Result<(String, Value), Error> {
    match (key.strip_suffix(ENDING), value) {
        (Some(name), Value::String(tag, file)) if !name.is_empty() => {
            named.push(PathBuf::from(&file));
            let text = std::fs::read_to_string(&file).map_err(|error| {
                let kind = error.kind();
                Error::from(format!("the file {file} cannot be read: {kind}")).with_path(&key)
            })?;
            Ok((name.to_owned(), Value::String(tag, text.trim_end_matches(['\r', '\n']).to_owned())))
        }
        (_, Value::Dict(tag, inner)) => {
            let inner = resolve(inner, named).map_err(|error| prefixed(&key, error))?;
            Ok((key, Value::Dict(tag, inner)))
        }
        (_, value) => Ok((key, value)),
    }
}

fn prefixed(key: &str, mut error: Error) -> Error {
    error.path.insert(0, key.to_owned());
    error
}
