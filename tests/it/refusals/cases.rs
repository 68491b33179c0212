//! The inputs: what a sender may do wrong or oddly, and which status each must get. What else it gets is in the table.

use leadline_tests::fixtures;
use serde_json::json;

use crate::support::http::{Body, Request};

/// The limit of the default configuration.
const LIMIT: usize = 64 * 1024;

/// One input.
pub(crate) struct Case {
    pub(crate) what: &'static str,
    pub(crate) status: u16,
    /// Whether it is no request, so that the HTTP library answers it, without a body.
    pub(crate) unreadable: bool,
    pub(crate) request: Request,
}

/// The endpoint that everything is posted to.
pub(crate) struct Site<'a> {
    pub(crate) endpoint: &'a str,
    pub(crate) token: &'a str,
}

impl Site<'_> {
    /// All inputs in the order of the table.
    pub(crate) fn cases(&self) -> Vec<Case> {
        [
            self.unreadable(),
            self.no_lead(),
            self.bad_keys(),
            self.not_allowed_in(),
            self.not_there(),
            self.slow_or_too_large(),
            self.other_media_types(),
            self.odd_requests(),
            self.odd_leads(),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// 400 and 431 before anything is known of the request.
    fn unreadable(&self) -> Vec<Case> {
        let header = |what, status, name, value: String| self.case(what, status, sample()).header(name, value);
        let many = self.case("a head of 100 fields", 431, sample());
        let cases = [
            self.case("a blank in the path", 400, sample()).target(format!("{}/Augustina Ada", self.path())),
            self.case("a target of 65 KiB", 400, sample()).target(format!("{}?{}", self.path(), "a".repeat(65 * 1024))),
            header("two lengths", 400, "content-length", "7".to_owned()),
            header("two ways to tell the length", 400, "transfer-encoding", "chunked".to_owned()),
            header("a transfer coding that nobody knows", 400, "transfer-encoding", "augustina".to_owned()),
            (0..100).fold(many, |case, _| case.header("x-augustina", "Ada".to_owned())),
            header("a head of 130 KiB", 431, "x-augustina", "a".repeat(130 * 1024)),
        ];
        cases.into_iter().map(|case| Case { unreadable: true, ..case }).collect()
    }

    /// 400
    fn no_lead(&self) -> Vec<Case> {
        let sample = fixtures::lead("sample");
        let text = String::from_utf8(sample.clone()).unwrap();
        let printed = String::from_utf8(fixtures::lead("validate-button")).unwrap();
        let bodies: Vec<(&str, Vec<u8>)> = vec![
            ("an empty body", vec![]),
            ("white space only", b" \r\n ".to_vec()),
            ("a form instead of JSON", b"FirstName=Augustina&Email=augustina@contoso.example".to_vec()),
            ("XML", b"<Lead><FirstName>Augustina</FirstName></Lead>".to_vec()),
            ("a JSON array", [b"[", &sample[..], b"]"].concat()),
            ("a JSON string", serde_json::to_vec(&text).unwrap()),
            ("a JSON number", b"16175555555".to_vec()),
            ("`null`", b"null".to_vec()),
            ("`true`", b"true".to_vec()),
            ("a lead cut off half-way", sample[..sample.len() / 2].to_vec()),
            ("a lead with something behind it", [&sample[..], b" trailing"].concat()),
            ("two leads in one body", [&sample[..], &sample[..]].concat()),
            (
                "Microsoft's test lead as its page prints it: a comma is missing",
                printed.replace("Contoso Test\",", "Contoso Test\"").into(),
            ),
            ("bytes that are not UTF-8", b"{\"Description\":\"caf\xe9 Augustina\"}".to_vec()),
            ("UTF-16", "\u{feff}{}".encode_utf16().flat_map(u16::to_le_bytes).collect()),
            ("nested 65 deep", nested(65)),
        ];
        bodies.into_iter().map(|(what, body)| self.case(what, 400, body)).collect()
    }

    /// 400 for what the sender calls its lead.
    fn bad_keys(&self) -> Vec<Case> {
        let keys = [
            ("an empty `Idempotency-Key`", String::new()),
            ("an `Idempotency-Key` with a space in it", "Augustina Ada".to_owned()),
            ("an `Idempotency-Key` of 256 characters", "Augustina".repeat(29)[..256].to_owned()),
        ];
        let case = |(what, key)| self.case(what, 400, sample()).header("idempotency-key", key);
        let twice = self.case("two `Idempotency-Key` headers", 400, sample());
        let twice = twice.header("idempotency-key", "Augustina".to_owned()).header("idempotency-key", "Augustina".to_owned());
        keys.into_iter().map(case).chain([twice]).collect()
    }

    /// 401
    fn not_allowed_in(&self) -> Vec<Case> {
        let path = self.path();
        let wrong_case = self.token.to_uppercase();
        let mut cases: Vec<Case> = [
            ("no token", path.clone()),
            ("an empty token", format!("{path}?sig=")),
            ("a wrong token", format!("{path}?sig=Augustina-guessed")),
            ("the token in the wrong case", format!("{path}?sig={wrong_case}")),
            ("`sig` given twice", format!("{path}?sig={0}&sig={0}", self.token)),
            ("the token under another name", format!("{path}?token={}", self.token)),
        ]
        .into_iter()
        .map(|(what, target)| self.case(what, 401, sample()).target(target))
        .collect();
        let basic = || self.case("the token as the password of Basic authentication", 401, sample()).target(path.clone());
        cases.push(basic().header("authorization", "Basic QXVndXN0aW5hOmd1ZXNzZWQ=".to_owned()));
        let both = self.case("a wrong bearer token beside the right `sig`", 401, sample());
        cases.push(both.header("authorization", "Bearer Augustina-guessed".to_owned()));
        cases
    }

    /// 404 and 405
    fn not_there(&self) -> Vec<Case> {
        let sig = format!("?sig={}", self.token);
        let missing = [
            ("an endpoint that does not exist", format!("/v1/leads/augustina{sig}")),
            ("a name that no endpoint can have", format!("/v1/leads/Augustina%20Offer{sig}")),
            (
                "the endpoint in the wrong case",
                format!("{}{sig}", self.path().to_uppercase().replace("/V1/LEADS", "/v1/leads")),
            ),
            ("a slash behind the endpoint", format!("{}/{sig}", self.path())),
            ("another path", format!("/augustina{sig}")),
        ];
        let missing = missing.into_iter().map(|(what, target)| self.case(what, 404, sample()).target(target));
        let methods = ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"];
        missing.chain(methods.map(|method| self.case(method, 405, vec![]).method(method))).collect()
    }

    /// 408 and 413
    fn slow_or_too_large(&self) -> Vec<Case> {
        let big = padded(LIMIT + 1);
        vec![
            self.case("a body that stops half-way", 408, vec![]).body(Body::Half(sample())),
            self.case("one byte more than the limit", 413, big.clone()),
            self.case("the same without its length in the head", 413, vec![]).body(Body::Chunked(big)),
            self.case("ten times the limit", 413, padded(10 * LIMIT)),
            self.case("60,000 backslashes in an array for `Company`: its record would be too large", 413, backslashes(60_000)),
        ]
    }

    /// 415
    fn other_media_types(&self) -> Vec<Case> {
        let types = [
            "text/plain",
            "application/xml",
            "multipart/form-data; boundary=x",
            "application/x-www-form-urlencoded",
            "application/jsonp",
        ];
        types.map(|media| self.case(media, 415, sample()).header("content-type", media.to_owned())).into()
    }

    /// 202 for the way it was sent.
    fn odd_requests(&self) -> Vec<Case> {
        let media = |media: &str| media.to_owned();
        vec![
            self.case("no media type", 202, person(1)),
            self.case("an empty media type", 202, person(2)).header("content-type", media("")),
            self.case("`charset=utf-8`", 202, person(3)).header("content-type", media("application/json; charset=utf-8")),
            self.case("`APPLICATION/JSON`", 202, person(4)).header("content-type", media("APPLICATION/JSON")),
            self.case("the token as a bearer token", 202, person(5))
                .target(self.path())
                .header("authorization", format!("bearer {}", self.token)),
            self.case("no length in the head", 202, vec![]).body(Body::Chunked(person(6))),
            self.case("exactly as large as the limit", 202, padded(LIMIT)),
            self.case("`Expect: 100-continue`", 202, person(10)).header("expect", "100-continue".to_owned()),
            self.case("`Expect` of something else", 202, person(11)).header("expect", "202-accepted".to_owned()),
            self.case("an offer of HTTP/2", 202, person(12))
                .header("connection", "Upgrade, HTTP2-Settings".to_owned())
                .header("upgrade", "h2c".to_owned())
                .header("http2-settings", "AAMAAABkAAQAoAAAAAIAAAAA".to_owned()),
            self.case("a byte order mark", 202, ["\u{feff}".as_bytes(), &person(7)].concat()),
            self.case("an `Idempotency-Key`", 202, person(9)).header("idempotency-key", "\"Augustina-1\"".to_owned()),
            self.case("other parameters beside `sig`", 202, person(8)).target(format!(
                "{}?a=1&sig={}&b",
                self.path(),
                self.token
            )),
        ]
    }

    /// 202 for what is in it.
    fn odd_leads(&self) -> Vec<Case> {
        let odd: Vec<(&str, String)> = vec![
            ("an empty object", "{}".to_owned()),
            ("unknown members only", json!({"Augusta": {"Ada": [1, 2]}, "n": 1e99}).to_string()),
            (
                "names in lower case",
                json!({"userdetails": {"firstname": "Augustina", "email": "lower@contoso.example"}}).to_string(),
            ),
            (
                "names in upper case",
                json!({"USERDETAILS": {"FIRSTNAME": "Augustina", "EMAIL": "upper@contoso.example"}}).to_string(),
            ),
            ("a number for `Phone`", json!({"UserDetails": {"Phone": 16175555555_u64}}).to_string()),
            ("an array for `Company`", json!({"UserDetails": {"Company": ["Contoso", "Fabrikam"]}}).to_string()),
            ("an object for `FirstName`", json!({"UserDetails": {"FirstName": {"given": "Augustina"}}}).to_string()),
            ("a boolean for `Title`", json!({"UserDetails": {"Title": true}}).to_string()),
            ("`null` for `Email`", json!({"UserDetails": {"LastName": "Augustina", "Email": null}}).to_string()),
            ("a text for `UserDetails`", json!({"UserDetails": "Augustina"}).to_string()),
            ("no e-mail address for `Email`", json!({"UserDetails": {"Email": "Augustina at Contoso"}}).to_string()),
            ("NUL in a name", r#"{"UserDetails":{"FirstName":"Augus\u0000tina","LastName":"\u0000"}}"#.to_owned()),
            ("half of a surrogate pair", r#"{"UserDetails":{"FirstName":"Augustina \ud83d"}}"#.to_owned()),
            (
                "a member given twice",
                r#"{"UserDetails":{"FirstName":"","FirstName":"Augustina","firstname":"Second"}}"#.to_owned(),
            ),
            ("CR and LF in a name", json!({"UserDetails": {"FirstName": "Augustina\r\nBcc: all@contoso.example"}}).to_string()),
            (
                "a name of 10,000 characters",
                json!({"UserDetails": {"FirstName": "Augustina".repeat(1112)[..10_000]}}).to_string(),
            ),
            ("nested 64 deep", String::from_utf8(nested(64)).unwrap()),
            (
                "an action that nobody knows",
                json!({"UserDetails": {"LastName": "Augustina"}, "ActionCode": "Augmented"}).to_string(),
            ),
        ];
        let samples = fixtures::lead_names().into_iter().filter(|name| name != "empty");
        let samples = samples.map(|name| self.case(sample_title(&name), 202, fixtures::lead(&name)));
        odd.into_iter().map(|(what, body)| self.case(what, 202, body.into())).chain(samples).collect()
    }

    fn path(&self) -> String {
        format!("/v1/leads/{}", self.endpoint)
    }

    /// A correct request but for its body.
    fn case(&self, what: &'static str, status: u16, body: Vec<u8>) -> Case {
        let target = format!("{}?sig={}", self.path(), self.token);
        let unreadable = false;
        Case { what, status, unreadable, request: Request { method: "POST", target, headers: vec![], body: Body::Whole(body) } }
    }
}

impl Case {
    fn method(mut self, method: &'static str) -> Self {
        self.request.method = method;
        self
    }

    fn target(mut self, target: String) -> Self {
        self.request.target = target;
        self
    }

    fn header(mut self, name: &'static str, value: String) -> Self {
        self.request.headers.push((name, value));
        self
    }

    fn body(mut self, body: Body) -> Self {
        self.request.body = body;
        self
    }
}

/// What a sample lead is, for the table.
fn sample_title(name: &str) -> &'static str {
    match name {
        "camel-case" => "camel case, umlauts, markup, CR and LF in the description",
        "composite-source" => "source, action and offer in one member",
        "contact-me" => "a Contact me lead with unknown members",
        "do-not-contact" => "a do-not-contact lead",
        "sample" => "the lead of Microsoft's guide",
        "validate-button" => "Microsoft's test lead",
        "validate-button-coded" => "Microsoft's test lead with its mark in every member",
        other => panic!("say in the table what the sample lead `{other}` is"),
    }
}

fn sample() -> Vec<u8> {
    fixtures::lead("sample")
}

/// An ordinary lead of one of several persons.
fn person(number: u8) -> Vec<u8> {
    json!({"UserDetails": {"FirstName": "Augustina", "Email": format!("augustina{number}@contoso.example")}}).to_string().into()
}

/// A lead of that many bytes.
fn padded(bytes: usize) -> Vec<u8> {
    let frame = json!({"Description": ""}).to_string().len();
    json!({"Description": "Augustina ".repeat(bytes / 10 + 1)[..bytes - frame]}).to_string().into()
}

/// A member that is kept as it is written, in which everything has to be escaped once more.
fn backslashes(count: usize) -> Vec<u8> {
    format!("{{\"UserDetails\":{{\"FirstName\":\"Augustina\",\"Company\":[\"{}\"]}}}}", "\\".repeat(count)).into()
}

/// A lead whose arrays and objects lie that deep in each other.
fn nested(levels: usize) -> Vec<u8> {
    format!("{{\"Augustina\":{}{}}}", "[".repeat(levels - 1), "]".repeat(levels - 1)).into()
}
