//! What changes in the text of a configuration. Everything else stays as a person wrote it: comments, order, white space.
//!
//! Pure. Reading the configuration is `platform::config`'s; here it is text with a structure.

use jiff::Timestamp;
use leadline_proto::EndpointName;
use leadline_proto::config::{TokenHash, Tokens};
use leadline_proto::names::TokenName;
use toml_edit::{Array, DocumentMut, InlineTable, Item, RawString, Table, TableLike, Value};

/// How deep elements of a list are indented where none shows it.
const INDENT: &str = "    ";

/// What the text is like, when it cannot be edited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum CannotEdit {
    /// It comes from the environment, or in a way of writing that has no place for it.
    #[error("its tokens are not in this file")]
    NotThere,
    /// As `[[endpoints.NAME.tokens]]`.
    #[error("its tokens are not written as a list, `tokens = […]`")]
    NoList,
}

/// What stands below `[endpoints.NAME]` at first.
pub(super) struct NewEndpoint<'a> {
    pub(super) token: Value,
    pub(super) contacts: Option<&'a str>,
    pub(super) offer_id: Option<&'a str>,
    pub(super) sinks: Option<Vec<&'a str>>,
}

impl NewEndpoint<'_> {
    pub(super) fn table(&self) -> Table {
        let mut table = Table::new();
        table.insert("tokens", toml_edit::value(Array::from_iter([self.token.clone()])));
        if let Some(contacts) = self.contacts {
            table.insert("contacts", toml_edit::value(contacts));
        }
        if let Some(offer_id) = self.offer_id {
            table.insert("offer_id", toml_edit::value(offer_id));
        }
        if let Some(sinks) = &self.sinks {
            table.insert("sinks", toml_edit::value(Array::from_iter(sinks.iter().copied())));
        }
        table.decor_mut().set_prefix("\n");
        table
    }
}

/// A token as it is written: its hash alone, or with what else there is to say.
pub(super) fn token(hash: &TokenHash, expires: Option<Timestamp>, name: Option<&TokenName>) -> Value {
    let hash = String::from(hash.clone());
    if expires.is_none() && name.is_none() {
        return hash.into();
    }
    let mut table = InlineTable::new();
    table.insert("hash", hash.into());
    if let Some(expires) = expires {
        table.insert("expires", expires.to_string().into());
    }
    if let Some(name) = name {
        table.insert("name", name.as_str().into());
    }
    table.into()
}

/// Adds an endpoint that is not there yet.
pub(super) fn add_endpoint(document: &mut DocumentMut, name: &EndpointName, endpoint: &NewEndpoint<'_>) {
    if let Some(endpoints) = section(document, "endpoints", true) {
        endpoints.insert(name.as_str(), Item::Table(endpoint.table()));
    }
}

/// Sets the secret of the person keys.
pub(super) fn set_person_key(document: &mut DocumentMut, secret: &str) {
    if let Some(ingest) = section(document, "ingest", false) {
        set(ingest, "person_key", secret.into());
    }
}

/// Adds a token, and gives those there are an end unless theirs is nearer.
pub(super) fn rotate(
    document: &mut DocumentMut,
    name: &EndpointName,
    tokens: &Tokens,
    new: Value,
    end: Timestamp,
) -> Result<(), CannotEdit> {
    let list = list(document, name)?;
    for value in list.iter_mut() {
        let known = hash_of(value).and_then(|hash| tokens.iter().find(|token| *token.hash() == hash));
        if let Some(known) = known.filter(|known| known.expires().is_none_or(|expires| end < expires)) {
            expire(value, known.hash(), end);
        }
    }
    push(list, new);
    Ok(())
}

/// Removes a token.
pub(super) fn revoke(document: &mut DocumentMut, name: &EndpointName, hash: &TokenHash) -> Result<(), CannotEdit> {
    let list = list(document, name)?;
    let at = list.iter().position(|value| hash_of(value).as_ref() == Some(hash)).ok_or(CannotEdit::NotThere)?;
    remove(list, at);
    Ok(())
}

/// A section, made when there is none. One that only holds others is no line of its own.
fn section<'a>(document: &'a mut DocumentMut, name: &str, implicit: bool) -> Option<&'a mut dyn TableLike> {
    let mut empty = Table::new();
    empty.set_implicit(implicit);
    empty.decor_mut().set_prefix("\n");
    document.entry(name).or_insert(Item::Table(empty)).as_table_like_mut()
}

