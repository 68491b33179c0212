//! One pass over the text before it is parsed: the depth limit, and the repair of lone surrogates.
//!
//! `\ud800` alone is allowed by the grammar of RFC 8259 but is no character, and parsers refuse it. A cut emoji is no reason
//! to lose a lead, so each becomes U+FFFD. Whether the text is JSON at all is the parser's to say.

use std::borrow::Cow;

use super::ParseError;

/// Deepest nesting of objects and arrays that is accepted.
pub const MAX_DEPTH: usize = 64;

/// Returns the text with lone surrogate escapes replaced; borrowed when there is none.
pub(super) fn scan(text: &str) -> Result<Cow<'_, str>, ParseError> {
    let bytes = text.as_bytes();
    let mut lone = Vec::new();
    let (mut at, mut depth, mut in_string) = (0, 0usize, false);
    while let Some(&byte) = bytes.get(at) {
        let mut step = 1;
        match (in_string, byte) {
            (true, b'\\') => {
                let escape = Escape::read(&bytes[at..]);
                if escape == Escape::Lone {
                    lone.push(at);
                }
                step = escape.length();
            }
            (_, b'"') => in_string = !in_string,
            (false, b'{' | b'[') => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return Err(ParseError::TooDeep);
                }
            }
            (false, b'}' | b']') => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += step;
    }
    Ok(replace(text, &lone))
}

/// An escape sequence, told apart by what has to happen with it.
#[derive(PartialEq)]
enum Escape {
    /// `\n`, `\"`, and everything else of two bytes.
    Short,
    /// `\uXXXX` that is a character.
    Unicode,
    /// Two `\uXXXX` that make one character.
    Pair,
    /// Half of such a pair.
    Lone,
}

impl Escape {
    fn read(rest: &[u8]) -> Self {
        match hex(rest) {
            None => Self::Short,
            Some(0xd800..=0xdbff) => match rest.get(6..).and_then(hex) {
                Some(0xdc00..=0xdfff) => Self::Pair,
                _ => Self::Lone,
            },
            Some(0xdc00..=0xdfff) => Self::Lone,
            Some(_) => Self::Unicode,
        }
    }

    fn length(&self) -> usize {
        match self {
            Self::Short => 2,
            Self::Unicode | Self::Lone => 6,
            Self::Pair => 12,
        }
    }
}

/// The value of `\uXXXX` at the start of `rest`.
fn hex(rest: &[u8]) -> Option<u32> {
    let digits = rest.strip_prefix(b"\\u")?.get(..4)?;
    let digits = std::str::from_utf8(digits).ok().filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()))?;
    u32::from_str_radix(digits, 16).ok()
}

fn replace<'a>(text: &'a str, lone: &[usize]) -> Cow<'a, str> {
    if lone.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut repaired = String::with_capacity(text.len());
    let mut from = 0;
    for &at in lone {
        repaired.push_str(&text[from..at]);
        repaired.push_str("\\ufffd");
        from = at + 6;
    }
    repaired.push_str(&text[from..]);
    Cow::Owned(repaired)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_counts_brackets_outside_strings_only() {
        let nested = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        assert!(scan(&nested(MAX_DEPTH)).is_ok());
        assert_eq!(scan(&nested(MAX_DEPTH + 1)), Err(ParseError::TooDeep));
        assert!(scan(&format!("\"{}\"", "[".repeat(100))).is_ok());
        assert!(scan(r#"{"a":"\"[[[","b":"\\"}"#).is_ok());
    }

    #[test]
    fn lone_surrogates_are_replaced_and_pairs_kept() {
        let fixed = scan(r#"["\ud83d\ude80","\ud83d","x\ude80y","\\ud83d"]"#).unwrap();
        assert_eq!(fixed, r#"["\ud83d\ude80","\ufffd","x\ufffdy","\\ud83d"]"#);
    }
}
