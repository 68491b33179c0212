//! The product as separate processes, with a configuration and topics of its own.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use leadline_ingest::route;
use leadline_proto::config::TokenHash;
use leadline_proto::{Headers, Outcome};
use leadline_tests::binaries::Binaries;
use leadline_tests::eventually::within;
use leadline_tests::kafka::{Cluster, Record, records_at};
use leadline_tests::process::Process;
use leadline_tests::smtp::SmtpServer;
use leadline_tests::{Stack, eventually, free_port};
use serde_json::Value;
use tempfile::TempDir;
use uuid::Uuid;

/// Longest wait for anything in a test; far more than it takes, as machines are shared.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Nobody listens there.
pub(crate) const NOWHERE: &str = "127.0.0.1:1";

/// The environment's name of the time within which a lead is a repeat.
pub(crate) const REPEATS: &str = "LEADLINE__WORKER__REPEATS";

/// Where leads of a test go.
pub(crate) struct Sinks {
    /// TOML below `[sinks.NAME]` of the e-mail sink, without `kind` and `from`.
    pub(crate) email: String,
    /// URL of the CRM database; without it SQLite in the test's folder.
    pub(crate) crm_url: Option<String>,
}

impl Sinks {
    /// Mail to this server, which speaks plain text; records in SQLite.
    pub(crate) fn to(smtp: &SmtpServer) -> Self {
        let email = format!("smtp.host = \"127.0.0.1\"\nsmtp.port = {}\nsmtp.tls = \"none\"", smtp.port());
        Self { email, crm_url: None }
    }

    /// Mail to a folder of the test; records in SQLite.
    pub(crate) fn files() -> Self {
        Self { email: "transport = \"file\"\nfile.directory = \"outbox\"".to_owned(), crm_url: None }
    }
}

/// A configuration with names of its own, and what is started with it.
pub(crate) struct Product {
    folder: TempDir,
    pub(crate) prefix: String,
    pub(crate) endpoint: String,
    pub(crate) token: String,
    pub(crate) email_sink: String,
    pub(crate) crm_sink: String,
    ingest_port: u16,
    environment: Vec<(&'static str, String)>,
}

/// What ingest answered.
pub(crate) struct Posted {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Posted {
    /// The lead id of an accepted lead.
    #[track_caller]
    pub(crate) fn lead_id(&self) -> Uuid {
        assert_eq!(self.status, 202, "{}", self.body);
        self.json()["lead_id"].as_str().unwrap().parse().unwrap()
    }

    /// The body, which is JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// The value of a header; names are lower-case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

impl Product {
    /// Writes the configuration. `extra` is TOML at its end, such as `[worker.retry]`.
    pub(crate) fn new(stack: &Stack, name: &str, bootstrap: &str, sinks: &Sinks, extra: &str) -> Self {
        let prefix = stack.unique(name);
        let product = Self {
            folder: tempfile::tempdir().unwrap(),
            endpoint: format!("offer-{}", prefix.len()),
            token: format!("token-of-{prefix}"),
            email_sink: format!("m-{prefix}"),
            crm_sink: format!("c-{prefix}"),
            ingest_port: free_port(),
            environment: Vec::new(),
            prefix,
        };
        std::fs::write(product.config(), product.toml(bootstrap, sinks, extra)).unwrap();
        product
    }

    /// A product whose broker is the embedded one, so that it needs nothing.
    pub(crate) fn on_embedded(stack: &Stack, name: &str, extra: &str) -> Self {
        Self::new(stack, name, NOWHERE, &Sinks::files(), extra)
    }

