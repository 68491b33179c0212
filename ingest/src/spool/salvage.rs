//! Finds entries in a file that the store does not open any more.
//!
//! Every entry is whole in one run of bytes, with a mark and a checksum, so the file need not be understood. One that was removed
//! before may be found, too: its lead is published once more, under the same id, and marked as such.

use super::entry::{Entry, MAGIC};

/// All whole entries in `file`, in the order of the time at which they were written, each once.
pub(super) fn entries(file: &[u8]) -> Vec<Entry> {
    let mut found = Vec::new();
    let mut rest = file;
    while let Some(at) = find(rest) {
        rest = &rest[at..];
        match Entry::decode(rest) {
            Ok(entry) => found.push(entry),
            Err(_) => rest = &rest[MAGIC.len()..],
        }
        rest = rest.get(1..).unwrap_or_default();
    }
    found.sort_by_key(|entry| entry.spooled_at);
    // A page that was written anew leaves its old copy behind.
    let mut seen = std::collections::HashSet::new();
    found.retain(|entry| seen.insert(entry.encode()));
    found
}

fn find(bytes: &[u8]) -> Option<usize> {
    bytes.windows(MAGIC.len()).position(|window| window == MAGIC)
}

#[cfg(test)]
mod tests {
    use super::super::entry::tests::entry;
    use super::*;

    #[test]
    fn whole_entries_are_found_among_rubbish_once_and_in_order() {
        let mut late = entry("late", "2");
        late.spooled_at = jiff::Timestamp::MAX;
        let late = late.encode();
        let (early, mut broken) = (entry("early", "1").encode(), entry("broken", "3").encode());
        broken[20] ^= 1;
        let file = [MAGIC.as_slice(), b"rubbish", &late, &broken, &early, b"LEADSPL", &late, &early[..30]].concat();
        let keys: Vec<_> = entries(&file).into_iter().map(|entry| entry.key).collect();
        assert_eq!(keys, ["early", "late"]);
    }

    #[test]
    fn nothing_is_found_in_nothing() {
        assert!(entries(b"").is_empty());
        assert!(entries(MAGIC).is_empty());
    }
}
