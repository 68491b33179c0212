//! The sink on a real SQLite file. PostgreSQL is tested where a server is at hand, in the package `tests`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use leadline_platform::config::{Settings, Sources};
use leadline_platform::metrics::prometheus::Registry;
use leadline_proto::keys::PersonHasher;
use leadline_proto::retry::History;
use leadline_proto::{Personal, parse};
use leadline_runtime::sink::{Claim, Deadlines, Kind, Setup};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Row, SqliteConnection};
use tempfile::TempDir;
use uuid::Uuid;

use super::*;
use crate::Crm;

mod outages;
mod samples;
mod settings;

use samples::*;

/// A lead received at a time of the same hour, such as `10:00`; the number makes its id.
fn lead(id: u128, minute: &str, body: &str) -> Task {
    let endpoint = "contoso".parse().unwrap();
    let parsed = parse::lead(body.as_bytes()).unwrap();
    let lead = AcceptedLead {
        lead_id: Uuid::from_u128(id),
        person: PersonHasher::new(b"secret").person(&endpoint, &parsed),
        endpoint,
        offer_id: None,
        received_at: format!("2026-11-22T09:{minute}Z").parse().unwrap(),
        lead: parsed,
        raw: Personal::verbatim(body).unwrap(),
    };
    Task { lead: lead.into(), history: History::default(), claim: Claim::default() }
}

fn build(section: &str) -> Result<Handler, ConfigError> {
    let preset = format!("[sinks.crm]\nkind = \"crm\"\n{section}");
    let settings = Settings::load(&Sources { sections: &["sinks"], preset: Some(preset), ..Sources::default() })?;
    let registry = Registry::new();
    let name = "crm".parse().unwrap();
    let deadlines = Deadlines { call: Duration::from_secs(30), confirm: Duration::from_secs(60) };
    let setup = Setup { settings: &settings, name: &name, endpoints: &Default::default(), registry: &registry, deadlines };
    Crm::build(&setup)
}

/// A sink on a database in a folder of its own.
struct Fixture {
    handler: Handler,
    file: PathBuf,
    _folder: TempDir,
}

impl Fixture {
    fn new(settings: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self::on(folder.path().join("data/crm.db"), folder, settings)
    }

    fn on(file: PathBuf, folder: TempDir, settings: &str) -> Self {
        let handler = build(&format!("{settings}\n{}", sql_section(&file))).unwrap();
        Self { handler, file, _folder: folder }
    }

    async fn one(&self, task: Task) -> Verdict {
        self.handler.handle(&[task]).await.remove(0)
    }

    async fn delivered(&self, task: Task) {
        let reference = Reference::new(task.lead.crm_key()).ok();
        assert_eq!(self.one(task).await, Verdict::Delivered { reference });
    }

    async fn connection(&self) -> SqliteConnection {
        SqliteConnectOptions::new().filename(&self.file).connect().await.unwrap()
    }

    /// The values of a query's only row.
    async fn row(&self, query: &'static str) -> Vec<Option<String>> {
        let row = sqlx::query(query).fetch_one(&mut self.connection().await).await.unwrap();
        (0..row.len()).map(|at| row.get(at)).collect()
    }

    async fn text(&self, query: &'static str) -> String {
        self.row(query).await.remove(0).unwrap()
    }

    async fn counts(&self) -> (i64, i64) {
        let query = "SELECT (SELECT count(*) FROM lead), (SELECT count(*) FROM lead_history)";
        let row = sqlx::query(query).fetch_one(&mut self.connection().await).await.unwrap();
        (row.get(0), row.get(1))
    }

    fn upserts(&self, result: &str) -> u64 {
        self.handler.metrics.upserts.with_label_values(&[result]).get()
    }
}

fn sql_section(file: &Path) -> String {
    format!("[sinks.crm.sql]\nurl = \"sqlite:{}\"", file.display())
}

