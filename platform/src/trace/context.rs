//! The W3C trace context, <https://www.w3.org/TR/trace-context/>: which trace something belongs to, and which span it came from.
//! Pure: ids are made elsewhere by chance, here only from what is given or by [`TraceContext::random`].
//!
//! Only `traceparent` is kept. `tracestate` is free text of whoever sent it: it could carry a name or an address into every
//! record and every span, so it is neither read nor passed on, which the specification allows.

use std::fmt;
use std::num::{NonZeroU64, NonZeroU128};
use std::str::FromStr;

/// The version that is written.
const VERSION: u8 = 0;
/// The version that is never valid.
const FORBIDDEN: u8 = 0xff;
/// The only flag that version 00 knows.
const SAMPLED: u8 = 1;
/// Characters of version 00: version, trace id, span id, flags, and three dashes.
const LENGTH: usize = 2 + 1 + 32 + 1 + 16 + 1 + 2;

/// The identity of one span in its trace. Neither id can be zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TraceContext {
    /// The trace.
    pub trace_id: NonZeroU128,
    /// The span; to who receives it, the parent.
    pub span_id: NonZeroU64,
    /// Whether the spans of this trace are exported, as far as its sender knows.
    pub sampled: bool,
}

/// A text is no `traceparent`. Repeats nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no traceparent")]
pub struct Malformed;

impl TraceContext {
    /// A span that begins a trace of its own, which is not exported.
    pub fn random() -> Self {
        Self { trace_id: random_trace_id(), span_id: random_span_id(), sampled: false }
    }

    /// Another span of the same trace.
    #[must_use]
    pub fn child(self) -> Self {
        Self { span_id: random_span_id(), ..self }
    }
}

// An id of zero comes up once in 2^64 times; then it is 1.
fn random_trace_id() -> NonZeroU128 {
    NonZeroU128::new(rand::random()).unwrap_or(NonZeroU128::MIN)
}

fn random_span_id() -> NonZeroU64 {
    NonZeroU64::new(rand::random()).unwrap_or(NonZeroU64::MIN)
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{VERSION:02x}-{:032x}-{:016x}-{:02x}", self.trace_id, self.span_id, u8::from(self.sampled) * SAMPLED)
    }
}

impl FromStr for TraceContext {
    type Err = Malformed;

    /// Reads any version, as the specification wants it: what a later one adds behind the flags, and flags unknown here, are
    /// left aside.
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let known = text.get(..LENGTH).ok_or(Malformed)?;
        let [version, trace_id, span_id, flags] = fields(known).ok_or(Malformed)?;
        let whole = match u8::from_str_radix(version, 16).map_err(|_| Malformed)? {
            FORBIDDEN => false,
            VERSION => text.len() == LENGTH,
            _later => matches!(text.as_bytes().get(LENGTH), None | Some(b'-')),
        };
        if !whole {
            return Err(Malformed);
        }
        Ok(Self {
            trace_id: u128::from_str_radix(trace_id, 16).ok().and_then(NonZeroU128::new).ok_or(Malformed)?,
            span_id: u64::from_str_radix(span_id, 16).ok().and_then(NonZeroU64::new).ok_or(Malformed)?,
            sampled: u8::from_str_radix(flags, 16).map_err(|_| Malformed)? & SAMPLED != 0,
        })
    }
}

