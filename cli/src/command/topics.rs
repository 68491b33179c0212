//! `leadline topics create`: the topics as the product needs them, and what they really are.

use std::path::Path;
use std::process::ExitCode;

use leadline_platform::config::Settings;
use leadline_platform::config::sections::Kafka;
use leadline_platform::kafka::rdkafka::error::RDKafkaErrorCode;
use leadline_platform::kafka::topics::{Created, TopicPlan, Topics as Client};
use leadline_platform::process::{Exit, Fatal, Process};
use leadline_proto::config::Topics;
use leadline_proto::topics::{Spec, Topic};

use super::block_on;
use crate::product;

/// What to do when there are fewer brokers than copies.
const FEW_BROKERS: &str = "; with fewer than 3 brokers set `topics.replication` and `topics.min_insync_replicas`";

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Create the topics that do not exist, and show all of them
    Create,
}

pub(crate) fn run(command: &Command, file: Option<&Path>) -> Result<ExitCode, Fatal> {
    let Command::Create = command;
    let process = Process::new(product::settings(file, None)?)?;
    leadline_platform::log::start(&process.sections.log).map_err(Fatal::internal)?;
    let topics: Topics = process.settings.section("topics")?;
    println!("creating topics at {}", process.sections.kafka.bootstrap);
    block_on(create(&process.sections.kafka, &process.settings, &topics, true))?;
    Ok(Exit::Done.into())
}

/// Creates what is missing and reads back every topic; `show` prints a line for each.
pub(crate) async fn create(kafka: &Kafka, settings: &Settings, topics: &Topics, show: bool) -> Result<(), Fatal> {
    let sinks = product::sinks(settings)?;
    let plans: Vec<TopicPlan> = Topic::all(&sinks).iter().map(|topic| plan(topic, topics)).collect();
    let client = Client::new(kafka).map_err(Fatal::usage)?;
    let away = |error| Fatal::unavailable(format!("Kafka at {} does not answer: {error}", kafka.bootstrap));
    let mut wrong = Vec::new();
    for (name, created) in client.create(&plans).await.map_err(away)? {
        if let Created::Failed(code) = created {
            let few = code == RDKafkaErrorCode::InvalidReplicationFactor;
            let hint = if few { FEW_BROKERS } else { "" };
            return Err(Fatal::usage(format!("the topic {name} cannot be created: {code}{hint}")));
        }
        let Some(facts) = client.facts(&name).await.map_err(away)? else { continue };
        let wanted = plans.iter().find(|plan| plan.name == name).map_or(0, |plan| plan.partitions);
        if show {
            let state = if created == Created::New { "created" } else { "exists" };
            let min = facts.min_insync_replicas.map_or("?".to_owned(), |min| min.to_string());
            println!(
                "{state:8} {name}: {} partitions, replication {}, min.insync.replicas {min}",
                facts.partitions, facts.replication
            );
        }
        if usize::try_from(wanted) != Ok(facts.partitions) {
            wrong.push(format!("{name} has {} instead of {wanted}", facts.partitions));
        }
        if show && (facts.replication < 3 || facts.min_insync_replicas.is_some_and(|min| min < 2)) {
            println!("         warning: below replication 3, or min.insync.replicas 2, losing brokers can lose leads");
        }
    }
    if wrong.is_empty() {
        return Ok(());
    }
    let hint = "set `topics.partitions` to what `leads` has, or make the others anew while they are empty";
    Err(Fatal::usage(format!("wrong number of partitions: {}; {hint}", wrong.join(", "))))
}

fn plan(topic: &Topic, topics: &Topics) -> TopicPlan {
    let Spec { partitions, retention, max_message_bytes } = topic.spec();
    let mut settings = vec![
        ("max.message.bytes", max_message_bytes.to_string()),
        ("min.insync.replicas", topics.min_insync_replicas.to_string()),
        ("unclean.leader.election.enable", "false".to_owned()),
    ];
    match retention {
        Some(time) => {
            settings.push(("cleanup.policy", "delete".to_owned()));
            settings.push(("retention.ms", time.as_millis().to_string()));
            // The segment that is being written is never deleted: small segments keep personal data not much longer than said.
            settings.push(("segment.ms", (time.as_millis() / 7).to_string()));
        }
        None => settings.push(("cleanup.policy", "compact".to_owned())),
    }
    let partitions = partitions.unwrap_or(topics.partitions);
    TopicPlan { name: topics.name(topic), partitions, replication: topics.replication, settings }
}
