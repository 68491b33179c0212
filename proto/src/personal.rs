//! Text about a person that cannot reach a log by accident.
//!
//! Every free text of a lead is a [`Personal`]: `Debug` and `Display` never show it, and reading it takes the explicit
//! [`Personal::expose`]. Secrets of the operator (tokens, passwords) are `secrecy` types and do not belong here.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A non-empty text from a lead. Serialises as the plain text; prints as its length only.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(extend("minLength" = 1))]
pub struct Personal(String);

impl Personal {
    /// Wraps a single-line value: control characters (CR and LF among them) become spaces, runs of white space one space,
    /// and both ends are trimmed. `None` when nothing is left.
    pub fn line(text: &str) -> Option<Self> {
        let mut line = String::with_capacity(text.len());
        for word in text.split(is_space).filter(|word| !word.is_empty()) {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        Self::non_empty(line)
    }

    /// Whether nothing is left of a text as a line.
    pub fn is_blank(text: &str) -> bool {
        text.chars().all(is_space)
    }

    /// Wraps a text of several lines: line ends become `\n`, other control characters except the tab are removed, both ends
    /// are trimmed. `None` when nothing is left.
    pub fn paragraph(text: &str) -> Option<Self> {
        let stays = |c: char| !c.is_control() || matches!(c, '\n' | '\t');
        if text.chars().all(stays) {
            return Self::non_empty(text.trim().to_owned());
        }
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        let kept: String = text.chars().filter(|c| stays(*c)).collect();
        Self::non_empty(kept.trim().to_owned())
    }

    /// Wraps a text exactly as it stands, such as a raw body. `None` when it is empty.
    pub fn verbatim(text: impl Into<String>) -> Option<Self> {
        Self::non_empty(text.into())
    }

    fn non_empty(text: String) -> Option<Self> {
        (!text.is_empty()).then_some(Self(text))
    }

    /// The text itself. Only for what is delivered to a sink or published to Kafka, never for logs, metrics or errors.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

fn is_space(c: char) -> bool {
    c.is_control() || c.is_whitespace()
}

impl fmt::Debug for Personal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<personal, {} characters>", self.0.chars().count())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_text() {
        let name = Personal::line("Åsa").unwrap();
        assert_eq!(format!("{name:?}"), "<personal, 3 characters>");
    }

    #[test]
    fn a_line_cannot_break_out_of_its_line() {
        let name = Personal::line(" Ann\r\nBcc: x@y.example\u{0}\t ").unwrap();
        assert_eq!(name.expose(), "Ann Bcc: x@y.example");
        assert_eq!(Personal::line("\r\n \u{0}"), None);
    }

    #[test]
    fn a_paragraph_keeps_its_lines_and_loses_other_controls() {
        let text = Personal::paragraph("one\r\ntwo\rthree\u{0}\u{7}\tfour\n").unwrap();
        assert_eq!(text.expose(), "one\ntwo\nthree\tfour");
    }
}
