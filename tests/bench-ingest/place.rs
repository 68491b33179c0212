//! Where everything is measured: one broker, the topics, the processes.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use leadline_platform::config::sections::{self, Kafka};
use leadline_platform::config::{Settings, Sources};
use leadline_platform::kafka::Record;
use leadline_proto::config::{SECTIONS, TokenHash};
use leadline_tests::binaries::Binaries;
use leadline_tests::kafka::Cluster;
use leadline_tests::{eventually, free_port};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use tempfile::TempDir;

use crate::leads::{ENDPOINT, Leads};
use crate::load::Target;

const TOKEN: &str = "a token of the bench";
const PARTITIONS: i32 = 12;
const PERSONS: usize = 10_000;
/// Bytes of a record.
const BYTES: usize = 1_536;
const PATIENCE: Duration = Duration::from_secs(60);

/// The broker and the folder.
pub(crate) struct Place {
    pub(crate) cluster: Cluster,
    folder: TempDir,
    records: Vec<Record>,
    bodies: Arc<Vec<String>>,
}

/// A server that is measured. Dropping it kills it.
pub(crate) struct Server {
    child: Child,
    pub(crate) target: Target,
    /// From its start until it could take a lead.
    pub(crate) ready_after: Duration,
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    /// A figure of the process in MiB: `VmRSS` now, `VmHWM` at most.
    pub(crate) fn memory(&self, what: &str) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix(what)?.strip_prefix(':')).expect("the kernel says so");
        line.split_whitespace().next().and_then(|kib| kib.parse::<f64>().ok()).expect("a number") / 1024.0
    }
}

impl Place {
    /// Starts the broker.
    pub(crate) fn open() -> Self {
        let cluster = Cluster::start(1).unwrap_or_else(|error| panic!("no broker: {error}"));
        cluster.create_topics(&["leads", "bare"], PARTITIONS, &[]);
        let leads: Vec<_> = Leads::new(PERSONS, BYTES).take(PERSONS).collect();
        let records = leads.iter().map(|lead| Record {
            topic: "leads".to_owned(),
            partition: None,
            key: Some(lead.person.as_str().as_bytes().to_vec()),
            headers: lead.headers().into_iter().collect(),
            value: Some(lead.encode()),
        });
        let bodies = leads.iter().map(|lead| lead.raw.expose().to_owned()).collect();
        let folder = tempfile::Builder::new().prefix("leadline-bench-").tempdir().expect("there is a folder for files");
        Self { cluster, folder, records: records.collect(), bodies: Arc::new(bodies) }
    }

    /// A record as ingest makes it.
    pub(crate) fn record(&self, number: usize) -> Record {
        self.records[number % self.records.len()].clone()
    }

    /// For files that last as long as the bench.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn bare_topic(&self) -> String {
        "bare".to_owned()
    }

    /// Settings of a second endpoint with the same token.
    pub(crate) fn endpoint(&self, name: &str, more: &str) -> String {
        format!("[endpoints.{name}]\ntokens = [\"{}\"]\n{more}\n", String::from(TokenHash::of(TOKEN)))
    }

    /// Ingest as a process, with more settings.
    pub(crate) fn ingest(&self, more: &str) -> Server {
        let (port, admin) = (free_port(), free_port());
        let hash = String::from(TokenHash::of(TOKEN));
        let text = format!(
            "[kafka]\nbootstrap = \"{}\"\n[admin]\nlisten = \"127.0.0.1:{admin}\"\n[log]\nlevel = \"error\"\n\
             [ingest]\nlisten = \"127.0.0.1:{port}\"\nperson_key = \"a secret of the bench\"\n{more}\n\
             [ingest.spool]\nfolder = \"{}\"\nlimit = 2147483648\n[endpoints.{ENDPOINT}]\ntokens = [\"{hash}\"]\n",
            self.cluster.bootstrap(),
            self.folder.path().join(format!("spool-{port}")).display(),
        );
        let file = self.folder.path().join(format!("ingest-{port}.toml"));
        fs::write(&file, text).expect("the configuration can be written");
        let mut command = Command::new(Binaries::built().ingest());
        command.arg("--config").arg(file);
        let path = format!("/v1/leads/{ENDPOINT}?sig={}", TOKEN.replace(' ', "%20"));
        self.start(command, port, path, Some(admin))
    }

    /// The server that does nothing.
    pub(crate) fn bare_server(&self) -> Server {
        let port = free_port();
        let mut command = Command::new(std::env::current_exe().expect("it runs from a file"));
        command.args(["--serve", &format!("127.0.0.1:{port}")]);
        self.start(command, port, format!("/v1/leads/{ENDPOINT}"), None)
    }

    fn start(&self, mut command: Command, port: u16, path: String, admin: Option<u16>) -> Server {
        let started = Instant::now();
        let child = command.stdout(Stdio::null()).spawn().expect("the program is there");
        let (host, asked) = (format!("127.0.0.1:{port}"), SocketAddr::from(([127, 0, 0, 1], admin.unwrap_or(port))));
        while !is_ready(asked, admin.is_some()) {
            assert!(started.elapsed() < PATIENCE, "the server does not become ready");
            std::thread::sleep(Duration::from_millis(1));
        }
        Server { child, target: Target { host, path, bodies: self.bodies.clone() }, ready_after: started.elapsed() }
    }

    /// Records in `leads`.
    pub(crate) fn published(&self) -> i64 {
        let consumer: BaseConsumer = self.cluster.client().create().expect("the settings are right");
        let end = |partition| consumer.fetch_watermarks("leads", partition, PATIENCE).map(|(_, end)| end);
        (0..PARTITIONS).map(|partition| eventually("the broker answers", PATIENCE, || end(partition).ok())).sum()
    }

    /// The product's settings of Kafka clients that point here.
    pub(crate) fn kafka(&self) -> Kafka {
        let preset = format!("[kafka]\nbootstrap = \"{}\"\n", self.cluster.bootstrap());
        let defaults = [sections::DEFAULTS, leadline_proto::config::DEFAULTS];
        let sources = Sources { defaults: &defaults, sections: SECTIONS, file: None, preset: Some(preset) };
        Settings::load(&sources).and_then(|settings| settings.section("kafka")).expect("the settings are right")
    }
}

fn is_ready(address: SocketAddr, has_probe: bool) -> bool {
    use std::io::{Read as _, Write as _};
    let Ok(mut stream) = std::net::TcpStream::connect(address) else { return false };
    if !has_probe {
        return true;
    }
    let mut answer = String::new();
    let asked = stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n");
    asked.is_ok() && stream.read_to_string(&mut answer).is_ok() && answer.starts_with("HTTP/1.1 200")
}
