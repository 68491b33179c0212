//! `leadline endpoint new`: an endpoint and its first token.

use leadline_platform::config::Settings;
use leadline_platform::process::Fatal;
use leadline_proto::SinkName;
use leadline_proto::config::{Endpoints, TokenHash};

use super::edit::{self, NewEndpoint};
use super::file::ConfigFile;
use super::{NewArgs, secret};

/// Stands in printed lines for what the operator has not said.
const SOMEBODY: &str = "sales@example.com; partner@example.com";

pub(super) fn run(args: &NewArgs, settings: &Settings, endpoints: &Endpoints) -> Result<(), Fatal> {
    let name = &args.name;
    if endpoints.contains_key(name) {
        let why =
            format!("there is an endpoint `{name}` already; `leadline endpoint rotate {name}` makes another token for it");
        return Err(Fatal::usage(why));
    }
    let new = New { args, token: secret(), person_key: leadline_ingest::config::Ingest::read(settings).is_err().then(secret) };
    match settings.file().filter(|_| !args.common.print) {
        Some(file) => new.write(&ConfigFile::open(file)?),
        None => {
            new.print();
            Ok(())
        }
    }
}

/// What is to be written or printed.
struct New<'a> {
    args: &'a NewArgs,
    token: String,
    /// Set when the configuration has none yet.
    person_key: Option<String>,
}

impl New<'_> {
    fn hash(&self) -> TokenHash {
        TokenHash::of(&self.token)
    }

    fn endpoint(&self) -> NewEndpoint<'_> {
        let NewArgs { contacts, offer_id, sinks, common, .. } = self.args;
        NewEndpoint {
            token: edit::token(&self.hash(), None, common.token_name.as_ref()),
            contacts: contacts.as_deref(),
            offer_id: offer_id.as_deref(),
            sinks: sinks.as_ref().map(|sinks| sinks.iter().map(SinkName::as_str).collect()),
        }
    }

    fn write(&self, file: &ConfigFile) -> Result<(), Fatal> {
        let mut document = file.document()?;
        edit::add_endpoint(&mut document, &self.args.name, &self.endpoint());
        if let Some(secret) = &self.person_key {
            edit::set_person_key(&mut document, secret);
        }
        let is_there = |endpoints: &Endpoints| {
            let endpoint = endpoints.get(&self.args.name);
            endpoint.is_some_and(|endpoint| endpoint.tokens.iter().any(|token| *token.hash() == self.hash()))
        };
        file.replace(&document, is_there)?;
        self.args.common.show(&self.args.name, &self.token);
        self.explain(file);
        Ok(())
    }

    fn explain(&self, file: &ConfigFile) {
        println!("{} has the endpoint now. A running ingest takes it up within seconds. Workers read at their", file.name());
        println!("start who is told and which sinks are served: restart them before the URL is used.");
        if self.args.contacts.is_none() {
            println!("\nNobody is named yet: set `contacts` of the endpoint, unless the e-mail sink has a `to` for all.");
        }
        if self.person_key.is_some() {
            println!(
                "\nIt also has an `ingest.person_key` now, a secret that must never change: keep a copy with your backups."
            );
        }
        if file.is_open_to_others() {
            println!("\nNote: others than its owner can read the file.");
        }
    }

    fn print(&self) {
        self.args.common.show(&self.args.name, &self.token);
        println!("Put these lines into the configuration:\n");
        println!("  [endpoints.{}]", self.args.name);
        let endpoint = self.endpoint();
        let endpoint = NewEndpoint { contacts: Some(endpoint.contacts.unwrap_or(SOMEBODY)), ..endpoint };
        endpoint.table().to_string().lines().for_each(|line| println!("  {line}"));
        if let Some(secret) = &self.person_key {
            println!("\nand, once for all endpoints, a secret that must never change:\n");
            println!("  [ingest]");
            println!("  person_key = \"{secret}\"");
        }
    }
}
