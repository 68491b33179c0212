//! Bodies that are no leads.

use super::*;

#[test]
fn what_is_no_json() {
    let cases = [
        ("", (1, 0)),
        ("  \n ", (2, 1)),
        ("FirstName=Ann&Email=ann@x.example", (1, 1)),
        (r#"{"Email":"ann@x.example""#, (1, 24)),
        (r#"{"Email":"ann@x.exa"#, (1, 19)),
        (r#"["ann@x.example","#, (1, 17)),
        ("{}\n{}", (2, 1)),
        (r#"{"Email":'ann@x.example'}"#, (1, 10)),
        (r#"{"Email":"ann@x.example",}"#, (1, 26)),
        ("{\"Email\":\"ann@x.example\n\"}", (1, 23)),
        (r#"{"Email":"\x"}"#, (1, 12)),
        (r#"{"Phone":0123}"#, (1, 11)),
    ];
    for (body, (line, column)) in cases {
        let error = refused(body);
        assert_eq!(error, ParseError::NotJson { line, column }, "{body}");
        assert!(!error.to_string().contains("ann"), "{error}");
    }
}

#[test]
fn every_cut_of_a_body() {
    let end = SAMPLE.iter().rposition(|&byte| byte == b'}').unwrap();
    for cut in 0..end {
        assert!(matches!(refused(&SAMPLE[..cut]), ParseError::NotJson { .. }), "{cut}");
    }
}

#[test]
fn json_of_another_type() {
    for body in [r#"[{"ActionCode":"INS"}]"#, r#""{}""#, "7", "true", "null", " [] "] {
        assert_eq!(refused(body), ParseError::NotAnObject, "{body}");
    }
}

#[test]
fn bytes_that_are_no_utf8() {
    assert_eq!(refused(b"{\"ActionCode\":\"\xff\"}"), ParseError::NotUtf8);
    assert_eq!(refused([&b"\xff\xfe"[..], b"{\0}\0"].concat()), ParseError::NotUtf8, "UTF-16");
    assert_eq!(refused(b"{\"ActionCode\":\"\xed\xa0\x80\"}"), ParseError::NotUtf8, "a surrogate written as bytes");
}

#[test]
fn deeper_than_the_limit() {
    // Every body is one level itself, and `UserDetails` another.
    let nested = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
    for (head, tail, own) in
        [(r#"{"X":"#, "}", 1), (r#"{"UserDetails":{"Company":"#, "}}", 2), (r#"{"userdetails":{"X":"#, "}}", 2)]
    {
        let body = |levels: usize| format!("{head}{}{tail}", nested(levels - own));
        assert!(super::super::lead(body(MAX_DEPTH).as_bytes()).is_ok(), "{head}");
        assert_eq!(refused(body(MAX_DEPTH + 1)), ParseError::TooDeep, "{head}");
    }
    assert_eq!(refused("[".repeat(1_000_000)), ParseError::TooDeep);
}
