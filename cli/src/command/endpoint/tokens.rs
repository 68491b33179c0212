//! `leadline endpoint rotate` and `revoke`: another token for an endpoint, one token less.

use jiff::{SignedDuration, Timestamp, Unit};
use leadline_platform::config::Settings;
use leadline_platform::process::Fatal;
use leadline_proto::EndpointName;
use leadline_proto::config::{Endpoints, Token, TokenHash, Tokens};
use toml_edit::{DocumentMut, Item};

use super::edit::{self, CannotEdit};
use super::file::ConfigFile;
use super::{RevokeArgs, RotateArgs, known, open, secret};

/// Digits of a hash that are enough to name a token.
const ENOUGH_DIGITS: usize = 8;

pub(super) fn rotate(args: &RotateArgs, settings: &Settings, endpoints: &Endpoints) -> Result<(), Fatal> {
    let RotateArgs { name, common, .. } = args;
    let tokens = &known(endpoints, name)?.tokens;
    let end = end(Timestamp::now(), args)?;
    let secret = secret();
    let hash = TokenHash::of(&secret);
    if common.token_name.as_ref().is_some_and(|new| tokens.iter().any(|token| token.id() == new.as_str())) {
        return Err(Fatal::usage(format!("`{name}` has a token of that name already; choose another by --token-name")));
    }
    let new = edit::token(&hash, None, common.token_name.as_ref());
    let change = |document: &mut DocumentMut| edit::rotate(document, name, tokens, new.clone(), end);
    if common.print {
        common.show(name, &secret);
        return print(name, tokens, change);
    }
    let file = open(settings)?;
    let is_there =
        |endpoints: &Endpoints| tokens_of(endpoints, name).is_some_and(|all| all.iter().any(|one| *one.hash() == hash));
    write(&file, name, change, is_there)?;
    common.show(name, &secret);
    println!("{} has it now, and a running ingest takes it up within seconds.", file.name());
    let still = tokens.iter().filter(|token| token.is_live(Timestamp::now())).count();
    if still > 0 {
        println!("The tokens before it are good until {end}, or until they are revoked:");
        tokens.iter().for_each(|token| println!("  {}", line(token, Some(end))));
    }
    Ok(())
}

/// When the tokens there are stop being good. Whole seconds, as a person reads it.
fn end(now: Timestamp, args: &RotateArgs) -> Result<Timestamp, Fatal> {
    let too_long = |_| Fatal::usage("--grace: a time that long has no end");
    let grace = SignedDuration::try_from(args.grace).map_err(too_long)?;
    now.checked_add(grace).and_then(|end| end.round(Unit::Second)).map_err(too_long)
}

pub(super) fn revoke(args: &RevokeArgs, settings: &Settings, endpoints: &Endpoints) -> Result<(), Fatal> {
    let RevokeArgs { name, token, print: only_print } = args;
    let tokens = &known(endpoints, name)?.tokens;
    let hash = find(tokens, token).map(|token| token.hash().clone()).ok_or_else(|| unknown(name, tokens, token))?;
    let change = |document: &mut DocumentMut| edit::revoke(document, name, &hash);
    if *only_print {
        return print(name, tokens, change);
    }
    let file = open(settings)?;
    let is_gone =
        |endpoints: &Endpoints| tokens_of(endpoints, name).is_some_and(|all| all.iter().all(|one| *one.hash() != hash));
    write(&file, name, change, is_gone)?;
    println!("The token `{token}` of `{name}` is no longer in {}; a running ingest refuses it within seconds.", file.name());
    let now = Timestamp::now();
    if !tokens.iter().any(|left| *left.hash() != hash && left.is_live(now)) {
        println!(
            "It was the last good one: nothing can post to `{name}` now. `leadline endpoint rotate {name}` makes a new one."
        );
    }
    Ok(())
}

fn tokens_of<'a>(endpoints: &'a Endpoints, name: &EndpointName) -> Option<&'a Tokens> {
    endpoints.get(name).map(|endpoint| &endpoint.tokens)
}

