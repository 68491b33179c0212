//! The spool on a disk that forgets at a kill whatever was not synced, names included, and on one that fails.

mod fake_disk;

use std::time::Duration;

use futures::future::join_all;

use self::fake_disk::{Failing, FakeDisk};
use super::entry::Entry;
use super::entry::tests::record;
use super::{NotSpooled, Spool};

const LIMIT: usize = 1024 * 1024;

/// Everything that lies in a spool, in order: number, key, value.
async fn contents(spool: &Spool) -> Vec<(u64, String, String)> {
    let numbers = spool.shared.index().oldest(usize::MAX, usize::MAX).into_iter().map(|(number, _)| number).collect();
    let entries = spool.read(numbers).await.into_iter();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let contents = entries.map(|(number, bytes)| {
        let record = Entry::decode(&bytes).unwrap().record("leads");
        (number, text(record.key.unwrap()), text(record.value.unwrap()))
    });
    contents.collect()
}

async fn texts(spool: &Spool) -> Vec<String> {
    let value = |value: String| serde_json::from_str::<serde_json::Value>(&value).unwrap()["text"].as_str().unwrap().to_owned();
    contents(spool).await.into_iter().map(|(_, _, text)| value(text)).collect()
}

/// The file is closed by the thread, some time after the last handle is dropped.
async fn closed(disk: &FakeDisk) {
    while disk.is_open() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn entries_keep_their_order_and_survive_a_restart() {
    let disk = FakeDisk::default();
    let spool = Spool::on(disk.clone(), LIMIT).unwrap();
    for text in ["1", "2", "3"] {
        spool.append(&record("ada", text)).await.unwrap();
    }
    assert!(spool.holds("ada") && !spool.holds("bob"));
    drop(spool);
    closed(&disk).await;
    let spool = Spool::on(disk, LIMIT).unwrap();
    assert_eq!(texts(&spool).await, ["1", "2", "3"]);
    assert!(spool.holds("ada") && spool.is_kafka_away());
    assert_eq!(spool.append(&record("ada", "4")).await, Ok(4));
}

#[tokio::test]
async fn what_kafka_has_is_gone_and_nobody_waits_for_it() {
    let disk = FakeDisk::default();
    let spool = Spool::on(disk.clone(), LIMIT).unwrap();
    let first = spool.append(&record("ada", "1")).await.unwrap();
    spool.append(&record("bob", "2")).await.unwrap();
    spool.remove(vec![first]);
    assert_eq!(texts(&spool).await, ["2"]);
    assert!(!spool.holds("ada"));
    drop(spool);
    closed(&disk).await;
    assert_eq!(texts(&Spool::on(disk, LIMIT).unwrap()).await, ["2"]);
}

#[tokio::test]
async fn what_kafka_refuses_is_kept_apart_and_can_be_tried_again() {
    let disk = FakeDisk::default();
    let spool = Spool::on(disk.clone(), LIMIT).unwrap();
    let first = spool.append(&record("ada", "1")).await.unwrap();
    spool.append(&record("ada", "2")).await.unwrap();
    spool.refuse(first);
    spool.append_refused(&record("ada", "3")).await.unwrap();
    assert_eq!(texts(&spool).await, ["2"]);
    assert_eq!((spool.figures().refused, spool.figures().entries), (2, 1));
    drop(spool);
    closed(&disk).await;
    let spool = Spool::on(disk, LIMIT).unwrap();
    assert_eq!((spool.figures().refused, spool.figures().entries), (2, 1));
    spool.requeue().await;
    assert_eq!(texts(&spool).await, ["1", "2", "3"]);
    assert_eq!(spool.figures().refused, 0);
}

#[tokio::test]
async fn it_is_full_at_its_limit_and_takes_again_after_a_removal() {
    let spool = Spool::on(FakeDisk::default(), 1000).unwrap();
    let mut numbers = Vec::new();
    let full = loop {
        match spool.append(&record("ada", "a text of some length")).await {
            Ok(number) => numbers.push(number),
            Err(error) => break error,
        }
    };
    assert_eq!(full, NotSpooled::Full);
    assert!(numbers.len() > 2 && spool.figures().bytes <= 1000);
    spool.remove(numbers);
    assert!(texts(&spool).await.is_empty());
    assert!(spool.append(&record("ada", "x")).await.is_ok());
}

/// What a run has written, and what it was told.
#[derive(Default)]
struct Told {
    asked: Vec<String>,
    promised: Vec<(u64, String)>,
    removed: Vec<String>,
}

/// Writes entries in groups, and removes some.
async fn write_some(disk: &FakeDisk, seed: u64) -> Told {
    let mut told = Told::default();
    let spool = Spool::on(disk.clone(), LIMIT).unwrap();
    for round in 0..20 {
        let texts: Vec<String> = (0..1 + seed % 7).map(|one| format!("{seed}/{round}/{one}")).collect();
        let written = join_all(texts.iter().map(async |text| spool.append(&record(text, text)).await)).await;
        told.promised.extend(written.into_iter().zip(&texts).filter_map(|(written, text)| Some((written.ok()?, text.clone()))));
        told.asked.extend(texts);
        if round % 3 == 2
            && let Some((number, text)) = told.promised.get(told.removed.len()).cloned()
        {
            spool.remove(vec![number]);
            told.removed.push(text);
        }
    }
    spool.settled_figures().await;
    told
}

/// Every entry whose append has returned is there after a kill at any moment; nothing else appears, and what Kafka has acknowledged
/// may or may not be there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_was_promised_is_forgotten_at_a_kill() {
    let whole = FakeDisk::default();
    drop(Spool::on(whole.clone(), LIMIT).unwrap());
    let (opening, mut killed_amid) = (whole.operations(), 0);
    write_some(&whole, 3).await;
    let most = whole.operations();
    for seed in 0..200 {
        let life = opening / 2 + usize::try_from(seed).unwrap() * 7919 % most;
        let disk = FakeDisk::killed_after(life);
        let Told { asked, promised, removed } = write_some(&disk, seed).await;
        killed_amid += usize::from(!promised.is_empty() && promised.len() < asked.len());
        let found = texts(&Spool::on(disk.after_the_kill(seed), LIMIT).unwrap()).await;
        for (_, text) in &promised {
            assert!(found.contains(text) || removed.contains(text), "seed {seed}: {text} was promised and is not there");
        }
        for text in &found {
            assert!(asked.contains(text), "seed {seed}: {text} was never written");
        }
    }
    assert!(killed_amid > 50, "only {killed_amid} kills fell between the first entry and the last");
}

