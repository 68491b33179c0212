//! A database that cannot be used: what the sink says, and that it comes back.

use leadline_runtime::sink::DownReason;

use super::*;

fn down(why: DownReason, code: &'static str) -> SinkDown {
    SinkDown::of(why, Code::of(code))
}

#[tokio::test]
async fn a_batch_stops_at_a_database_that_is_down() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("crm.db");
    std::fs::create_dir(&file).unwrap();
    let crm = Fixture::on(file, folder, "");
    let expected = down(DownReason::Misconfigured, "file-cannot-create");
    assert_eq!(crm.handler.probe().await, Err(expected.clone()));
    let verdicts = crm.handler.handle(&[lead(1, "00:00", TEST_LEAD), lead(2, "00:00", JOHN), lead(3, "00:00", JOHN)]).await;
    let failed = || Verdict::Failed(Failure::SinkDown(expected.clone()));
    assert_eq!(verdicts, [Verdict::Skipped(TEST), failed(), failed()]);
}

#[tokio::test]
async fn a_file_that_is_no_database_stops_the_sink_and_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("crm.db");
    let text = "no database, but a file of someone else. ".repeat(100);
    std::fs::write(&file, &text).unwrap();
    let crm = Fixture::on(file, folder, "");
    assert_eq!(crm.handler.probe().await, Err(down(DownReason::Misconfigured, "sqlite-notadb")));
    assert_eq!(std::fs::read_to_string(&crm.file).unwrap(), text);
}

#[tokio::test]
async fn a_database_that_comes_back_is_used_again() {
    let crm = Fixture::new("");
    crm.delivered(lead(1, "00:00", JOHN)).await;
    let mut connection = crm.connection().await;
    sqlx::raw_sql("ALTER TABLE lead RENAME TO away").execute(&mut connection).await.unwrap();
    let expected = down(DownReason::Misconfigured, "sqlite-error");
    assert_eq!(crm.one(lead(2, "01:00", JOHN_LATER)).await, Verdict::Failed(Failure::SinkDown(expected.clone())));
    assert_eq!(crm.handler.probe().await, Err(expected));
    sqlx::raw_sql("ALTER TABLE away RENAME TO lead").execute(&mut connection).await.unwrap();
    assert_eq!(crm.handler.probe().await, Ok(()));
    // The transaction of the failed write left nothing behind.
    assert_eq!(crm.counts().await, (1, 1));
    crm.delivered(lead(2, "01:00", JOHN_LATER)).await;
}

#[tokio::test]
async fn a_postgres_that_is_not_there_is_unreachable() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("sql.url = \"postgres://crm:hunter2@127.0.0.1:{free}/crm?sslmode=prefer\"");
    let handler = build(&url).unwrap();
    let expected = down(DownReason::Unreachable, "sql-connection-refused");
    assert_eq!(handler.probe().await, Err(expected.clone()));
    assert_eq!(handler.handle(&[lead(1, "00:00", JOHN)]).await, [Verdict::Failed(Failure::SinkDown(expected))]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_may_start_at_the_same_time() {
    for _ in 0..20 {
        let folder = tempfile::tempdir().unwrap();
        let section = sql_section(&folder.path().join("crm.db"));
        let mut starts = tokio::task::JoinSet::new();
        for _ in 0..4 {
            let handler = build(&section).unwrap();
            starts.spawn(async move { handler.probe().await });
        }
        assert_eq!(starts.join_all().await, [const { Ok(()) }; 4]);
    }
}
