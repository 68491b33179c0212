//! Endpoints while the product runs: tokens that come and go, a configuration that changes, one that is broken, and the commands
//! that edit it. Which requests are refused in general belongs in `refusals`.

mod commands;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use leadline_proto::config::TokenHash;
use leadline_tests::guarded::Signal;
use leadline_tests::{Stack, Suite, Tool, eventually, fixtures};

use crate::support::http::{Body, Request};
use crate::support::{PATIENCE, Posted, Product, Running, Sinks, post};

const JSON: &[(&str, &str)] = &[("content-type", "application/json")];
const FAILED: &str = "leadline_config_reload_failed";
const LOADED: &str = "leadline_config_loaded_timestamp_seconds";
const LAST_USED: &str = "leadline_ingest_token_last_used_timestamp_seconds";
const EXPIRES: &str = "leadline_ingest_token_expires_timestamp_seconds";

pub(crate) fn tests(suite: &mut Suite) {
    suite.test("endpoints::a_token_is_changed_and_no_lead_is_refused", [], a_token_is_changed);
    suite.test("endpoints::a_request_goes_on_with_the_endpoints_it_began_with", [], a_request_goes_on);
    suite.test("endpoints::a_broken_configuration_changes_nothing_and_is_told", [], a_broken_configuration_changes_nothing);
    suite.test("endpoints::hidden_endpoints_answer_like_wrong_tokens", [], hidden_endpoints_answer_alike);
    suite.test("endpoints::ingest_reads_again_on_sighup", [Tool::Kafka], ingest_reads_again_on_sighup);
    commands::tests(suite);
}

fn status(url: &str) -> u16 {
    post(url, fixtures::lead("sample"), JSON).status
}

/// The value of a metric with these labels; `None` when there is no such series.
fn metric(running: &Running, name: &str, labels: &str) -> Option<f64> {
    let metrics = running.metrics();
    let line = metrics
        .lines()
        .find(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '{']) && rest.contains(labels)));
    line.map(|line| line.rsplit(' ').next().unwrap().parse().unwrap())
}

/// The URL of a token other than that of the product.
fn url_with(product: &Product, token: &str) -> String {
    product.url().replace(&product.token, token)
}

fn a_token_is_changed(stack: &Stack) {
    let product = Product::on_embedded(stack, "rotate", "");
    let up = product.up(&[]);
    let old = TokenHash::of(&product.token).id();
    let label = format!("token=\"{old}\"");
    assert_eq!(metric(&up, LAST_USED, &label), Some(0.0));
    assert_eq!(status(&product.url()), 202);
    assert!(metric(&up, LAST_USED, &label).unwrap() > 1_700_000_000.0);
    assert_eq!(metric(&up, EXPIRES, &label), None);

    let printed = commands::run(&product, &["endpoint", "rotate", &product.endpoint, "--grace", "1h", "--token-name", "next"]);
    let token = commands::token(&printed);
    eventually("the new token is good", PATIENCE, || {
        assert_eq!(status(&product.url()), 202, "the old one is good all the time");
        (status(&url_with(&product, &token)) == 202).then_some(())
    });
    assert!(metric(&up, EXPIRES, &label).is_some() && metric(&up, EXPIRES, "token=\"next\"").is_none());
    assert!(metric(&up, LAST_USED, "token=\"next\"").unwrap() > 0.0);

    commands::run(&product, &["endpoint", "revoke", &product.endpoint, "--token", &old]);
    eventually("the old token is refused", PATIENCE, || {
        assert_eq!(status(&url_with(&product, &token)), 202, "the new one is good all the time");
        (status(&product.url()) == 401).then_some(())
    });
    assert_eq!((metric(&up, LAST_USED, &label), metric(&up, EXPIRES, &label)), (None, None));
    assert_eq!(metric(&up, FAILED, ""), Some(0.0));
}

