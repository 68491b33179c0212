//! The words of a message: what a template can say about a lead, and how it is rendered.
//!
//! Texts of a lead are hostile. They are escaped in HTML by the engine, and a template cannot switch that off; what becomes a
//! header is cleaned in `message`, after rendering.

use leadline_proto::{AcceptedLead, Contact, Lead, LeadKind, Personal};
use minijinja::value::{Serde, Value, ValueKind};
use minijinja::{AutoEscape, Environment, UndefinedBehavior, escape_formatter};
use serde::Serialize;

const SUBJECT: &str = "subject.txt";
const TEXT: &str = "body.txt";
const HTML: &str = "body.html";
const SOURCES: [(&str, &str); 3] = [
    (SUBJECT, include_str!("templates/subject.txt")),
    (TEXT, include_str!("templates/body.txt")),
    (HTML, include_str!("templates/body.html")),
];

/// Steps a template may take. The built-in ones need under a thousand; one in an endless loop ends after a millisecond.
const FUEL: u64 = 50_000;

/// A template that cannot be used, or not for this lead. The text repeats nothing of a lead.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TemplateError {
    /// It cannot be read.
    #[error("the template {name} cannot be read: {kind}, line {line}")]
    Syntax {
        /// Its name.
        name: &'static str,
        /// What is wrong.
        kind: minijinja::ErrorKind,
        /// Where.
        line: usize,
    },
    /// It asks for something a lead does not have.
    #[error("the template {name} uses `{variable}`, which does not exist")]
    Unknown {
        /// Its name.
        name: &'static str,
        /// What it asks for.
        variable: String,
    },
    /// It failed while rendering.
    #[error("the template {name} failed: {kind}")]
    Render {
        /// Its name.
        name: &'static str,
        /// What went wrong.
        kind: minijinja::ErrorKind,
    },
}

/// The templates of all parts of a message.
pub(crate) struct Templates {
    environment: Environment<'static>,
}

/// A message in words.
pub(crate) struct Content {
    /// Subject, not yet cleaned.
    pub(crate) subject: String,
    /// Plain text.
    pub(crate) text: String,
    /// HTML.
    pub(crate) html: String,
}

impl Templates {
    /// The built-in templates.
    pub(crate) fn built_in() -> Result<Self, TemplateError> {
        Self::from_sources(SOURCES)
    }

    /// Reads templates, and checks them against every variable there is.
    fn from_sources(sources: [(&'static str, &'static str); 3]) -> Result<Self, TemplateError> {
        let mut templates = Self { environment: environment() };
        let known = leaves("", &Value::from(Serde(Context::sample())));
        for (name, source) in sources {
            let added = templates.environment.add_template(name, source);
            added.map_err(|error| TemplateError::Syntax {
                name,
                kind: error.kind(),
                line: error.line().unwrap_or_default(),
            })?;
            templates.check(name, &known)?;
        }
        Ok(templates)
    }

    fn check(&self, name: &'static str, known: &[String]) -> Result<(), TemplateError> {
        let failed = |error: minijinja::Error| TemplateError::Render { name, kind: error.kind() };
        let template = self.environment.get_template(name).map_err(failed)?;
        match template.undeclared_variables(true).into_iter().find(|variable| !known.contains(variable)) {
            Some(variable) => Err(TemplateError::Unknown { name, variable }),
            None => self.render(name, &Value::from(Serde(Context::sample()))).map(|_| ()),
        }
    }

    /// Writes the message for a lead.
    pub(crate) fn content(&self, lead: &AcceptedLead) -> Result<Content, TemplateError> {
        let context = Value::from(Serde(Context::of(lead)));
        Ok(Content {
            subject: self.render(SUBJECT, &context)?,
            text: self.render(TEXT, &context)?,
            html: self.render(HTML, &context)?,
        })
    }

    fn render(&self, name: &'static str, context: &Value) -> Result<String, TemplateError> {
        let rendered = self.environment.get_template(name).and_then(|template| template.render(context.clone()));
        rendered.map_err(|error| TemplateError::Render { name, kind: error.kind() })
    }
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|name| if name.ends_with(".html") { AutoEscape::Html } else { AutoEscape::None });
    environment.set_fuel(Some(FUEL));
    // An absent value renders as nothing instead of "none".
    environment.set_formatter(|out, state, value| if value.is_none() { Ok(()) } else { escape_formatter(out, state, value) });
    // `safe` would switch the escaping off, and `debug` would print the whole lead.
    environment.remove_filter("safe");
    environment.remove_global("debug");
    environment
}

