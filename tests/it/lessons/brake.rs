//! The brake: a bad deploy must not move a topic into the dead letters.

use leadline_proto::control::{BrakeRule, Braked, Change};
use leadline_tests::smtp::address;
use leadline_tests::{Stack, eventually};

use super::line::{Line, PARTITIONS, copies, figure, lead, own, record, unready, wait_for_figure};
use crate::support::{PATIENCE, Running};

const ENGAGED: &str = "leadline_brake_engaged";
/// Leads that may be given up in a row.
const RUN: usize = 20;

pub(super) fn a_bad_deploy_is_stopped(stack: &Stack) {
    let good = own(stack, "deploy");
    let bad = address::refused(550, &good);
    let line = Line::new(stack, stack.smtp(), "smtp.connections = 10", "", &[("deploy", &bad)]);
    let leads = line.put_many("deploy", "p", 60);
    let mut first = line.spawn_email();
    expect_braked(&line, &first);
    let dead = line.records("dlq").len();
    assert_eq!(dead, RUN, "dead letters before the line was stopped");

    // Neither another worker nor another start goes on.
    let mut second = line.spawn_email();
    expect_braked(&line, &second);
    assert_eq!((first.stop(), second.stop()), (0, 0));
    mend(&line, &bad, &good);
    let third = line.spawn_email();
    expect_braked(&line, &third);
    assert_eq!((line.records("dlq").len(), line.outcomes().len()), (dead, dead), "the others are neither dead nor delivered");

    line.control(&Change::Unbrake(line.product.email_sink.parse().unwrap()));
    let outcomes = line.ended(&leads, PATIENCE);
    third.wait_until_ready();
    assert_eq!(figure(&third, ENGAGED, ""), 0.0);
    assert_eq!((outcomes.len(), line.records("dlq").len()), (leads.len(), dead));
    let copies = copies(stack.smtp(), &good);
    assert_eq!((copies.len(), copies.values().max()), (leads.len() - dead, Some(&1)));
}

/// Puts the right address into the configuration, as the next deploy does.
fn mend(line: &Line<'_>, bad: &str, good: &str) {
    let config = std::fs::read_to_string(line.product.config()).unwrap();
    std::fs::write(line.product.config(), config.replace(bad, good)).unwrap();
}

/// The worker has stopped for its brake, which stands on the topic of settings and not with the worker.
fn expect_braked(line: &Line<'_>, worker: &Running) -> Braked {
    let what = "the brake is engaged";
    eventually(what, PATIENCE, || (worker.admin("/metrics").is_some() && figure(worker, ENGAGED, "") == 1.0).then_some(()));
    let why = unready(worker);
    assert!(why.contains("its brake is not engaged"), "{why}");
    eventually("the brake stands on the topic of settings", PATIENCE, || {
        line.records("control").iter().find_map(|record| {
            let change = Change::read(record.key.as_ref()?, record.value.as_deref())?;
            if let Change::Brake(sink, braked) = change {
                (sink.as_str() == line.product.email_sink).then_some(braked)
            } else {
                None
            }
        })
    })
}

pub(super) fn it_counts_by_ratio(stack: &Stack) {
    let (good, bad) = (own(stack, "good"), address::refused(550, &own(stack, "bad")));
    let brake = "[worker.brake]\nrun = 1000\n";
    let endpoints: [(&str, &str); 2] = [("good", &good), ("bad", &bad)];
    let line = Line::new(stack, stack.smtp(), "smtp.connections = 2", brake, &endpoints);
    // One in three can be delivered, so no run gets long.
    let leads = (0..60).map(|number| {
        let endpoint = if number % 3 == 0 { "good" } else { "bad" };
        record(&lead(endpoint, &format!("p{number}"), ""), number % PARTITIONS)
    });
    line.put(&leads.collect::<Vec<_>>());
    let worker = line.spawn_email();
    let braked = expect_braked(&line, &worker);
    println!("{braked}");
    assert_eq!((braked.rule, braked.code.as_str()), (BrakeRule::Ratio, "smtp-rcpt-550"));
    assert!(braked.seen > 20 && braked.given_up * 2 > braked.seen, "{braked}");
    wait_for_figure(&worker, "leadline_in_flight_leads", "", |leads| leads == 0.0);
    let dead = line.records("dlq").len();
    assert!(dead < 40, "{dead} of 40 leads that cannot be delivered are in the dead letters");
}