#[tokio::test]
async fn a_lead_becomes_a_record_with_its_history() {
    let crm = Fixture::new("");
    crm.delivered(lead(1, "00:00", JOHN)).await;
    let names = "SELECT first_name, last_name, email, phone, country, company, job_title FROM lead";
    let expected = ["John", "Smith", "jsmith@microsoft.com", "1234567890", "US", "Microsoft", "CTO"];
    assert_eq!(crm.row(names).await, expected.map(|text| Some(text.to_owned())));
    let origin = "SELECT source, action, offer, offer_id, description, kind, received_at FROM lead";
    let offer = Some("checkpoint.check-point-r77-10sg-byol");
    let received = Some("2026-11-22T09:00:00.000000Z");
    let expected = [Some("AzureMarketplace"), Some("INS"), offer, None, None, Some("customer"), received];
    assert_eq!(crm.row(origin).await, expected.map(|text| text.map(str::to_owned)));
    assert_eq!(crm.text("SELECT raw FROM lead_history JOIN lead USING (lead_id, crm_key)").await, JOHN);
    assert_eq!(crm.text("SELECT email_valid || do_not_contact || test FROM lead").await, "100");
    assert_eq!((crm.counts().await, crm.upserts("inserted")), ((1, 1), 1));
}

#[tokio::test]
async fn the_newer_lead_wins_in_whichever_order_they_come() {
    for stale_last in [false, true] {
        let crm = Fixture::new("");
        let (old, new) = (lead(2, "00:00", JOHN), lead(1, "00:00.000001", JOHN_LATER));
        let (first, second) = if stale_last { (new, old) } else { (old, new) };
        crm.delivered(first).await;
        crm.delivered(second).await;
        assert_eq!(crm.row("SELECT first_name, company FROM lead").await, [Some("Johnny".to_owned()), None]);
        assert_eq!(crm.counts().await, (1, 2));
        assert_eq!(crm.upserts(if stale_last { "superseded" } else { "updated" }), 1);
    }
}

#[tokio::test]
async fn of_two_leads_at_the_same_time_the_greater_id_wins() {
    for order in [[1, 2], [2, 1]] {
        let crm = Fixture::new("");
        for id in order {
            crm.delivered(lead(id, "00:00", if id == 1 { JOHN } else { JOHN_LATER })).await;
        }
        assert_eq!(crm.text("SELECT first_name FROM lead").await, "Johnny");
    }
}

