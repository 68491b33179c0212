//! What the public side must not do: compare secrets carelessly, trust whoever is at the other end, know what it need not know, or
//! make two of one lead. That it takes one media type only is a case of `refusals`.

use std::path::Path;

use leadline_tests::binaries::Binaries;
use leadline_tests::{Stack, eventually};
use serde_json::json;
use uuid::Uuid;

use super::line::{is_delivered, skipped, the_outcome};
use crate::support::{Database, PATIENCE, Product, REPEATS, Sinks, post};
use crate::tidy::sources::{self, Source};

/// What would let a client go on without knowing whom it talks to.
const CARELESS: [&str; 12] = [
    "dangerous()",
    "danger_accept",
    "accept_invalid",
    "ServerCertVerifier",
    "ssl.certificate.verification",
    "ssl.endpoint.identification",
    "tls_danger",
    "SslMode::Disable",
    "SslMode::Allow",
    "SslMode::Prefer",
    "SslMode::Require",
    "SslMode::VerifyCa",
];

/// Time tells nothing about a token only if nothing else looks at it.
pub(super) fn tokens_are_compared_in_constant_time() {
    let ingest: Vec<Source> = sources::production().into_iter().filter(|file| file.name.starts_with("ingest/src/")).collect();
    let lines = |file: &Source, what: &str| file.production_lines().iter().filter(|(_, line)| line.contains(what)).count();
    let admit = ingest.iter().find(|file| file.name == "ingest/src/admit.rs").expect("it says who may post");
    assert_eq!((lines(admit, ".ct_eq("), lines(admit, "TokenHash::of(")), (1, 1), "hashed once, compared at one place");
    for careless in [" == ", " != ", ".eq(", ".cmp(", ".contains(", ".starts_with(", "memcmp", "matches!"] {
        assert_eq!(lines(admit, careless), 0, "`{careless}` in {}", admit.name);
    }
    for file in ingest.iter().filter(|file| file.name != admit.name) {
        assert_eq!(lines(file, "TokenHash::of(") + lines(file, ".hash()"), 0, "{} looks at tokens", file.name);
    }
}

/// Beside this: the settings of librdkafka, of SMTP and of PostgreSQL, each tested in its crate.
pub(super) fn every_client_verifies() {
    let careless = |file: Source| {
        let lines = file.production_lines().into_iter().filter(|(_, line)| CARELESS.iter().any(|text| line.contains(text)));
        lines.map(|(number, line)| format!("{}:{number}: {line}", file.name)).collect::<Vec<_>>()
    };
    let found: Vec<String> = sources::production().into_iter().flat_map(careless).collect();
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

/// Its files are not even there, so ingest cannot have read them; a worker of that sink cannot do without.
pub(super) fn ingest_knows_no_secret_of_a_sink(stack: &Stack) {
    let email = "smtp.host = \"127.0.0.1\"\nsmtp.username = \"ada\"\nsmtp.password_file = \"/nonexistent/password\"".to_owned();
    let extra = "[sinks.other]\nkind = \"crm\"\nsql.url_file = \"/nonexistent/url\"";
    let product = Product::new(stack, "apart", stack.kafka().bootstrap(), &Sinks { email, crm_url: None }, extra);
    product.create_topics();
    let _ingest = product.start_ingest();
    assert_eq!(product.post("{}").status, 202);
    product.add_endpoint("second", "");
    eventually("ingest follows its configuration", PATIENCE, || {
        (post(&product.url_of("second"), b"{}".to_vec(), &[]).status == 202).then_some(())
    });
    let mut worker = product.command(&Binaries::built().email(), &["--sink", &product.email_sink]);
    let output = worker.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(64), "{said}");
    assert!(said.contains(&format!("`sinks.{}.smtp.password_file`", product.email_sink)), "{said}");
    // The CRM worker needs only its own.
    let _crm = product.start_crm();
}

/// Twin runs of one call: each post has its receipt and its outcomes, and one of them is delivered.
pub(super) fn the_same_post_twice(stack: &Stack) {
    let product = Product::new(stack, "twice", stack.kafka().bootstrap(), &Sinks::to(stack.smtp()), "");
    product.create_topics();
    let _ingest = product.start_ingest();
    let worker = |name: &str, program: &Path, sink: &str| {
        let mut command = product.command(program, &["--sink", sink]);
        // As it is by default.
        command.env_remove(REPEATS);
        let running = product.spawn_command(name, command);
        running.wait_until_ready();
        running
    };
    let binaries = Binaries::built();
    let _email = worker("email", &binaries.email(), &product.email_sink);
    let _crm = worker("crm", &binaries.crm(), &product.crm_sink);
    let body = json!({"UserDetails": {"FirstName": "Ann", "Email": "ann@contoso.example"}, "OfferTitle": "x"}).to_string();
    let [first, second]: [Uuid; 2] = [product.post(body.clone()).lead_id(), product.post(body).lead_id()];
    assert_ne!(first, second, "each has a receipt of its own");
    for sink in [&product.email_sink, &product.crm_sink] {
        let outcomes = [first, second].map(|lead| product.outcome(stack.kafka(), sink, lead));
        assert!(is_delivered(the_outcome(&outcomes, first)), "{outcomes:?}");
        assert_eq!(skipped(the_outcome(&outcomes, second)), Some("repeat"), "at {sink}");
    }
    assert_eq!(stack.smtp().received_for(&format!("sales@{}.example", product.prefix)).len(), 1, "one mail");
    let crm = Database::Sqlite(product.crm_file());
    let records = crm.records();
    assert_eq!((records.len(), records[0]["lead_id"].as_str()), (1, first.to_string().as_str()), "one record");
    assert_eq!(crm.history().len(), 1);
}