    /// What is started from now on has these variables in its environment.
    pub(crate) fn with_environment(mut self, variables: impl IntoIterator<Item = (&'static str, String)>) -> Self {
        self.environment.extend(variables);
        self
    }

    fn toml(&self, bootstrap: &str, sinks: &Sinks, extra: &str) -> String {
        let Self { prefix, endpoint, token, email_sink, crm_sink, ingest_port, .. } = self;
        let hash = String::from(TokenHash::of(token));
        let crm_url = sinks.crm_url.clone().unwrap_or_else(|| format!("sqlite:{}", self.crm_file().display()));
        let email = &sinks.email;
        format!(
            r#"
[kafka]
bootstrap = "{bootstrap}"
[topics]
leads = "{prefix}.leads"
retry = "{prefix}.{{sink}}.retry"
dead_letters = "{prefix}.{{sink}}.dlq"
outcomes = "{prefix}.outcomes"
rejected = "{prefix}.rejected"
control = "{prefix}.control"
partitions = 4
replication = 1
min_insync_replicas = 1
[log]
level = "debug"
[ingest]
listen = "127.0.0.1:{ingest_port}"
person_key = "a secret of the tests"
[endpoints.{endpoint}]
tokens = ["{hash}"]
contacts = "sales@{prefix}.example; partner@{prefix}.example"
[sinks.{email_sink}]
kind = "email"
from = "Leadline <leads@{prefix}.example>"
{email}
[sinks.{crm_sink}]
kind = "crm"
[sinks.{crm_sink}.sql]
url = "{crm_url}"
{extra}
"#
        )
    }

    /// The folder of this test: configuration, outbox, database, logs.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.folder().join("leadline.toml")
    }

    /// The SQLite database, when no other was given.
    pub(crate) fn crm_file(&self) -> PathBuf {
        self.folder().join("crm.db")
    }

    /// The physical name of a topic: `leads`, `outcomes`, `SINK.retry`, `SINK.dlq`.
    pub(crate) fn topic(&self, name: &str) -> String {
        format!("{}.{name}", self.prefix)
    }

    /// The endpoint's URL with its token.
    pub(crate) fn url(&self) -> String {
        self.url_of(&self.endpoint)
    }

    /// The URL of an endpoint that was added, with its token.
    pub(crate) fn url_of(&self, endpoint: &str) -> String {
        route::url(&format!("http://127.0.0.1:{}", self.ingest_port), &endpoint.parse().unwrap(), &self.token)
    }

    /// Adds an endpoint with the same token; `toml` stands below `[endpoints.NAME]`. Only what is started later knows it.
    pub(crate) fn add_endpoint(&self, name: &str, toml: &str) {
        let hash = String::from(TokenHash::of(&self.token));
        let config = std::fs::read_to_string(self.config()).unwrap();
        std::fs::write(self.config(), format!("{config}\n[endpoints.{name}]\ntokens = [\"{hash}\"]\n{toml}\n")).unwrap();
    }

    /// A command of the product in this test's folder.
    pub(crate) fn command(&self, program: &Path, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.folder()).arg("--config").arg(self.config()).args(args);
        // Most tests post the same lead again and again; those about repeats take this out.
        command.env(REPEATS, "0s").envs(self.environment.iter().map(|(name, value)| (*name, value.as_str())));
        command
    }

