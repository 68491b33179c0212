//! `leadline endpoint`: the URLs that are entered in Partner Center, and their tokens.
//!
//! The configuration file is edited in place, so that what a person wrote there stays: what changes is in `edit`, how a file is
//! replaced in `file`. A token itself is printed once and stored nowhere.

mod edit;
mod file;
mod list;
mod new;
mod tokens;

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use leadline_ingest::route;
use leadline_platform::config::Settings;
use leadline_platform::process::{Exit, Fatal};
use leadline_proto::config::{Endpoint, Endpoints};
use leadline_proto::names::TokenName;
use leadline_proto::{EndpointName, SinkName};

use crate::product;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Make an endpoint with its first token; the URL is shown once and stored nowhere
    New(NewArgs),
    /// Show all endpoints, their offers and sinks, and their tokens with id and end
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Make another token for an endpoint, and let those it has come to an end; the new URL is shown once
    Rotate(RotateArgs),
    /// Remove a token: whoever has it cannot post any more
    Revoke(RevokeArgs),
}

#[derive(Debug, clap::Args)]
pub(crate) struct NewArgs {
    /// Name of the endpoint: a-z, 0-9 and -
    name: EndpointName,
    /// Who is told about its leads: addresses separated by ;
    #[arg(long, value_name = "ADDRESSES")]
    contacts: Option<String>,
    /// The offer that its leads are for, such as contoso.backup
    #[arg(long, value_name = "ID")]
    offer_id: Option<String>,
    /// Sinks that get its leads, separated by commas; without it all
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    sinks: Option<Vec<SinkName>>,
    #[command(flatten)]
    common: CommonArgs,
}

#[derive(Debug, clap::Args)]
pub(crate) struct RotateArgs {
    /// Name of the endpoint
    name: EndpointName,
    /// How long the tokens it has stay good
    #[arg(long, value_name = "TIME", default_value = "7d", value_parser = humantime::parse_duration)]
    grace: Duration,
    #[command(flatten)]
    common: CommonArgs,
}

#[derive(Debug, clap::Args)]
pub(crate) struct RevokeArgs {
    /// Name of the endpoint
    name: EndpointName,
    /// Id of the token, as `leadline endpoint list` shows it
    #[arg(long, value_name = "ID")]
    token: String,
    /// Only print the lines; leave the configuration file as it is
    #[arg(long)]
    print: bool,
}

/// What a new token needs.
#[derive(Debug, clap::Args)]
// Its group would be named as that of each command that flattens it; clap wants names to differ.
#[group(skip)]
struct CommonArgs {
    /// What the new token is called in metrics and lists; without it by the first digits of its hash
    #[arg(long, value_name = "NAME")]
    token_name: Option<TokenName>,
    /// Where ingest is reached from the internet, such as https://leads.example.com
    #[arg(long, value_name = "URL", default_value = "https://YOUR-HOST")]
    public_url: String,
    /// Only print the lines for the configuration; leave its file as it is
    #[arg(long)]
    print: bool,
}

impl CommonArgs {
    /// Prints the URL that holds a token.
    fn show(&self, name: &EndpointName, token: &str) {
        println!("Enter this URL in Partner Center. It is a secret and is not shown again:\n");
        println!("  {}\n", route::url(&self.public_url, name, token));
    }
}

/// A new secret: 256 random bits as 64 hex digits.
pub(crate) fn secret() -> String {
    hex::encode(rand::random::<[u8; 32]>())
}

pub(crate) fn run(command: &Command, file: Option<&Path>) -> Result<ExitCode, Fatal> {
    let settings = product::settings(file, None)?;
    let endpoints = leadline_runtime::worker::read_endpoints(&settings)?;
    match command {
        Command::New(args) => new::run(args, &settings, &endpoints)?,
        Command::List { json } => list::run(*json, &settings, &endpoints)?,
        Command::Rotate(args) => tokens::rotate(args, &settings, &endpoints)?,
        Command::Revoke(args) => tokens::revoke(args, &settings, &endpoints)?,
    }
    Ok(Exit::Done.into())
}

/// The endpoint of this name.
fn known<'a>(endpoints: &'a Endpoints, name: &EndpointName) -> Result<&'a Endpoint, Fatal> {
    endpoints.get(name).ok_or_else(|| {
        let names: Vec<&str> = endpoints.keys().map(EndpointName::as_str).collect();
        let there_are = if names.is_empty() { "the configuration has none".to_owned() } else { names.join(", ") };
        Fatal::usage(format!("there is no endpoint `{name}`; there are: {there_are}"))
    })
}

/// The file that is edited; without one there is nothing to edit.
fn open(settings: &Settings) -> Result<file::ConfigFile, Fatal> {
    let missing = || Fatal::usage("there is no configuration file to edit; name one by --config, or use --print");
    file::ConfigFile::open(settings.file().ok_or_else(missing)?)
}
