//! JSON as it is written: a `serde_json::Value` could hold neither duplicate members, nor a number out of range, nor half a
//! surrogate pair. And what can be done to it that leaves it JSON, or nearly.

use serde_json::Value;

use super::Chance;
use super::text::text;

const NAMES: &[&str] = &[
    "UserDetails",
    "LeadSource",
    "ActionCode",
    "OfferTitle",
    "Description",
    "FirstName",
    "LastName",
    "Email",
    "Phone",
    "Country",
    "Company",
    "Title",
    "ProductId",
    "a/b",
    "m~n",
    "0",
];
const ATOMS: &[&str] = &[
    "null",
    "true",
    "false",
    "0",
    "-0",
    "1e15",
    "1e999",
    "-1E+400",
    "0.1e-400",
    "18446744073709551616",
    "123456789012345678901234567890.5",
    "9007199254740993",
    "2.2250738585072011e-308",
    "0.1",
    "1e23",
    "00",
    "1.",
    "-",
    "NaN",
    "nul",
];
/// Deepest nesting that is made now and then; the stack must bear it wherever it is not refused.
const DEEP: usize = 20_000;

/// A value. Names and texts are what stands between the quotes.
#[derive(Clone)]
pub(super) enum Json {
    /// A number, boolean or null as written.
    Atom(String),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl From<&Value> for Json {
    fn from(value: &Value) -> Self {
        match value {
            Value::String(text) => Self::Text(between_quotes(text)),
            Value::Array(items) => Self::List(items.iter().map(Self::from).collect()),
            Value::Object(members) => {
                Self::Object(members.iter().map(|(name, value)| (between_quotes(name), Self::from(value))).collect())
            }
            atom @ (Value::Null | Value::Bool(_) | Value::Number(_)) => Self::Atom(atom.to_string()),
        }
    }
}

fn between_quotes(text: &str) -> String {
    let quoted = Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

impl Json {
    pub(super) fn write(&self, out: &mut String) {
        match self {
            Self::Atom(atom) => out.push_str(atom),
            Self::Text(text) => quote(text, out),
            Self::List(items) => {
                out.push('[');
                for (at, item) in items.iter().enumerate() {
                    out.push_str(if at > 0 { "," } else { "" });
                    item.write(out);
                }
                out.push(']');
            }
            Self::Object(members) => {
                out.push('{');
                for (at, (name, value)) in members.iter().enumerate() {
                    out.push_str(if at > 0 { "," } else { "" });
                    quote(name, out);
                    out.push(':');
                    value.write(out);
                }
                out.push('}');
            }
        }
    }

    /// Changes one place, somewhere within.
    pub(super) fn mutate(&mut self, chance: &mut Chance, donor: &Self) {
        match self {
            Self::Object(members) if !members.is_empty() => {
                let at = chance.below(members.len());
                if chance.one_in(2) { members[at].1.mutate(chance, donor) } else { change_members(members, at, chance, donor) }
            }
            Self::List(items) if !items.is_empty() && chance.one_in(2) => {
                let at = chance.below(items.len());
                items[at].mutate(chance, donor);
            }
            Self::Text(old) if chance.one_in(2) => old.push_str(&text(chance)),
            Self::Atom(_) | Self::Text(_) | Self::List(_) | Self::Object(_) => *self = value(chance, donor),
        }
    }

    /// Some value within.
    fn part(&self, chance: &mut Chance) -> &Self {
        let within: Vec<&Self> = match self {
            Self::Object(members) => members.iter().map(|(_, value)| value).collect(),
            Self::List(items) => items.iter().collect(),
            Self::Atom(_) | Self::Text(_) => vec![],
        };
        if within.is_empty() || chance.one_in(3) { self } else { chance.pick(&within).part(chance) }
    }
}

fn quote(text: &str, out: &mut String) {
    out.push('"');
    out.push_str(text);
    out.push('"');
}

fn change_members(members: &mut Vec<(String, Json)>, at: usize, chance: &mut Chance, donor: &Json) {
    match chance.below(7) {
        0 => members.push(members[at].clone()),
        1 => {
            let twin = (swapped_case(&members[at].0, chance), value(chance, donor));
            members.insert(at, twin);
        }
        2 => members[at].0 = swapped_case(&members[at].0, chance),
        3 => members[at].0 = name(chance),
        4 => {
            members.remove(at);
        }
        5 => members.insert(at, (name(chance), value(chance, donor))),
        _ => members.swap(at, 0),
    }
}

fn name(chance: &mut Chance) -> String {
    if chance.one_in(4) { text(chance) } else { chance.pick(NAMES).to_owned() }
}

fn swapped_case(name: &str, chance: &mut Chance) -> String {
    let swap = |c: char| if c.is_ascii_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() };
    name.chars().map(|c| if chance.one_in(3) { swap(c) } else { c }).collect()
}

/// A value of any kind, also a piece of another lead.
fn value(chance: &mut Chance, donor: &Json) -> Json {
    match chance.below(12) {
        0..=3 => Json::Text(text(chance)),
        4 | 5 => Json::Atom(chance.pick(ATOMS).to_owned()),
        6 => Json::Atom(format!("{:e}", f64::from_bits(chance.number()))),
        7 => Json::List((0..chance.length(20)).map(|_| Json::Text(text(chance))).collect()),
        8 => Json::Object((0..chance.length(20)).map(|_| (name(chance), Json::Text(text(chance)))).collect()),
        9 => nested(chance),
        _ => donor.part(chance).clone(),
    }
}

/// Lists in lists, or objects in objects: around the deepest that is accepted, at times far beyond. Written at once, as a tree
/// so deep would not bear to be dropped.
fn nested(chance: &mut Chance) -> Json {
    let depth = if chance.one_in(50) { chance.below(DEEP) } else { 55 + chance.below(15) };
    let (open, close) = chance.pick(&[("[", "]"), ("{\"a\":", "}"), ("[{\"a\":", "}]")]);
    Json::Atom([open.repeat(depth), "1".to_owned(), close.repeat(depth)].concat())
}