    /// Creates the topics with the product's own command.
    pub(crate) fn create_topics(&self) {
        let output = self.command(&Binaries::built().leadline(), &["topics", "create"]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Starts everything in one process on the embedded broker, with these variables, and waits until it is ready.
    pub(crate) fn up(&self, environment: &[(&str, &str)]) -> Running {
        self.up_with_broker(environment).0
    }

    /// The same, and the broker's address.
    pub(crate) fn up_with_broker(&self, environment: &[(&str, &str)]) -> (Running, String) {
        let mut command = self.command(&Binaries::built().leadline(), &["up", "--json", "--data", "data"]);
        command.envs(environment.iter().copied());
        let mut up = self.spawn_command("up", command);
        let line = up.process.wait_for_line("{\"url\"", PATIENCE);
        let said: Value = serde_json::from_str(&line).unwrap();
        (up, said["kafka"].as_str().unwrap().to_owned())
    }

    /// Starts ingest and waits until it is ready.
    pub(crate) fn start_ingest(&self) -> Running {
        self.start("ingest", &Binaries::built().ingest(), &[])
    }

    /// The same with other settings in its environment.
    pub(crate) fn start_ingest_with(&self, settings: &[(&str, &str)]) -> Running {
        let mut command = self.command(&Binaries::built().ingest(), &[]);
        command.envs(settings.iter().copied());
        let running = self.spawn_command("ingest", command);
        running.wait_until_ready();
        running
    }

    /// Starts an e-mail worker and waits until it is ready.
    pub(crate) fn start_email(&self) -> Running {
        self.start("email", &Binaries::built().email(), &["--sink", &self.email_sink])
    }

    /// Starts a CRM worker and waits until it is ready.
    pub(crate) fn start_crm(&self) -> Running {
        self.start("crm", &Binaries::built().crm(), &["--sink", &self.crm_sink])
    }

    fn start(&self, name: &str, program: &Path, args: &[&str]) -> Running {
        let running = self.spawn(name, program, args);
        running.wait_until_ready();
        running
    }

    /// Starts a process without waiting for anything.
    pub(crate) fn spawn(&self, name: &str, program: &Path, args: &[&str]) -> Running {
        self.spawn_command(name, self.command(program, args))
    }

    /// The same for a command that was changed, such as by environment variables.
    pub(crate) fn spawn_command(&self, name: &str, mut command: Command) -> Running {
        let admin_port = free_port();
        command.env("LEADLINE__ADMIN__LISTEN", format!("127.0.0.1:{admin_port}"));
        let log = self.folder().join(format!("{name}-{admin_port}.log"));
        Running { process: Process::spawn(name, &command, &log), admin_port }
    }

    /// Posts a body as a marketplace would.
    pub(crate) fn post(&self, body: impl Into<Vec<u8>>) -> Posted {
        post(&self.url(), body.into(), &[("content-type", "application/json")])
    }

    /// All outcomes that are in Kafka now.
    pub(crate) fn outcomes(&self, kafka: &Cluster) -> Vec<Outcome> {
        outcomes_at(kafka.bootstrap(), &self.topic("outcomes"))
    }

    /// Waits until a sink has an outcome for the lead.
    #[track_caller]
    pub(crate) fn outcome(&self, kafka: &Cluster, sink: &str, lead_id: Uuid) -> Outcome {
        eventually(&format!("an outcome of {sink} for {lead_id}"), PATIENCE, || {
            self.outcomes(kafka).into_iter().find(|outcome| outcome.sink.as_str() == sink && outcome.lead_id == lead_id)
        })
    }
}

/// A started process of the product.
pub(crate) struct Running {
    pub(crate) process: Process,
    admin_port: u16,
}

impl Running {
    #[track_caller]
    pub(crate) fn wait_until_ready(&self) {
        let ready = within("a process is ready", PATIENCE, || (self.admin("/readyz")?.status == 200).then_some(()));
        ready.unwrap_or_else(|overdue| panic!("{overdue}; it printed:\n{}", self.process.output()));
    }

    /// Where the admin port is.
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.admin_port)
    }

    /// What the admin port answers; `None` before it is open.
    pub(crate) fn admin(&self, path: &str) -> Option<Posted> {
        get(&format!("http://{}{path}", self.address()))
    }

    /// The text of `/metrics`.
    pub(crate) fn metrics(&self) -> String {
        self.admin("/metrics").expect("the admin port answers").body
    }

    /// Stops it by SIGTERM and returns the exit code.
    pub(crate) fn stop(&mut self) -> i32 {
        self.process.signal_term();
        self.process.wait_exit(PATIENCE)
    }
}

/// All outcomes that are in a topic of any broker now.
pub(crate) fn outcomes_at(bootstrap: &str, topic: &str) -> Vec<Outcome> {
    let decode = |record: Record| {
        let headers: Headers = record.headers.into_iter().collect();
        Outcome::decode(&headers, &record.value.unwrap_or_default())
    };
    records_at(bootstrap, topic).into_iter().filter_map(decode).collect()
}

/// Posts to any URL with any headers.
pub(crate) fn post(url: &str, body: Vec<u8>, headers: &[(&str, &str)]) -> Posted {
    let request = client().post(url).body(body);
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    send(request).expect("ingest answers")
}

/// Gets a URL; `None` when nobody answers.
pub(crate) fn get(url: &str) -> Option<Posted> {
    send(client().get(url))
}

fn client() -> reqwest::Client {
    let tls = leadline_platform::tls::client(None).unwrap();
    reqwest::Client::builder().timeout(PATIENCE).tls_backend_preconfigured((*tls).clone()).build().unwrap()
}

fn send(request: reqwest::RequestBuilder) -> Option<Posted> {
    leadline_tests::blocking::block_on(async {
        let answer = request.send().await.ok()?;
        let status = answer.status().as_u16();
        let text = |value: &reqwest::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let headers = answer.headers().iter().map(|(name, value)| (name.to_string(), text(value))).collect();
        Some(Posted { status, headers, body: answer.text().await.ok()? })
    })
}
