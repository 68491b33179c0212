//! `leadline endpoint new`: the URL that is entered in Partner Center, and what goes into the configuration.

use std::path::Path;
use std::process::ExitCode;

use leadline_platform::process::{Exit, Fatal};
use leadline_proto::EndpointName;
use leadline_proto::config::{Endpoints, TokenHash};

use crate::product;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Make a token for a new endpoint; the URL is shown once and stored nowhere
    New {
        /// Name of the endpoint: a-z, 0-9 and -
        name: EndpointName,
        /// Where ingest is reached from the internet, such as https://leads.example.com
        #[arg(long, value_name = "URL", default_value = "https://YOUR-HOST")]
        public_url: String,
    },
}

/// A new secret: 256 random bits as 64 hex digits.
pub(crate) fn secret() -> String {
    hex::encode(rand::random::<[u8; 32]>())
}

pub(crate) fn run(command: &Command, file: Option<&Path>) -> Result<ExitCode, Fatal> {
    let Command::New { name, public_url } = command;
    let settings = product::settings(file, None)?;
    let endpoints: Endpoints = settings.section("endpoints")?;
    if endpoints.contains_key(name) {
        return Err(Fatal::usage(format!("the configuration has an endpoint `{name}` already; add a token to it by hand")));
    }
    let token = secret();
    println!("Enter this URL in Partner Center. It is a secret and is not shown again:\n");
    println!("  {}/v1/leads/{name}?sig={token}\n", public_url.trim_end_matches('/'));
    println!("Put these lines into the configuration:\n");
    println!("  [endpoints.{name}]");
    println!("  tokens = [\"{}\"]", String::from(TokenHash::of(&token)));
    println!("  contacts = \"sales@example.com; partner@example.com\"");
    if leadline_ingest::config::Ingest::read(&settings).is_err() {
        println!("\nand, once for all endpoints, a secret that must never change:\n");
        println!("  [ingest]");
        println!("  person_key = \"{}\"", secret());
    }
    Ok(Exit::Done.into())
}