/// The paths of all values that are no maps, such as `lead.name`.
fn leaves(path: &str, value: &Value) -> Vec<String> {
    if value.kind() != ValueKind::Map {
        return vec![path.to_owned()];
    }
    let below = |key: Value| {
        let inner = if path.is_empty() { key.to_string() } else { format!("{path}.{key}") };
        leaves(&inner, &value.get_item(&key).unwrap_or_default())
    };
    value.try_iter().into_iter().flatten().flat_map(below).collect()
}

/// What a template sees.
#[derive(Serialize)]
struct Context<'a> {
    lead: LeadView<'a>,
    receipt: Receipt<'a>,
}

#[derive(Serialize)]
struct LeadView<'a> {
    first_name: Option<&'a str>,
    last_name: Option<&'a str>,
    name: Option<String>,
    email: Option<&'a str>,
    email_valid: bool,
    phone: Option<&'a str>,
    country: Option<&'a str>,
    company: Option<&'a str>,
    job_title: Option<&'a str>,
    source: Option<&'a str>,
    action: Option<&'a str>,
    offer: Option<&'a str>,
    description: Option<&'a str>,
    other: Vec<Item<'a>>,
}

/// A member the marketplace's guide does not name.
#[derive(Serialize)]
struct Item<'a> {
    name: &'a str,
    value: String,
}

#[derive(Serialize)]
struct Receipt<'a> {
    lead_id: String,
    endpoint: &'a str,
    offer_id: Option<&'a str>,
    received_at: String,
    kind: &'static str,
    test: bool,
    do_not_contact: bool,
    blank: bool,
}

impl<'a> Context<'a> {
    fn of(accepted: &'a AcceptedLead) -> Self {
        let kind = accepted.kind();
        let receipt = Receipt {
            lead_id: accepted.lead_id.to_string(),
            endpoint: accepted.endpoint.as_str(),
            offer_id: accepted.offer_id.as_deref(),
            received_at: accepted.received_at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
            kind: kind.as_str(),
            test: kind == LeadKind::Test,
            do_not_contact: kind == LeadKind::DoNotContact,
            blank: kind == LeadKind::Blank,
        };
        Self { lead: LeadView::of(&accepted.lead), receipt }
    }

    /// Every variable there is. The values do not matter.
    fn sample() -> Self {
        let text = Some("text");
        let lead = LeadView {
            first_name: text,
            last_name: text,
            name: text.map(str::to_owned),
            email: text,
            email_valid: false,
            phone: text,
            country: text,
            company: text,
            job_title: text,
            source: text,
            action: text,
            offer: text,
            description: text,
            other: vec![Item { name: "name", value: "value".to_owned() }],
        };
        let receipt = Receipt {
            lead_id: "id".to_owned(),
            endpoint: "endpoint",
            offer_id: text,
            received_at: "2026-11-22 10:00:00 UTC".to_owned(),
            kind: LeadKind::Test.as_str(),
            test: true,
            do_not_contact: true,
            blank: true,
        };
        Self { lead, receipt }
    }
}

impl<'a> LeadView<'a> {
    fn of(lead: &'a Lead) -> Self {
        let contact = &lead.contact;
        let text = |field: &'a Option<Personal>| field.as_ref().map(Personal::expose);
        let item = |(name, value): (&'a String, &'a _)| Item { name, value: plain(value) };
        Self {
            first_name: text(&contact.first_name),
            last_name: text(&contact.last_name),
            name: full_name(contact),
            email: contact.email.as_ref().map(|email| email.text().expose()),
            email_valid: contact.address().is_some(),
            phone: text(&contact.phone),
            country: text(&contact.country),
            company: text(&contact.company),
            job_title: text(&contact.job_title),
            source: text(&lead.source),
            action: text(&lead.action),
            offer: text(&lead.offer),
            description: text(&lead.description),
            other: lead.other.iter().chain(&contact.other).map(item).collect(),
        }
    }
}

/// First and last name together, as far as they are known.
pub(crate) fn full_name(contact: &Contact) -> Option<String> {
    let names: Vec<&str> = [&contact.first_name, &contact.last_name].into_iter().flatten().map(Personal::expose).collect();
    (!names.is_empty()).then(|| names.join(" "))
}

/// A text as it is, anything else as JSON.
fn plain(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests;
