//! `leadline rejected resubmit`: a rejected body, as it is or repaired, becomes a lead on the topic `leads`, just as ingest would
//! have made it. Its id comes from the rejected one, so a second time changes nothing.

use std::path::PathBuf;
use std::process::ExitCode;

use leadline_ingest::config::Ingest;
use leadline_ingest::prepared::Prepared;
use leadline_ingest::read::{self, NoLead, Origin};
use leadline_platform::config::Settings;
use leadline_platform::process::{Exit, Fatal};
use leadline_proto::config::Endpoints;
use leadline_proto::headers::REDELIVERY;
use leadline_proto::keys::PersonHasher;
use leadline_proto::topics::Topic;
use leadline_proto::{AcceptedLead, LeadKind, RejectedBody};
use secrecy::ExposeSecret;
use uuid::Uuid;

use super::{CLIENT, edit};
use crate::command::BAD_RESULT;
use crate::command::block_on;
use crate::command::site::Site;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The id, as the list and the answer to the sender have it
    id: Uuid,

    /// Repair it in $EDITOR first
    #[arg(long, conflicts_with = "file")]
    edit: bool,

    /// Take the repaired body from this file
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

/// What makes a lead of a body, the same as in ingest.
struct Maker {
    config: Ingest,
    prepared: Prepared,
    hasher: PersonHasher,
}

/// Why nothing was published. Repeats nothing of the body.
#[derive(Debug, thiserror::Error)]
pub(super) enum Still {
    #[error("it is still not a lead: {name}: {why}", name = why.kind().name())]
    NoLead { why: NoLead },
    #[error("it is larger than `ingest.body_limit`, {0} bytes")]
    TooLarge(usize),
}

pub(super) fn run(args: &Args, site: &Site, settings: &Settings) -> Result<ExitCode, Fatal> {
    let maker = Maker::new(settings)?;
    let Some(rejected) = super::find(site, args.id)? else { return Ok(BAD_RESULT.into()) };
    if maker.prepared.get(&rejected.endpoint).is_none() {
        let endpoint = &rejected.endpoint;
        return Err(Fatal::usage(format!("the endpoint `{endpoint}` it was posted to is not in the configuration")));
    }
    let made = if args.edit {
        edit::until_good(&rejected.body, |body| maker.lead(&rejected, body))?
    } else {
        Some(maker.lead(&rejected, &args.body(&rejected)?))
    };
    match made {
        Some(Ok(lead)) => {
            block_on(publish(site, &lead))?;
            let test = if lead.kind() == LeadKind::Test { ", a test lead" } else { "" };
            println!("resubmitted as lead {}{test}", lead.lead_id);
            Ok(Exit::Done.into())
        }
        Some(Err(still)) => {
            eprintln!("{still}; nothing was published");
            Ok(BAD_RESULT.into())
        }
        None => {
            eprintln!("nothing was published");
            Ok(BAD_RESULT.into())
        }
    }
}

impl Args {
    /// The body that is resubmitted without an editor.
    fn body(&self, rejected: &RejectedBody) -> Result<Vec<u8>, Fatal> {
        let Some(file) = &self.file else { return Ok(rejected.body.clone()) };
        std::fs::read(file).map_err(|error| Fatal::usage(format!("{} cannot be read: {error}", file.display())))
    }
}

impl Maker {
    fn new(settings: &Settings) -> Result<Self, Fatal> {
        let config = Ingest::read(settings)?;
        let endpoints: Endpoints = settings.section("endpoints")?;
        let prepared = Prepared::build(&endpoints, settings.folder())?;
        let hasher = PersonHasher::new(config.person_key.expose_secret().as_bytes());
        Ok(Self { config, prepared, hasher })
    }

    fn lead(&self, rejected: &RejectedBody, body: &[u8]) -> Result<AcceptedLead, Still> {
        if body.len() > self.config.body_limit {
            return Err(Still::TooLarge(self.config.body_limit));
        }
        let RejectedBody { endpoint, received_at, .. } = rejected;
        let origin = Origin { lead_id: rejected.lead_id(), endpoint, received_at: *received_at };
        let nothing = Default::default();
        let prepared = self.prepared.get(endpoint).unwrap_or(&nothing);
        let (lead, _) = read::lead(body, origin, prepared, &self.hasher).map_err(|why| Still::NoLead { why })?;
        if lead.encode().len() > self.config.largest_message() {
            return Err(Still::TooLarge(self.config.body_limit));
        }
        Ok(lead)
    }
}

async fn publish(site: &Site, lead: &AcceptedLead) -> Result<(), Fatal> {
    let producer = site.producer(CLIENT)?;
    site.must_exist(&producer, &Topic::Leads)?;
    let mut record = read::record(&site.name(&Topic::Leads), lead);
    // It may have been resubmitted before: workers look for its outcome first.
    record.headers.push((REDELIVERY.into(), b"1".to_vec()));
    producer.publish(&record).await.map(drop).map_err(|error| site.not_written(&Topic::Leads, &error))
}
