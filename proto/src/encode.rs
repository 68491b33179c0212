//! Writing a value as JSON into memory that is taken at once. A text that grows from nothing is copied again and again, which was
//! 4 % of a worker's time (measured).

use serde::Serialize;

/// The JSON of a value that takes about so many bytes.
///
/// # Errors
/// When the value has no JSON.
pub(crate) fn json(value: &impl Serialize, about: usize) -> serde_json::Result<Vec<u8>> {
    let mut text = Vec::with_capacity(about);
    serde_json::to_writer(&mut text, value)?;
    Ok(text)
}