/// The four fields, each of its length and of lower-case hexadecimal digits only.
fn fields(text: &str) -> Option<[&str; 4]> {
    let mut fields = text.split('-');
    let all = [fields.next()?, fields.next()?, fields.next()?, fields.next()?];
    let lengths = all.map(str::len) == [2, 32, 16, 2];
    let hex = |field: &&str| field.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    (lengths && fields.next().is_none() && all.iter().all(hex)).then_some(all)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The example of the specification.
    const EXAMPLE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn example(sampled: bool) -> TraceContext {
        TraceContext {
            trace_id: NonZeroU128::new(0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736).unwrap(),
            span_id: NonZeroU64::new(0x00f0_67aa_0ba9_02b7).unwrap(),
            sampled,
        }
    }

    fn with(position: usize, replacement: &str) -> String {
        let mut text = EXAMPLE.to_owned();
        text.replace_range(position..position + replacement.len(), replacement);
        text
    }

    #[test]
    fn what_is_valid_is_read() {
        let later = |tail: &str| format!("cc{}{tail}", &EXAMPLE[2..]);
        for (text, sampled) in [
            (EXAMPLE.to_owned(), true),
            (with(53, "00"), false),
            // Flags that version 00 does not know.
            (with(53, "ff"), true),
            (with(53, "fe"), false),
            (with(53, "02"), false),
            // Later versions, with and without more behind the flags.
            (later(""), true),
            (later("-"), true),
            (later("-what-the-future-will-be-like"), true),
            (later("-ümläute"), true),
        ] {
            assert_eq!(text.parse(), Ok(example(sampled)), "{text}");
        }
    }

    #[test]
    fn what_is_not_valid_is_refused() {
        for text in [
            String::new(),
            "00".to_owned(),
            EXAMPLE[..LENGTH - 1].to_owned(),
            format!("{EXAMPLE}-"),
            format!("{EXAMPLE}-00"),
            format!("{EXAMPLE}0"),
            format!(" {EXAMPLE}"),
            format!("{EXAMPLE} "),
            format!("cc{}.future", &EXAMPLE[2..]),
            EXAMPLE.to_uppercase(),
            with(0, "ff"),
            with(0, "0x"),
            with(0, "+0"),
            with(2, "_"),
            with(3, "+"),
            with(3, "G"),
            with(35, "0"),
            with(36, " "),
            with(52, "0"),
            with(53, "0-"),
            with(53, "-1"),
            with(53, "0A"),
            with(3, &"0".repeat(32)),
            with(36, &"0".repeat(16)),
            // As long in bytes, but not in characters.
            with(3, "ü"),
            EXAMPLE.replace('-', ""),
        ] {
            assert_eq!(text.parse::<TraceContext>(), Err(Malformed), "{text}");
        }
    }

    #[test]
    fn it_is_written_as_the_specification_has_it() {
        assert_eq!(example(true).to_string(), EXAMPLE);
        assert_eq!(example(false).to_string(), with(53, "00"));
        let smallest = TraceContext { trace_id: NonZeroU128::MIN, span_id: NonZeroU64::MIN, sampled: false };
        assert_eq!(smallest.to_string(), "00-00000000000000000000000000000001-0000000000000001-00");
    }

    #[test]
    fn a_child_has_the_trace_and_an_id_of_its_own() {
        let child = example(true).child();
        assert_eq!((child.trace_id, child.sampled), (example(true).trace_id, true));
        assert_ne!(child.span_id, example(true).span_id);
        let (one, other) = (TraceContext::random(), TraceContext::random());
        assert_ne!((one.trace_id, one.span_id), (other.trace_id, other.span_id));
        assert!(!one.sampled);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(trace_id in 1..=u128::MAX, span_id in 1..=u64::MAX, sampled: bool) {
            let (trace_id, span_id) = (NonZeroU128::new(trace_id).unwrap(), NonZeroU64::new(span_id).unwrap());
            let context = TraceContext { trace_id, span_id, sampled };
            prop_assert_eq!(context.to_string().parse(), Ok(context));
        }

        #[test]
        fn no_text_is_read_as_what_it_does_not_say(text in "[0-9a-g]{2}-[0-9a-f]{31,33}-[0-9a-f]{16}-[0-9a-f]{2}(-?[ -~ü]{0,4})") {
            if let Ok(context) = text.parse::<TraceContext>() {
                // All but version, unknown flags and what follows.
                prop_assert_eq!(&context.to_string()[2..53], &text[2..53]);
            }
        }

        #[test]
        fn any_text_is_read_or_refused(text in any::<String>()) {
            let _ = text.parse::<TraceContext>();
        }
    }
}
