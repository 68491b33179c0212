//! Keys that end in `_file`: the file's content becomes the value of the key without that ending.

#![allow(clippy::result_large_err, reason = "figment's Provider trait asks for this error type")]

use figment::value::{Dict, Map, Value};
use figment::{Error, Metadata, Profile, Provider};

const ENDING: &str = "_file";

/// A layer whose `…_file` keys are replaced by what the files hold.
pub(super) struct SecretFiles<P>(pub(super) P);

impl<P: Provider> Provider for SecretFiles<P> {
    fn metadata(&self) -> Metadata {
        self.0.metadata()
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        let profiles = self.0.data()?;
        profiles.into_iter().map(|(profile, dict)| Ok((profile, resolve(dict)?))).collect()
    }
}

fn resolve(dict: Dict) -> Result<Dict, Error> {
    dict.into_iter().map(entry).collect()
}

fn entry((key, value): (String, Value)) -> Result<(String, Value), Error> {
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
