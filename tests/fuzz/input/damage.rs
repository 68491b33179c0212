//! What can happen to bytes on their way, whatever they mean.

use super::Chance;

const STRANGE: &[&[u8]] = &[
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"\xc0\x80",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
    b"\x00",
    b"\x1f",
    b"\x80",
    b"\r\n",
    b"\t \n",
    b"\"",
    b"\\",
    b"\\ud83d",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"null",
    b"//",
];

/// Damages bytes once or more; `other` is what they may be mixed with.
pub(crate) fn damage(bytes: &mut Vec<u8>, other: &[u8], chance: &mut Chance) {
    for _ in 0..=chance.length(6) {
        let (from, to) = range(bytes.len(), chance);
        match chance.below(9) {
            0 => bytes.truncate(from),
            1 => drop(bytes.drain(from..to)),
            2 => {
                let twin = bytes[from..to].to_vec();
                bytes.splice(from..from, twin);
            }
            3 => drop(bytes.splice(from..from, chance.pick(STRANGE).iter().copied())),
            4 => drop(bytes.splice(0..0, chance.pick(STRANGE).iter().copied())),
            5 => bytes.extend_from_slice(chance.pick(STRANGE)),
            6 => {
                let (start, end) = range(other.len(), chance);
                bytes.splice(from..to, other[start..end].iter().copied());
            }
            7 => *bytes = utf16(bytes),
            _ => bytes[from..].iter_mut().take(1).for_each(|byte| *byte = chance.byte()),
        }
    }
}

fn range(length: usize, chance: &mut Chance) -> (usize, usize) {
    let from = chance.below(length + 1);
    (from, from + chance.length(length - from))
}

/// As somebody's library would send it who has forgotten to say so.
fn utf16(bytes: &[u8]) -> Vec<u8> {
    String::from_utf8_lossy(bytes).encode_utf16().flat_map(u16::to_le_bytes).collect()
}