#[tokio::test]
async fn a_full_disk_refuses_new_entries_lets_old_ones_go_and_recovers() {
    let disk = FakeDisk::default();
    let spool = Spool::on(disk.clone(), LIMIT).unwrap();
    let first = spool.append(&record("ada", "1")).await.unwrap();
    disk.fail(Failing::UntilReleased);
    assert_eq!(spool.append(&record("ada", "2")).await, Err(NotSpooled::Unusable));
    assert!(!spool.figures().usable);
    spool.remove(vec![first]);
    while spool.figures().entries > 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    disk.fail(Failing::Not);
    while !spool.figures().usable {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    spool.append(&record("ada", "3")).await.unwrap();
    assert_eq!(texts(&spool).await, ["3"]);
}

#[tokio::test]
async fn a_disk_that_cannot_be_written_is_tried_until_it_can() {
    let disk = FakeDisk::default();
    disk.fail(Failing::Always);
    let spool = Spool::on(disk.clone(), LIMIT).unwrap();
    assert_eq!(spool.append(&record("ada", "1")).await, Err(NotSpooled::Unusable));
    disk.fail(Failing::Not);
    while !spool.figures().usable {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(spool.append(&record("ada", "1")).await.is_ok());
}

#[tokio::test]
async fn of_a_damaged_file_every_whole_entry_is_taken_over_and_the_file_is_kept() {
    let disk = FakeDisk::default();
    let spool = Spool::on(disk.clone(), LIMIT).unwrap();
    for number in 0..50 {
        spool.append(&record("ada", &format!("number {number} {}", "x".repeat(500)))).await.unwrap();
    }
    drop(spool);
    closed(&disk).await;
    disk.damage("number 7 ");
    let spool = Spool::on(disk.clone(), LIMIT).unwrap();
    let found = texts(&spool).await;
    assert_eq!(found.len(), 49);
    assert!(!found.iter().any(|text| text.starts_with("number 7 ")) && found[48].starts_with("number 49 "));
    assert_eq!(spool.figures().damaged, 1);
    assert!(disk.names().iter().any(|name| name.contains("broken")));
    assert!(spool.append(&record("ada", "next")).await.is_ok());
    drop(spool);
    closed(&disk).await;
    let spool = Spool::on(disk, LIMIT).unwrap();
    assert_eq!((texts(&spool).await.len(), spool.figures().damaged), (50, 0));
}

#[tokio::test]
async fn a_file_that_is_something_else_is_kept_and_replaced() {
    let disk = FakeDisk::default();
    disk.put("spool.redb", b"not a database at all".to_vec());
    let spool = Spool::on(disk.clone(), LIMIT).unwrap();
    assert!(spool.append(&record("ada", "1")).await.is_ok());
    assert_eq!(disk.names().len(), 2);
}
