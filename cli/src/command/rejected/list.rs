//! `leadline rejected list`: how many of what kind, and their ids. Never a body.

use std::collections::BTreeMap;
use std::process::ExitCode;

use jiff::Timestamp;
use leadline_platform::process::{Exit, Fatal};
use leadline_proto::{Code, EndpointName, RejectedBody};
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

use crate::command::site::Site;
use crate::command::times::{moment, time};

/// Ids that are listed of a group for people, the latest; `--json` lists all.
const LISTED: usize = 10;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only those of this endpoint
    #[arg(long, value_name = "ENDPOINT")]
    endpoint: Option<EndpointName>,

    /// Only those received at this time or later: 2026-11-22T10:00:00Z, 2026-11-22 (UTC), or how long ago: 1d
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<Timestamp>,

    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// The bodies of one endpoint that were rejected for one reason.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Group {
    endpoint: EndpointName,
    reason: Code,
    count: usize,
    first: Timestamp,
    last: Timestamp,
    /// The latest last.
    ids: Vec<Uuid>,
}

pub(super) fn run(args: &Args, site: &Site) -> Result<ExitCode, Fatal> {
    let mut listed = Vec::new();
    super::read(site, |rejected| {
        if args.takes(&rejected) {
            let RejectedBody { id, endpoint, reason, received_at, .. } = rejected;
            listed.push((endpoint, reason, received_at, id));
        }
    })?;
    let count = listed.len();
    let groups = group(listed);
    if args.json {
        println!("{}", json!({"count": count, "groups": groups}));
        return Ok(Exit::Done.into());
    }
    println!("{count} rejected bodies");
    groups.iter().for_each(Group::print);
    if count > 0 {
        println!("next: leadline rejected show ID | resubmit ID --edit");
    }
    Ok(Exit::Done.into())
}

impl Args {
    fn takes(&self, rejected: &RejectedBody) -> bool {
        self.endpoint.as_ref().is_none_or(|endpoint| *endpoint == rejected.endpoint)
            && self.since.is_none_or(|since| rejected.received_at >= since)
    }
}

fn group(mut listed: Vec<(EndpointName, Code, Timestamp, Uuid)>) -> Vec<Group> {
    listed.sort_by_key(|(.., received_at, id)| (*received_at, *id));
    let mut groups: BTreeMap<_, Group> = BTreeMap::new();
    for (endpoint, reason, at, id) in listed {
        let key = (endpoint.clone(), reason.clone());
        let empty = || Group { endpoint, reason, count: 0, first: at, last: at, ids: Vec::new() };
        let group = groups.entry(key).or_insert_with(empty);
        group.count += 1;
        group.last = at;
        group.ids.push(id);
    }
    groups.into_values().collect()
}

impl Group {
    fn print(&self) {
        let Self { endpoint, reason, count, first, last, ids } = self;
        println!("{endpoint}: {count} {reason}, {} to {}", moment(*first), moment(*last));
        ids.iter().rev().take(LISTED).for_each(|id| println!("  {id}"));
        if ids.len() > LISTED {
            println!("  … and {} earlier; --json lists all", ids.len() - LISTED);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rejected(endpoint: &str, reason: &'static str, second: i64, id: u128) -> (EndpointName, Code, Timestamp, Uuid) {
        (endpoint.parse().unwrap(), Code::of(reason), Timestamp::from_second(second).unwrap(), Uuid::from_u128(id))
    }

    #[test]
    fn bodies_are_grouped_by_endpoint_and_reason() {
        let groups = group(vec![
            rejected("b", "not-json", 5, 1),
            rejected("a", "not-utf8", 9, 2),
            rejected("b", "not-json", 3, 3),
            rejected("b", "not-utf8", 4, 4),
        ]);
        let told: Vec<_> = groups.iter().map(|group| (group.endpoint.as_str(), group.reason.as_str(), group.count)).collect();
        assert_eq!(told, [("a", "not-utf8", 1), ("b", "not-json", 2), ("b", "not-utf8", 1)]);
        assert_eq!((groups[1].first.as_second(), groups[1].last.as_second()), (3, 5));
        assert_eq!(groups[1].ids, [Uuid::from_u128(3), Uuid::from_u128(1)], "the latest last");
    }

    #[test]
    fn a_filter_takes_one_endpoint_and_what_is_not_older() {
        let body = |endpoint: &str, second| RejectedBody {
            id: Uuid::nil(),
            endpoint: endpoint.parse().unwrap(),
            reason: Code::of("not-json"),
            received_at: Timestamp::from_second(second).unwrap(),
            body: Vec::new(),
        };
        let args = Args { endpoint: "a".parse().ok(), since: Timestamp::from_second(5).ok(), json: false };
        let taken = [("a", 5), ("a", 4), ("b", 5)].map(|(endpoint, second)| args.takes(&body(endpoint, second)));
        assert_eq!(taken, [true, false, false]);
    }
}
