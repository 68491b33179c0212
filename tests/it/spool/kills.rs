//! Ingest killed again and again under load, often while Kafka is away. `LEADLINE_TEST_KILLS=100` makes it a long run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use leadline_tests::Stack;
use serde_json::{Value, json};

use super::{Site, poster};

const SENDERS: usize = 16;
/// From so many kills on it is a long run, which must reach what is promised of one.
const LONG_RUN: u64 = 100;
/// Leads accepted in a second while ingest runs.
const RATE: f64 = 500.0;
/// Persons of each sender: a sender waits for each answer, so their order is known.
const PERSONS: usize = 7;

fn body(number: usize) -> String {
    let person = format!("p{}-{}", number % SENDERS, number / SENDERS % PERSONS);
    json!({"UserDetails": {"LastName": number.to_string(), "Email": format!("{person}@contoso.example")}}).to_string()
}

pub(super) fn killed_again_and_again(stack: &Stack) {
    #[allow(clippy::disallowed_methods, reason = "how long the test runs is no configuration of the product")]
    let kills: u64 = std::env::var("LEADLINE_TEST_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(10);
    let site = Site::new(stack, "");
    let (over, up) = (AtomicBool::new(false), AtomicBool::new(false));
    // The last number of each sender.
    let tried: Vec<AtomicUsize> = (0..SENDERS).map(|_| AtomicUsize::new(0)).collect();
    let accepted = Mutex::new(Vec::new());
    let (mut kills_away, mut time_up) = (0, Duration::ZERO);
    thread::scope(|scope| {
        for sender in 0..SENDERS {
            let (site, over, tried, up, accepted) = (&site, &over, &tried, &up, &accepted);
            scope.spawn(move || {
                for number in (sender..).step_by(SENDERS).take_while(|_| !over.load(Ordering::Acquire)) {
                    while !up.load(Ordering::Acquire) && !over.load(Ordering::Acquire) {
                        thread::sleep(Duration::from_millis(1));
                    }
                    tried[sender].store(number, Ordering::Release);
                    if let Some(one) = poster::one(&site.product, number, body(number)) {
                        accepted.lock().unwrap().push(one);
                    }
                }
            });
        }
        let mut is_away = false;
        for kill in 0..kills {
            let mut ingest = site.ingest();
            up.store(true, Ordering::Release);
            let started = Instant::now();
            // Every moment between the first lead and a second later is hit in the course of the run.
            let life = Duration::from_millis(100 + kill * 379 % 900);
            if kill % 2 == 0 {
                thread::sleep(life / 3);
                if is_away {
                    site.back()
                } else {
                    site.away()
                }
                is_away = !is_away;
                thread::sleep(life - life / 3);
            } else {
                thread::sleep(life);
            }
            ingest.process.kill();
            up.store(false, Ordering::Release);
            time_up += started.elapsed();
            kills_away += u64::from(is_away);
        }
        if is_away {
            site.back();
        }
        over.store(true, Ordering::Release);
    });
    let _ingest = site.ingest();
    let accepted = accepted.into_inner().unwrap();
    site.until_published(&accepted.iter().map(|one| one.lead_id.clone()).collect::<Vec<_>>());
    let (mut copies, mut names) = (BTreeMap::<String, Vec<usize>>::new(), BTreeMap::<usize, BTreeSet<String>>::new());
    for record in site.leads() {
        let value: Value = serde_json::from_slice(record.value.as_deref().unwrap()).unwrap();
        let sent: Value = serde_json::from_str(value["raw"].as_str().unwrap()).unwrap();
        let number: usize = sent["UserDetails"]["LastName"].as_str().unwrap().parse().unwrap();
        assert!(number <= tried[number % SENDERS].load(Ordering::Acquire), "a record that was never sent");
        assert_eq!(value["raw"].as_str(), Some(body(number).as_str()), "a record that was changed");
        let id = record.header("ce_id").unwrap();
        names.entry(number).or_default().insert(id.clone());
        copies.entry(id).or_default().push(number);
    }
    // Each was sent once, so a second id of it would be one that nobody was told.
    assert!(names.values().all(|ids| ids.len() == 1), "a lead with two ids");
    assert!(copies.values().all(|numbers| numbers.iter().all(|number| *number == numbers[0])), "an id of two leads");
    let lost = accepted.iter().filter(|one| copies.get(&one.lead_id).is_none_or(|found| found[0] != one.number)).count();
    let twice = copies.values().filter(|numbers| numbers.len() > 1).count();
    let rate = accepted.len() as f64 / time_up.as_secs_f64();
    println!(
        "{kills} kills, {kills_away} of them with Kafka away: {} leads accepted ({rate:.0}/s), {lost} lost; {} ids in the topic, {twice} more \
         than once, {} never answered",
        accepted.len(),
        copies.len(),
        copies.len() - accepted.iter().map(|one| &one.lead_id).collect::<BTreeSet<_>>().len(),
    );
    assert_eq!(lost, 0);
    assert!(accepted.len() > 100 && 10 * kills_away >= 3 * kills, "Kafka is away at three of ten");
    assert!(kills < LONG_RUN || rate >= RATE, "{rate:.0} leads a second are too few to show anything");
    assert_eq!(misplaced(&site, &accepted), 0, "a person's leads keep their order");
}

/// Accepted leads that stand behind a later one of the same person.
fn misplaced(site: &Site<'_>, accepted: &[poster::Accepted]) -> usize {
    let numbers: BTreeMap<&str, usize> = accepted.iter().map(|one| (one.lead_id.as_str(), one.number)).collect();
    let (mut seen, mut last, mut misplaced) = (BTreeSet::new(), BTreeMap::new(), 0);
    for record in site.leads() {
        let id = record.header("ce_id").unwrap();
        let Some(number) = numbers.get(id.as_str()).filter(|_| seen.insert(id.clone())) else { continue };
        let latest: &mut usize = last.entry(record.key.unwrap()).or_default();
        misplaced += usize::from(*number < *latest);
        *latest = (*latest).max(*number);
    }
    misplaced
}