fn a_request_goes_on(stack: &Stack) {
    let product = Product::on_embedded(stack, "go-on", "");
    let up = product.up(&[("LEADLINE__INGEST__BODY_TIMEOUT", "60s")]);
    let url = product.url();
    let (host, target) = url.trim_start_matches("http://").split_once('/').unwrap();
    let body = fixtures::lead("sample");
    let (one, two) = body.split_at(body.len() / 2);
    let mut stream = TcpStream::connect(host).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let head = format!("POST /{target} HTTP/1.1\r\nhost: test\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
    stream.write_all(&[head.as_bytes(), one].concat()).unwrap();
    let used = || metric(&up, LAST_USED, "").filter(|time| *time > 0.0);
    eventually("the request is let in", PATIENCE, used);
    let id = TokenHash::of(&product.token).id();
    commands::run(&product, &["endpoint", "revoke", &product.endpoint, "--token", &id]);
    eventually("its token is gone", PATIENCE, || (status(&url) == 401).then_some(()));
    stream.write_all(two).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 202 "), "{answer}");
}

fn a_broken_configuration_changes_nothing(stack: &Stack) {
    let product = Product::on_embedded(stack, "broken", "");
    let up = product.up(&[]);
    let loaded = metric(&up, LOADED, "").unwrap();
    assert!(loaded > 1_700_000_000.0);
    let good = fs::read_to_string(product.config()).unwrap();
    let hash = String::from(TokenHash::of(&product.token));
    let second = |tokens: &str| format!("{good}\n[endpoints.second]\ntokens = [{tokens}]\n");
    let (before, rest) = good.split_once("[endpoints.").unwrap();
    let no_endpoint = format!("{before}{}", &rest[rest.find("[sinks.").unwrap()..]);
    let broken = [
        second(&format!("{hash:?}, \"sha256:{}\"", product.token)),
        second(&format!("{hash:?}")).replace("person_key", "person_kez"),
        no_endpoint,
    ];
    for (text, count) in broken.into_iter().zip(1..) {
        fs::write(product.config(), text).unwrap();
        let told = || up.process.output().lines().filter(|line| line.contains("cannot be used; nothing changes")).count();
        eventually("it is told", PATIENCE, || (told() >= count).then_some(()));
        assert_eq!((told(), metric(&up, FAILED, ""), metric(&up, LOADED, "")), (count, Some(1.0), Some(loaded)));
        assert_eq!((status(&product.url()), status(&product.url_of("second"))), (202, 404));
        assert!(!up.process.output().contains(&product.token), "what stands there is not quoted");
    }
    fs::write(product.config(), second(&format!("{hash:?}"))).unwrap();
    eventually("the second endpoint takes leads", PATIENCE, || {
        assert_eq!(status(&product.url()), 202);
        (status(&product.url_of("second")) == 202).then_some(())
    });
    assert_eq!(metric(&up, FAILED, ""), Some(0.0));
    assert!(metric(&up, LOADED, "").unwrap() > loaded);
    assert_eq!(metric(&up, "leadline_ingest_accepted_total", "endpoint=\"second\",kind=\"blank\""), Some(0.0));
}

fn hidden_endpoints_answer_alike(stack: &Stack) {
    let product = Product::on_embedded(stack, "hidden", "");
    let _up = product.up(&[("LEADLINE__INGEST__HIDE_ENDPOINTS", "true")]);
    let url = product.url();
    let (host, target) = url.trim_start_matches("http://").split_once('/').unwrap();
    let answer = |target: String| {
        let request = Request { method: "POST", target, headers: vec![], body: Body::Whole(fixtures::lead("sample")) };
        let text = request.send(host).text;
        // The only line that may differ; the others come in any order.
        let mut lines: Vec<String> = text.lines().filter(|line| !line.starts_with("date: ")).map(str::to_owned).collect();
        lines.sort();
        lines
    };
    let target = format!("/{target}");
    let wrong = answer(target.replace(&product.token, "wrong"));
    assert!(wrong.contains(&"HTTP/1.1 401 Unauthorized".to_owned()), "{wrong:?}");
    for elsewhere in [target.replace(&product.endpoint, "elsewhere"), target.replace(&product.endpoint, "Else%20where")] {
        assert_eq!(answer(elsewhere), wrong);
    }
    assert!(answer(target).contains(&"HTTP/1.1 202 Accepted".to_owned()));
}

fn ingest_reads_again_on_sighup(stack: &Stack) {
    let product = Product::new(stack, "hangup", stack.kafka().bootstrap(), &Sinks { email: String::new(), crm_url: None }, "");
    product.create_topics();
    let mut ingest = product.start_ingest();
    let loaded = metric(&ingest, LOADED, "").unwrap();
    ingest.process.signal(Signal::Hangup);
    // The file has not changed, so nothing else makes it read.
    eventually("it reads again", PATIENCE, || metric(&ingest, LOADED, "").filter(|time| *time > loaded));
    let answer: Posted = product.post(fixtures::lead("sample"));
    assert_eq!(answer.status, 202, "{}", answer.body);
    assert_eq!(ingest.stop(), 0);
}