/// The token with this id, or with these first digits of its hash.
fn find<'a>(tokens: &'a Tokens, id: &str) -> Option<&'a Token> {
    let digits = |token: &Token| String::from(token.hash().clone()).trim_start_matches("sha256:").to_owned();
    let by_hash = |token: &&Token| id.len() >= ENOUGH_DIGITS && digits(token).starts_with(id);
    tokens.iter().find(|token| token.id() == id).or_else(|| tokens.iter().find(by_hash))
}

/// What was given is not repeated: it may be the token itself.
fn unknown(name: &EndpointName, tokens: &Tokens, given: &str) -> Fatal {
    if let Some(token) = find(tokens, &TokenHash::of(given).id()) {
        return Fatal::usage(format!("that is the token itself, a secret; its id is `{}`", token.id()));
    }
    let ids: Vec<&str> = tokens.iter().map(Token::id).collect();
    let there_are = if ids.is_empty() { "it has none".to_owned() } else { format!("there are: {}", ids.join(", ")) };
    Fatal::usage(format!("`{name}` has no such token; {there_are}"))
}

fn write(
    file: &ConfigFile,
    name: &EndpointName,
    change: impl FnOnce(&mut DocumentMut) -> Result<(), CannotEdit>,
    is_right: impl FnOnce(&Endpoints) -> bool,
) -> Result<(), Fatal> {
    let mut document = file.document()?;
    change(&mut document).map_err(|error| Fatal::usage(format!("{}: `endpoints.{name}`: {error}", file.name())))?;
    file.replace(&document, is_right)
}

/// Prints the lines as they would stand in the configuration.
fn print(
    name: &EndpointName,
    tokens: &Tokens,
    change: impl FnOnce(&mut DocumentMut) -> Result<(), CannotEdit>,
) -> Result<(), Fatal> {
    let mut document = DocumentMut::new();
    let written = tokens.iter().map(|token| {
        let name = (token.id() != token.hash().id()).then(|| token.id().parse().ok()).flatten();
        edit::token(token.hash(), token.expires(), name.as_ref())
    });
    document["endpoints"][name.as_str()]["tokens"] = toml_edit::value(toml_edit::Array::from_iter(written));
    change(&mut document).map_err(Fatal::internal)?;
    let list = document["endpoints"][name.as_str()].get("tokens").map(Item::to_string).unwrap_or_default();
    println!("Put this into the configuration in place of `tokens`:\n\n  [endpoints.{name}]");
    format!("tokens = {}", list.trim()).lines().for_each(|line| println!("  {line}"));
    Ok(())
}

/// A token as a line for people; `end` is one that it gets unless its own is nearer.
pub(super) fn line(token: &Token, end: Option<Timestamp>) -> String {
    let expires = match (token.expires(), end) {
        (Some(own), Some(end)) => Some(own.min(end)),
        (own, end) => own.or(end),
    };
    let when = match expires {
        None => "does not expire".to_owned(),
        Some(expires) if expires <= Timestamp::now() => format!("expired {expires}"),
        Some(expires) => format!("expires {expires}"),
    };
    format!("{:12} {when}", token.id())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_found_by_name_and_by_digits() {
        let named = Token::new(TokenHash::of("a"), None, Some("2026-11".parse().unwrap()));
        let plain = Token::from(TokenHash::of("b"));
        let tokens = Tokens::try_from(vec![named.clone(), plain.clone()]).unwrap();
        assert_eq!(find(&tokens, "2026-11"), Some(&named));
        assert_eq!(find(&tokens, &TokenHash::of("a").id()), Some(&named));
        assert_eq!(find(&tokens, plain.id()), Some(&plain));
        let whole = String::from(plain.hash().clone());
        assert_eq!(find(&tokens, whole.trim_start_matches("sha256:")), Some(&plain));
        for unknown in ["", "2026", &plain.id()[..7], "2026-12"] {
            assert_eq!(find(&tokens, unknown), None, "{unknown}");
        }
    }

    #[test]
    fn the_token_itself_is_not_repeated() {
        let tokens = Tokens::try_from(vec![Token::from(TokenHash::of("the-secret"))]).unwrap();
        let name = "shop".parse().unwrap();
        for given in ["the-secret", "the-secret-of-another"] {
            let told = unknown(&name, &tokens, given).to_string();
            assert!(told.contains(&TokenHash::of("the-secret").id()) && !told.contains("the-secret"), "{told}");
        }
    }
}
