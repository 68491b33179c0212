//! How much ingest takes at once, and from whom: rates, strangers, slow and silent clients, memory. Who is let in at all belongs in
//! `endpoints` and `refusals`; what overload does to the time of good clients is measured by the bench.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use leadline_tests::{Stack, Suite, eventually, fixtures};

use crate::support::{NOWHERE, PATIENCE, Posted, Product, Sinks, post};

const JSON: (&str, &str) = ("content-type", "application/json");

pub(crate) fn tests(suite: &mut Suite) {
    suite.test("limits::an_endpoint_may_have_fewer_leads_a_second_than_another", [], an_endpoint_has_its_own_rate);
    suite.test("limits::all_endpoints_together_have_a_rate_too", [], all_together_have_a_rate);
    suite.test("limits::strangers_are_sent_away_and_a_good_token_never_is", [], strangers_are_sent_away);
    suite.test("limits::only_a_trusted_proxy_says_who_the_stranger_is", [], a_proxy_says_who_it_is);
    suite.test("limits::a_head_that_comes_too_slowly_is_cut_off", [], a_slow_head_is_cut_off);
    suite.test("limits::clients_that_say_nothing_keep_nobody_out", [], silent_clients_make_room);
    suite.test("limits::what_there_is_no_memory_for_is_refused_before_its_body_is_read", [], memory_is_shared);
    suite.test("limits::leads_do_not_wait_for_a_hanging_kafka_while_memory_is_scarce", [], scarce_memory_means_spool);
}

fn send(url: &str) -> Posted {
    post(url, fixtures::lead("sample"), &[JSON])
}

/// A refusal that says when to come again, by the last part of its type.
#[track_caller]
fn refused(answer: &Posted, status: u16, name: &str) {
    assert_eq!(answer.status, status, "{}", answer.body);
    assert_eq!(answer.json()["type"], format!("urn:leadline:problem:{name}"));
    let wait: u64 = answer.header("retry-after").expect("it says when to come again").parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
}

fn an_endpoint_has_its_own_rate(stack: &Stack) {
    let product = Product::on_embedded(stack, "rate", "");
    product.add_endpoint("slow", "leads_per_second = 1");
    let _up = product.up(&[]);
    // One a second, and a burst of one: of ten leads on end most are too many.
    let answers: Vec<_> = (0..10).map(|_| send(&product.url_of("slow"))).collect();
    assert_eq!(answers[0].status, 202);
    refused(answers.iter().find(|answer| answer.status != 202).expect("some are too many"), 429, "rate-limited");
    assert!((0..10).all(|_| send(&product.url()).status == 202), "another endpoint does not notice");
}

fn all_together_have_a_rate(stack: &Stack) {
    let product = Product::on_embedded(stack, "together", "");
    product.add_endpoint("second", "");
    let _up = product.up(&[("LEADLINE__INGEST__LIMITS__LEADS_PER_SECOND", "1")]);
    let urls = [product.url(), product.url_of("second")];
    let answers: Vec<_> = (0..10).map(|number| send(&urls[number % 2])).collect();
    assert_eq!(answers[0].status, 202);
    refused(answers.iter().find(|answer| answer.status != 202).expect("some are too many"), 429, "rate-limited");
}

fn strangers_are_sent_away(stack: &Stack) {
    let product = Product::on_embedded(stack, "strangers", "");
    let up = product.up(&[("LEADLINE__INGEST__LIMITS__FAILURES_PER_MINUTE", "3")]);
    let wrong = [product.url().replace(&product.token, "guessed"), product.url_of("elsewhere"), product.url() + "x"];
    let answers: Vec<_> = (0..9).map(|number| send(&wrong[number % 3])).collect();
    assert_eq!(answers[..3].iter().map(|answer| answer.status).collect::<Vec<_>>(), [401, 404, 401]);
    refused(answers.last().unwrap(), 429, "rate-limited");
    assert_eq!(send(&product.url()).status, 202, "the same address with a good token");
    assert!(up.metrics().contains("leadline_ingest_refused_total{reason=\"rate-limited\"}"));
}

fn a_proxy_says_who_it_is(stack: &Stack) {
    let product = Product::on_embedded(stack, "proxy", "");
    let proxies =
        [("LEADLINE__INGEST__LIMITS__FAILURES_PER_MINUTE", "2"), ("LEADLINE__INGEST__TRUSTED_PROXIES", "[\"127.0.0.0/8\"]")];
    let _up = product.up(&proxies);
    let wrong = product.url().replace(&product.token, "guessed");
    let from = |client: &str| post(&wrong, fixtures::lead("sample"), &[JSON, ("x-forwarded-for", client)]).status;
    assert_eq!([from("192.0.2.1"), from("192.0.2.1"), from("192.0.2.1")], [401, 401, 429]);
    assert_eq!(from("192.0.2.2"), 401, "another client of the same proxy");
    assert_eq!(from("198.51.100.7, 192.0.2.1"), 429, "what the client itself has claimed counts for nothing");
}