#[tokio::test]
async fn an_existing_record_is_kept_when_so_configured() {
    let crm = Fixture::new(r#"on_existing = "keep""#);
    crm.delivered(lead(1, "00:00", JOHN)).await;
    crm.delivered(lead(2, "01:00", JOHN_LATER)).await;
    assert_eq!(crm.text("SELECT first_name FROM lead").await, "John");
    assert_eq!((crm.counts().await, crm.upserts("kept")), ((1, 2), 1));
}

#[tokio::test]
async fn an_existing_record_is_overwritten_when_so_configured() {
    let crm = Fixture::new(r#"on_existing = "update""#);
    crm.delivered(lead(1, "01:00", JOHN)).await;
    crm.delivered(lead(2, "00:00", JOHN_LATER)).await;
    assert_eq!(crm.text("SELECT first_name FROM lead").await, "Johnny");
}

#[tokio::test]
async fn do_not_contact_marks_the_record_until_a_newer_lead() {
    let crm = Fixture::new("");
    for (id, body, marked) in [(1, JOHN, "0"), (2, JOHN_DNC, "1"), (3, JOHN_LATER, "0")] {
        crm.delivered(lead(id, &format!("0{id}:00"), body)).await;
        assert_eq!(crm.text("SELECT CAST(do_not_contact AS TEXT) FROM lead").await, marked);
    }
    assert_eq!(crm.counts().await, (1, 3));
    assert_eq!(crm.text("SELECT kind FROM lead_history WHERE action = 'DNC'").await, "do_not_contact");
}

#[tokio::test]
async fn a_blank_lead_has_a_placeholder_for_its_name() {
    let crm = Fixture::new("");
    crm.delivered(lead(1, "00:00", "{}")).await;
    let row = crm.row("SELECT last_name, kind, email, offer FROM lead").await;
    assert_eq!(row, [Some("(not provided)".to_owned()), Some("blank".to_owned()), None, None]);
}

#[tokio::test]
async fn test_leads_are_written_only_when_so_configured() {
    let crm = Fixture::new("");
    assert_eq!(crm.one(lead(1, "00:00", TEST_LEAD)).await, Verdict::Skipped(Code::of("test")));
    assert!(!crm.file.exists(), "a skipped lead needs no database");
    let crm = Fixture::new(r#"test_leads = "write""#);
    crm.delivered(lead(1, "00:00", TEST_LEAD)).await;
    assert_eq!(crm.text("SELECT CAST(test AS TEXT) FROM lead").await, "1");
}

#[tokio::test]
async fn strange_texts_arrive_as_they_are() {
    let crm = Fixture::new("");
    crm.delivered(lead(1, "00:00", ASA)).await;
    let row = crm.row("SELECT first_name, last_name, company, offer, description FROM lead").await;
    let expected = [
        "Åsa",
        "O'Brien\"; DROP TABLE lead;--",
        "名古屋 Trading \"K.K.\" <b>& Co</b>",
        "Contoso Backup – Enterprise",
        "Line one\nBcc: attacker@example.com\nLine three 🚀",
    ];
    assert_eq!(row, expected.map(|text| Some(text.to_owned())));
    assert_eq!(crm.text("SELECT raw FROM lead_history").await, ASA);
}

#[tokio::test]
async fn a_second_delivery_changes_nothing() {
    let crm = Fixture::new("");
    for _ in 0..3 {
        crm.delivered(lead(1, "00:00", JOHN)).await;
    }
    assert_eq!(crm.counts().await, (1, 1));
    // Nor does one of a lead that was overtaken meanwhile.
    crm.delivered(lead(2, "01:00", JOHN_LATER)).await;
    crm.delivered(lead(1, "00:00", JOHN)).await;
    assert_eq!(crm.counts().await, (1, 2));
    assert_eq!(crm.text("SELECT first_name FROM lead").await, "Johnny");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_writers_of_one_record_agree_on_the_newest() {
    let crm = std::sync::Arc::new(Fixture::new(""));
    // A second process on the same file.
    let other = build(&sql_section(&crm.file)).unwrap();
    let other = std::sync::Arc::new(other);
    let mut tasks = tokio::task::JoinSet::new();
    for id in 0..60_u128 {
        let body = JOHN.replace("\"John\"", &format!("\"N{id}\""));
        let task = lead(id, &format!("{id:02}:00"), &body);
        let (crm, other) = (crm.clone(), other.clone());
        tasks.spawn(async move {
            let handler = if id % 2 == 0 { &crm.handler } else { &*other };
            handler.handle(&[task]).await.remove(0)
        });
    }
    for verdict in tasks.join_all().await {
        assert!(matches!(verdict, Verdict::Delivered { .. }), "{verdict:?}");
    }
    assert_eq!(crm.counts().await, (1, 60));
    assert_eq!(crm.text("SELECT first_name FROM lead").await, "N59");
}

#[tokio::test]
async fn a_dropped_call_leaves_the_next_one_unharmed() {
    let crm = Fixture::new("");
    crm.handler.probe().await.unwrap();
    for millis in 0..10 {
        let task = [lead(1, "00:00", JOHN)];
        let call = crm.handler.handle(&task);
        let _ = tokio::time::timeout(std::time::Duration::from_micros(millis * 150), call).await;
    }
    crm.delivered(lead(2, "01:00", JOHN_LATER)).await;
    assert_eq!(crm.text("SELECT count(*) || '' FROM lead").await, "1");
}

#[tokio::test]
async fn tables_of_a_newer_version_are_no_obstacle() {
    let crm = Fixture::new("");
    crm.handler.probe().await.unwrap();
    let newer = "ALTER TABLE lead ADD COLUMN more TEXT;
        INSERT INTO leadline_crm_migrations SELECT 99, 'more', installed_on, success, checksum, execution_time
        FROM leadline_crm_migrations";
    sqlx::raw_sql(newer).execute(&mut crm.connection().await).await.unwrap();
    let older = build(&sql_section(&crm.file)).unwrap();
    assert_eq!(older.probe().await, Ok(()));
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_can_read_the_file() {
    use std::os::unix::fs::PermissionsExt;
    let crm = Fixture::new("");
    crm.delivered(lead(1, "00:00", JOHN)).await;
    for file in std::fs::read_dir(crm.file.parent().unwrap()).unwrap() {
        let file = file.unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", file.file_name());
    }
}
