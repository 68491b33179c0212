//! Reading a payload of another sender by the places that the configuration names.
//!
//! A place is exact: letters' case counts, nothing is split, nothing is guessed. What no place names is kept as unknown
//! members.

use std::collections::BTreeMap;

use serde_json::Value;
use serde_json::value::RawValue;

use super::fields::{any, text};
use super::members::Members;
use crate::lead::{Contact, Email, Lead, LeadKind};
use crate::mapping::{Mapping, Pointer};
use crate::personal::Personal;

pub(super) fn lead(members: Members<'_>, mapping: &Mapping) -> Lead {
    let find = |pointer: &Option<Pointer>| pointer.as_ref().and_then(|pointer| in_members(&members, pointer.tokens()));
    let line = |pointer: &Option<Pointer>| find(pointer).and_then(|text| Personal::line(&text));
    let fields = mapping.fields();
    let contact = Contact {
        first_name: line(&fields.first_name),
        last_name: line(&fields.last_name),
        email: line(&fields.email).map(Email::read),
        phone: line(&fields.phone),
        country: line(&fields.country),
        company: line(&fields.company),
        job_title: line(&fields.title),
        other: BTreeMap::new(),
    };
    let mut lead = Lead {
        kind: LeadKind::Customer,
        contact,
        source: line(&fields.source),
        action: line(&fields.action),
        offer: line(&fields.offer),
        description: find(&fields.description).and_then(|text| Personal::paragraph(&text)),
        other: rest(members, mapping),
    };
    lead.kind = LeadKind::of(&lead);
    lead
}

/// The text at a place; of duplicate members the first that holds one.
fn in_members(members: &Members<'_>, tokens: &[String]) -> Option<String> {
    let (name, rest) = tokens.split_first()?;
    members.0.iter().filter(|(known, _)| known == name).find_map(|(_, value)| in_value(value, rest))
}

fn in_value(value: &RawValue, tokens: &[String]) -> Option<String> {
    let Some((index, rest)) = tokens.split_first() else {
        return text(value).filter(|text| !Personal::is_blank(text));
    };
    if let Ok(members) = serde_json::from_str::<Members<'_>>(value.get()) {
        return in_members(&members, tokens);
    }
    let items: Vec<&RawValue> = serde_json::from_str(value.get()).ok()?;
    in_value(items.get(index.parse::<usize>().ok()?)?, rest)
}

/// What is left of the members once the mapped values are taken out.
fn rest(members: Members<'_>, mapping: &Mapping) -> BTreeMap<String, Value> {
    let mut rest: BTreeMap<String, Value> = BTreeMap::new();
    for (name, value) in members.0 {
        let kept = rest.entry(name).or_default();
        if kept.is_null() || kept == "" {
            *kept = any(value);
        }
    }
    for pointer in mapping.pointers() {
        let Some((name, inner)) = pointer.tokens().split_first() else { continue };
        if rest.get_mut(name).is_some_and(|value| take(value, inner)) {
            rest.remove(name);
        }
    }
    rest
}

/// Takes the value at a place out; returns whether nothing is left around it.
fn take(value: &mut Value, tokens: &[String]) -> bool {
    let Some((name, rest)) = tokens.split_first() else { return true };
    match value {
        Value::Object(members) => {
            if members.get_mut(name).is_some_and(|inner| take(inner, rest)) {
                members.remove(name);
                return members.is_empty();
            }
        }
        // The others keep their places.
        Value::Array(items) => {
            let item = name.parse::<usize>().ok().and_then(|index| items.get_mut(index));
            if let Some(item) = item.filter(|item| !item.is_null())
                && take(item, rest)
            {
                *item = Value::Null;
                return items.iter().all(Value::is_null);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    false
}