/// A connection on which only a part of a request is sent.
fn begin(product: &Product, text: &str) -> TcpStream {
    let url = product.url();
    let host = url.split('/').nth(2).unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(text.as_bytes()).unwrap();
    stream
}

/// The head of a post whose body has this length.
fn head(product: &Product, length: usize) -> String {
    let url = product.url();
    let target = url.splitn(4, '/').nth(3).unwrap();
    format!("POST /{target} HTTP/1.1\r\nhost: test\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n")
}

/// What came until the other side closed.
fn rest(mut stream: TcpStream) -> String {
    let mut text = String::new();
    // A reset is a close, too.
    let _ = stream.read_to_string(&mut text);
    text
}

fn a_slow_head_is_cut_off(stack: &Stack) {
    let product = Product::on_embedded(stack, "slow-head", "");
    let _up = product.up(&[("LEADLINE__INGEST__HEAD_TIMEOUT", "1s")]);
    let stream = begin(&product, "POST /v1/leads/x HTTP/1.1\r\nhost: te");
    let answer = rest(stream);
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert_eq!(send(&product.url()).status, 202);
}

fn silent_clients_make_room(stack: &Stack) {
    let product = Product::on_embedded(stack, "silent", "");
    let patient = [("LEADLINE__INGEST__LIMITS__CONNECTIONS", "16"), ("LEADLINE__INGEST__HEAD_TIMEOUT", "1h")];
    let up = product.up(&patient);
    let silent: Vec<TcpStream> = (0..64).map(|_| begin(&product, "POST /v1")).collect();
    assert_eq!(send(&product.url()).status, 202, "a lead comes through");
    eventually("silent connections are closed", PATIENCE, || {
        let closed = silent.iter().filter(|stream| {
            stream.set_nonblocking(true).unwrap();
            matches!((&**stream).read(&mut [0]), Ok(0))
        });
        (closed.count() >= 64 - 16).then_some(())
    });
    assert!(up.process.output().contains("nearly all connections were taken"));
}

/// Memory for this many leads of the test's body limit.
const AT_ONCE: usize = 8;

/// Settings with memory for [`AT_ONCE`] leads.
fn little_memory() -> [(&'static str, &'static str); 3] {
    let memory = (AT_ONCE * (6 * 1024 + 4 * 1024)).to_string().leak();
    [
        ("LEADLINE__INGEST__BODY_LIMIT", "1024"),
        ("LEADLINE__INGEST__BODY_TIMEOUT", "1h"),
        ("LEADLINE__INGEST__LIMITS__MEMORY", memory),
    ]
}

fn memory_is_shared(stack: &Stack) {
    let product = Product::on_embedded(stack, "memory", "");
    let up = product.up(&little_memory());
    let body = format!("{:1024}", String::from_utf8(fixtures::lead("sample")).unwrap());
    let (one, two) = body.split_at(100);
    let mut begun: Vec<_> = (0..AT_ONCE).map(|_| begin(&product, &(head(&product, body.len()) + one))).collect();
    let memory = (AT_ONCE * (6 * 1024 + 4 * 1024)).to_string();
    eventually("all memory is lent", PATIENCE, || {
        up.metrics().contains(&format!("leadline_ingest_in_flight_bytes {memory}\n")).then_some(())
    });
    refused(&send(&product.url()), 503, "overloaded");
    let last = begun.pop().unwrap();
    drop(last);
    eventually("whoever hangs up gives it back", PATIENCE, || (send(&product.url()).status == 202).then_some(()));
    for mut stream in begun {
        stream.write_all(two.as_bytes()).unwrap();
        let answer = rest(stream);
        assert!(answer.starts_with("HTTP/1.1 202 "), "what was begun is finished: {answer}");
    }
}

fn scarce_memory_means_spool(stack: &Stack) {
    // Nobody listens there, so Kafka acknowledges nothing.
    let product = Product::new(stack, "scarce", NOWHERE, &Sinks { email: String::new(), crm_url: None }, "");
    let patient = [("LEADLINE__INGEST__PUBLISH_DEADLINE", "1h")];
    let ingest = product.start_ingest_with(&[&little_memory()[..], &patient].concat());
    let body = String::from_utf8(fixtures::lead("sample")).unwrap();
    assert!(body.len() <= 1024);
    let waiting: Vec<_> = (0..AT_ONCE).map(|_| begin(&product, &(head(&product, body.len()) + &body))).collect();
    // Some of them wait for Kafka; as soon as half of the memory is lent, none does.
    let spooled = eventually("a lead is spooled at once", PATIENCE, || {
        let answer = send(&product.url());
        assert_eq!(answer.status, 202, "none is refused: {}", answer.body);
        (answer.json()["durable"] == "spool").then_some(answer)
    });
    assert_eq!(spooled.status, 202);
    assert!(ingest.metrics().contains("leadline_spool_writes_total{result=\"ok\"}"));
    drop(waiting);
}
