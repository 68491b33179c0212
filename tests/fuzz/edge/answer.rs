//! Whether bytes are an HTTP/1.1 answer, by a reader of its own: one from a library would forgive too much.

/// An answer as it came.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// Names in lower case.
    headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

/// The first answer of some bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// With how many bytes it has.
    Whole(Answer, usize),
    /// More must come.
    Part,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Whether the connection ends with it.
    pub(super) fn closes(&self) -> bool {
        self.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }
}

/// Reads the first answer. One to `HEAD` has no body, whatever its length says.
pub(super) fn read(bytes: &[u8], to_head: bool) -> Result<Read, String> {
    let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
        return if bytes.len() > 8 * 1024 { Err("an answer's head does not end".to_owned()) } else { Ok(Read::Part) };
    };
    let head = std::str::from_utf8(&bytes[..end]).map_err(|_| "an answer's head is no text")?;
    let mut lines = head.split("\r\n");
    let status = status(lines.next().unwrap_or_default())?;
    let headers = lines.map(header).collect::<Result<Vec<_>, _>>()?;
    let mut answer = Answer { status, headers, body: Vec::new() };
    let length = if to_head || status < 200 { 0 } else { length(&answer)? };
    let rest = &bytes[end + 4..];
    if rest.len() < length {
        return Ok(Read::Part);
    }
    answer.body = rest[..length].to_vec();
    Ok(Read::Whole(answer, end + 4 + length))
}

/// All answers that are whole, and what is left of the bytes. Interim ones are left out. With `may_be_to_head` an answer whose
/// body is not there, as another one or the end follows, is taken for one to `HEAD`.
pub(super) fn all(bytes: &[u8], may_be_to_head: bool) -> Result<(Vec<Answer>, &[u8]), String> {
    let (mut answers, mut rest) = (Vec::new(), bytes);
    loop {
        let after_head = rest.windows(4).position(|window| window == b"\r\n\r\n").map_or(rest, |end| &rest[end + 4..]);
        let bodiless = may_be_to_head && (after_head.is_empty() || after_head.starts_with(b"HTTP/1."));
        let Read::Whole(answer, used) = read(rest, bodiless)? else { return Ok((answers, rest)) };
        rest = &rest[used..];
        answers.extend(Some(answer).filter(|answer| answer.status >= 200));
    }
}

fn status(line: &str) -> Result<u16, String> {
    let rest = line.strip_prefix("HTTP/1.1 ").or_else(|| line.strip_prefix("HTTP/1.0 "));
    let digits = rest.and_then(|rest| rest.get(..3)).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
    let reason = rest.and_then(|rest| rest.get(3..)).is_some_and(|reason| reason.starts_with(' '));
    digits.filter(|_| reason).and_then(|digits| digits.parse().ok()).ok_or(format!("no status line, but {line:?}"))
}

fn header(line: &str) -> Result<(String, String), String> {
    let plain = |c: char| !c.is_control();
    let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    let parts =
        line.split_once(':').filter(|(name, value)| !name.is_empty() && name.chars().all(token) && value.chars().all(plain));
    parts.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).ok_or(format!("no header, but {line:?}"))
}

fn length(answer: &Answer) -> Result<usize, String> {
    let mut lengths = answer.headers.iter().filter(|(name, _)| name == "content-length");
    let only = lengths.next().filter(|_| lengths.next().is_none());
    only.and_then(|(_, value)| value.parse().ok()).ok_or(format!("an answer of {} does not tell its length", answer.status))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_ends_where_it_says() {
        let text = b"HTTP/1.1 202 Accepted\r\ncontent-length: 2\r\nX-A: b\r\n\r\n{}HTTP/1.1";
        let Ok(Read::Whole(answer, used)) = read(text, false) else { panic!("it is whole") };
        assert_eq!((answer.status, answer.header("x-a"), &answer.body[..], used), (202, Some("b"), &b"{}"[..], 54));
        assert_eq!(read(&text[..53], false), Ok(Read::Part));
        assert_eq!(read(&text[..30], false), Ok(Read::Part));
        assert!(matches!(read(text, true), Ok(Read::Whole(_, 52))));
    }

    #[test]
    fn answers_in_a_row_are_told_apart() {
        let (interim, first) = ("HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 405 No\r\ncontent-length: 9\r\n\r\n");
        let second = "HTTP/1.1 202 Accepted\r\ncontent-length: 2\r\n\r\n{}";
        let text = [interim, first, second, "HTTP"].concat();
        let (answers, rest) = all(text.as_bytes(), true).unwrap();
        assert_eq!((answers.iter().map(|answer| answer.status).collect::<Vec<_>>(), rest), (vec![405, 202], &b"HTTP"[..]));
        // Without a `HEAD` the beginning of the next answer would be a body.
        assert!(all(text.as_bytes(), false).is_err());
    }

    #[test]
    fn what_is_no_answer_is_told() {
        for bad in [
            &b"HTTP/1.1 20 OK\r\ncontent-length: 0\r\n\r\n"[..],
            b"HTTP/1.1 2000\r\ncontent-length: 0\r\n\r\n",
            b"HTTP/2 200 OK\r\ncontent-length: 0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\n\r\n",
            b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 1\r\n\r\nx",
            b"HTTP/1.1 200 OK\r\na b: c\r\ncontent-length: 0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\na: b\nc\r\ncontent-length: 0\r\n\r\n",
            b"{\"lead_id\":1}\r\n\r\n",
        ] {
            assert!(read(bad, false).is_err(), "{}", String::from_utf8_lossy(bad));
        }
    }
}