/// Sets a value; what stands around the old one stays.
fn set(table: &mut dyn TableLike, key: &str, mut value: Value) {
    match table.get_mut(key).and_then(Item::as_value_mut) {
        Some(old) => {
            *value.decor_mut() = old.decor().clone();
            *old = value;
        }
        None => {
            table.insert(key, Item::Value(value));
        }
    }
}

fn list<'a>(document: &'a mut DocumentMut, name: &EndpointName) -> Result<&'a mut Array, CannotEdit> {
    let endpoints = document.get_mut("endpoints").and_then(Item::as_table_like_mut);
    let endpoint = endpoints.and_then(|all| all.get_mut(name.as_str())).and_then(Item::as_table_like_mut);
    let tokens = endpoint.ok_or(CannotEdit::NotThere)?.entry("tokens").or_insert(toml_edit::value(Array::new()));
    tokens.as_array_mut().ok_or(CannotEdit::NoList)
}

fn hash_of(value: &Value) -> Option<TokenHash> {
    let written = value.as_str().or_else(|| value.as_inline_table()?.get("hash")?.as_str())?;
    TokenHash::try_from(written.to_owned()).ok()
}

fn expire(value: &mut Value, hash: &TokenHash, end: Timestamp) {
    match value.as_inline_table_mut() {
        Some(table) => {
            let last = table.iter_mut().last().filter(|(key, _)| key.get() != "expires");
            if let Some((_, last)) = last {
                // Its white space stood before the closing brace.
                last.decor_mut().set_suffix("");
            }
            set(table, "expires", end.to_string().into());
        }
        None => {
            let decor = value.decor().clone();
            *value = token(hash, Some(end), None);
            *value.decor_mut() = decor;
        }
    }
}

fn text(raw: Option<&RawString>) -> String {
    raw.and_then(RawString::as_str).unwrap_or_default().to_owned()
}

fn prefix(value: Option<&Value>) -> String {
    text(value.and_then(|value| value.decor().prefix()))
}

/// What follows a line break in front of the first element.
fn indent(list: &Array) -> Option<String> {
    prefix(list.get(0)).rsplit_once('\n').map(|(_, indent)| indent.to_owned())
}

/// Adds an element on a line of its own. A comment behind the last element stays with it.
fn push(list: &mut Array, mut value: Value) {
    let trailing = text(Some(list.trailing()));
    if list.is_empty() && !trailing.contains('#') {
        list.set_trailing("");
        value.decor_mut().clear();
        return list.push_formatted(value);
    }
    let indent = indent(list).unwrap_or_else(|| {
        // So far all stood on one line, which would grow too long.
        list.iter_mut().filter(|value| !prefix(Some(value)).contains('\n')).for_each(|value| {
            value.decor_mut().set_prefix(format!("\n{INDENT}"));
        });
        INDENT.to_owned()
    });
    let last = list.len().checked_sub(1).filter(|_| !list.trailing_comma()).and_then(|last| list.get_mut(last));
    let behind = match last {
        Some(last) => {
            let behind = text(last.decor().suffix());
            last.decor_mut().set_suffix("");
            behind
        }
        None => trailing,
    };
    let end = behind.rsplit_once('\n').map_or("", |(_, end)| end).to_owned();
    *value.decor_mut() = toml_edit::Decor::new(format!("{}\n{indent}", behind.trim_end()), "");
    list.push_formatted(value);
    list.set_trailing_comma(true);
    list.set_trailing(format!("\n{end}"));
}

/// Removes an element. Comments in front of it stay: the first may belong to the element before.
fn remove(list: &mut Array, at: usize) {
    let removed = list.remove(at);
    let before = prefix(Some(&removed));
    let comments = if before.contains('#') { before.trim_end() } else { "" };
    if let Some(next) = list.get_mut(at) {
        let own = prefix(Some(next));
        let joined = match (comments.is_empty(), own.contains('#')) {
            (true, true) => own,
            (false, true) => format!("{comments}{own}"),
            (_, false) => before.clone(),
        };
        return next.decor_mut().set_prefix(joined);
    }
    let comma = list.trailing_comma();
    let behind = if comma { text(Some(list.trailing())) } else { text(removed.decor().suffix()) };
    let rest = format!("{comments}{behind}");
    match at.checked_sub(1).and_then(|last| list.get_mut(last)) {
        Some(last) if !comma => last.decor_mut().set_suffix(rest),
        Some(_) => list.set_trailing(rest),
        None => {
            list.set_trailing_comma(false);
            list.set_trailing(if rest.contains('#') { rest } else { String::new() });
        }
    }
}

#[cfg(test)]
mod tests;
