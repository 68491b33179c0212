//! `leadline config default | check`

use std::path::Path;
use std::process::ExitCode;

use leadline_ingest::prepared::Prepared;
use leadline_platform::config::sections::Sections;
use leadline_platform::process::{Exit, Fatal};
use leadline_proto::config::Topics;

use crate::product;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Print the commented defaults: a configuration file to start from
    Default,
    /// Read the whole configuration and say what it means, or which key is wrong
    Check,
}

pub(crate) fn run(command: &Command, file: Option<&Path>) -> Result<ExitCode, Fatal> {
    match command {
        Command::Default => print!("{}", product::defaults().join("\n")),
        Command::Check => check(file)?,
    }
    Ok(Exit::Done.into())
}

fn check(file: Option<&Path>) -> Result<(), Fatal> {
    let settings = product::settings(file, None)?;
    let sections = Sections::read(&settings)?;
    let topics: Topics = settings.section("topics")?;
    let endpoints = leadline_runtime::worker::read_endpoints(&settings)?;
    leadline_ingest::config::Ingest::read(&settings)?;
    Prepared::build(&endpoints, settings.folder())?;
    let worker = leadline_runtime::config::Worker::read(&settings, &sections.lifecycle)?;
    println!("kafka      {}", sections.kafka.bootstrap);
    println!("topics     {} and others, {} partitions each", topics.leads, topics.partitions);
    let sinks = product::sinks(&settings)?;
    for sink in &sinks {
        let kind = product::check_sink(&settings, sink, &endpoints, worker.deadlines())?;
        println!("sink       {sink} (kind {kind})");
    }
    for (name, endpoint) in &endpoints {
        let fed: Vec<&str> = sinks.iter().filter(|sink| endpoint.routes_to(sink)).map(|sink| sink.as_str()).collect();
        let (tokens, contacts) = (endpoint.tokens.len(), endpoint.contacts.addresses().len());
        println!("endpoint   {name}: {tokens} tokens, {contacts} contacts, sinks: {}", fed.join(", "));
    }
    if endpoints.is_empty() || sinks.is_empty() {
        println!("note       leads need at least one endpoint and one sink");
    }
    println!("the configuration is good");
    Ok(())
}
