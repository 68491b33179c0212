//! From the bytes of a request body to a [`Lead`].
//!
//! The sender's format is loosely documented, so this takes anything that is a JSON object: names without regard to case,
//! every member optional, any type of value. What cannot be read as a field is kept, never refused. The only errors are
//! bodies that are not a JSON object at all. Grammar and sources: Microsoft, "Use an HTTPS endpoint to manage commercial
//! marketplace leads", and its FAQ.
//!
//! Which HTTP status an error becomes is decided in `ingest`.

mod composite;
mod fields;
mod mapped;
mod members;
mod scan;

pub use scan::MAX_DEPTH;

use serde_json::Value;

use crate::lead::Lead;
use crate::mapping::Mapping;

/// Why a body is not a lead. None of them repeats a byte of the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// The sender's fault: bytes that are not UTF-8 (RFC 8259 section 8.1).
    #[error("the body is not valid UTF-8")]
    NotUtf8,
    /// The sender's fault: no JSON, or JSON that ends too early or goes on too long.
    #[error("the body is not valid JSON (line {line}, column {column})")]
    NotJson {
        /// Line of the first wrong byte, from 1.
        line: usize,
        /// Column of the first wrong byte, from 1.
        column: usize,
    },
    /// The sender's fault: valid JSON of another type.
    #[error("the body is JSON but not an object")]
    NotAnObject,
    /// The sender's fault: objects and arrays nested deeper than [`MAX_DEPTH`].
    #[error("the body is nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
}

/// Reads a body as a lead. A UTF-8 byte order mark is ignored.
///
/// # Errors
/// [`ParseError`] when the body is not a JSON object.
pub fn lead(body: &[u8]) -> Result<Lead, ParseError> {
    let text = text(body)?;
    let text = scan::scan(text)?;
    let members = members::Members::parse(&text)?;
    Ok(fields::lead(members))
}

/// Reads the body of another sender by the places that a mapping names.
///
/// # Errors
/// [`ParseError`] when the body is not a JSON object.
pub fn mapped_lead(body: &[u8], mapping: &Mapping) -> Result<Lead, ParseError> {
    let text = scan::scan(text(body)?)?;
    Ok(mapped::lead(members::Members::parse(&text)?, mapping))
}

/// The whole body as a JSON object, for a check against a schema. Lone surrogates are repaired, and a number that is out of
/// range makes a text of the member that holds it.
///
/// # Errors
/// [`ParseError`] when the body is not a JSON object.
pub fn value(body: &[u8]) -> Result<Value, ParseError> {
    let text = scan::scan(text(body)?)?;
    let members = members::Members::parse(&text)?;
    Ok(members.0.into_iter().map(|(name, value)| (name, fields::any(value))).collect())
}

/// The body as text without a byte order mark: what the envelope keeps as `raw`.
///
/// # Errors
/// [`ParseError::NotUtf8`].
pub fn text(body: &[u8]) -> Result<&str, ParseError> {
    let text = std::str::from_utf8(body).map_err(|_| ParseError::NotUtf8)?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

#[cfg(test)]
mod tests;
