//! A refused configuration as one sentence: where, which key, what is wrong.
//!
//! Values are not repeated: the key may be a secret.

use std::path::Path;

use figment::error::Kind;

/// Why the configuration was refused. Its text is one sentence for the operator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(String);

impl ConfigError {
    /// A value that parsed but makes no sense; `key` is its full path.
    pub fn invalid(key: &str, why: impl std::fmt::Display) -> Self {
        Self(format!("`{key}`: {why}"))
    }

    pub(super) fn no_file(file: &Path) -> Self {
        Self(format!("the configuration file {} does not exist", file.display()))
    }

    pub(super) fn unknown(section: &str, known: &[String]) -> Self {
        Self(format!("unknown section `{section}` in the configuration; there are: {}", known.join(", ")))
    }

    pub(super) fn from_figment(section: &str, error: figment::Error) -> Self {
        let origin = error.metadata.as_ref().map(origin).unwrap_or_default();
        let mut path: Vec<String> = section.split('.').filter(|part| !part.is_empty()).map(str::to_owned).collect();
        // figment puts the path of the section behind the path inside it.
        let inner = error.path.strip_suffix(path.as_slice()).unwrap_or(&error.path);
        path.extend(inner.iter().cloned());
        let (field, why) = reason(&error.kind);
        match full_name(&path.join("."), field) {
            key if key.is_empty() => Self(format!("{origin}{why}")),
            key => Self(format!("{origin}`{key}`: {why}")),
        }
    }
}

/// The whole name of a key. The path of an unknown key holds it already, that of a missing one does not.
fn full_name(path: &str, field: Option<String>) -> String {
    match field {
        Some(field) if path.rsplit('.').next() != Some(field.as_str()) => format!("{path}.{field}"),
        Some(_) | None => path.to_owned(),
    }
}

/// The field that an error names beyond its path, and what is wrong.
fn reason(kind: &Kind) -> (Option<String>, String) {
    match kind {
        Kind::UnknownField(field, known) => {
            let field = field.clone();
            (Some(field), format!("unknown key; there are: {}", known.join(", ")))
        }
        Kind::MissingField(field) => (Some(field.to_string()), "this key is missing".to_owned()),
        Kind::InvalidType(_, wanted) | Kind::InvalidValue(_, wanted) => (None, format!("expected {wanted}")),
        Kind::UnknownVariant(_, known) => (None, format!("expected one of: {}", known.join(", "))),
        Kind::Message(text) => (None, without_source(text)),
        Kind::InvalidLength(..)
        | Kind::DuplicateField(_)
        | Kind::ISizeOutOfRange(_)
        | Kind::USizeOutOfRange(_)
        | Kind::Unsupported(_)
        | Kind::UnsupportedKey(..) => (None, kind.to_string()),
    }
}

/// A message without the line of the file that a syntax error quotes: it may hold a secret, and a log line is one line.
fn without_source(text: &str) -> String {
    let quotes = |line: &&str| line.trim_start().trim_start_matches(|c: char| c.is_ascii_digit()).trim_start().starts_with('|');
    let told: Vec<&str> = text.lines().filter(|line| !quotes(line)).map(str::trim).filter(|line| !line.is_empty()).collect();
    told.join(": ")
}

fn origin(metadata: &figment::Metadata) -> String {
    match &metadata.source {
        Some(figment::Source::File(file)) => format!("{}: ", file.display()),
        _ if metadata.name.contains("environment") => "environment: ".to_owned(),
        _ => String::new(),
    }
}
