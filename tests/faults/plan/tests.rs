//! A plan is what its seed says, and has room for what it holds.

use std::collections::BTreeMap;

use super::*;

const HALF_HOUR: Duration = Duration::from_secs(1800);

#[test]
fn a_seed_says_everything() {
    let plan = Plan::draw(HALF_HOUR, 7, None, "");
    assert_eq!(plan, Plan::draw(HALF_HOUR, 7, None, ""));
    assert_ne!(plan, Plan::draw(HALF_HOUR, 8, None, ""));
}

#[test]
fn half_an_hour_has_more_than_20_of_each_and_room_for_them() {
    let plan = Plan::draw(HALF_HOUR, 1, None, "");
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let kinds = plan.workers.iter().map(|planned| planned.fault.kind());
    let kinds = kinds.chain(plan.brokers.iter().map(|planned| planned.fault.kind()));
    kinds.chain(plan.sink.iter().map(|planned| planned.fault.kind())).for_each(|kind| *counts.entry(kind).or_default() += 1);
    assert_eq!(counts.len(), 10);
    assert!(counts.values().all(|count| *count == 21), "{counts:?}");
    let last = plan.workers.last().unwrap();
    assert!(last.at + last.fault.takes() <= HALF_HOUR, "{last:?}");
}

#[test]
fn three_minutes_have_two_of_each_and_one_has_one() {
    assert_eq!(Plan::draw(Duration::from_secs(180), 1, None, "").workers.len(), 8);
    assert_eq!(Plan::draw(Duration::from_secs(60), 1, None, "").brokers.len(), 1);
}

#[test]
fn a_plan_of_one_kind_fills_the_time() {
    let plan = Plan::draw(HALF_HOUR, 5, Some(3), "SIGSTOP");
    assert_eq!(plan.kinds().into_iter().collect::<Vec<_>>(), ["worker SIGSTOP"]);
    assert!(plan.workers.len() == 3 && plan.workers[2].at > HALF_HOUR / 2);
    assert!(Plan::draw(HALF_HOUR, 5, Some(0), "").kinds().is_empty());
}

#[test]
fn a_broker_is_back_before_the_next_one_goes() {
    let plan = Plan::draw(HALF_HOUR, 3, None, "");
    assert!(plan.brokers.windows(2).all(|pair| pair[0].at + pair[0].fault.down < pair[1].at));
}

#[test]
fn no_stop_is_near_the_length_of_a_session() {
    let plan = Plan::draw(HALF_HOUR, 4, None, "");
    let stops = plan.workers.iter().filter_map(|planned| match planned.fault {
        WorkerFault::Stop(time) => Some(time),
        WorkerFault::Kill | WorkerFault::Rolling | WorkerFault::Scaling => None,
    });
    let (long, short): (Vec<_>, Vec<_>) = stops.partition(|time| *time > SESSION);
    assert!(long.iter().all(|time| *time >= SESSION + Duration::from_secs(3)) && long.len() == 11);
    assert!(short.iter().all(|time| *time <= Duration::from_secs(4)) && short.len() == 10);
}
