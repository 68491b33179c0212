//! The message for one recipient: headers and MIME structure. Its words come from `template`.
//!
//! Whatever reaches a header is cleaned here. lettre panics on a line end in a display name, leaves other control characters
//! as they are, and does not fold a long word.

use std::panic::{AssertUnwindSafe, catch_unwind};

use leadline_proto::keys::recipient_hash;
use leadline_proto::{AcceptedLead, Code, LeadKind};
use leadline_runtime::sink::Task;
use lettre::Address;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message, MultiPart};

use crate::template::{Content, TemplateError, Templates, full_name};

/// Longest subject in characters: a word over 998 bytes would break the line limit, and nobody reads on after 200.
const MAX_SUBJECT: usize = 200;
/// Longest display name in characters.
const MAX_NAME: usize = 100;

/// A message ready to be sent.
pub(crate) struct Mail {
    /// Envelope sender.
    pub(crate) from: Address,
    /// Envelope recipient.
    pub(crate) to: Address,
    /// The message.
    pub(crate) bytes: Vec<u8>,
}

/// Someone who is told about leads.
#[derive(Clone)]
pub(crate) struct Recipient {
    address: Address,
    /// The hash that stands for the address wherever no personal data may be.
    pub(crate) hash: Code,
}

/// Why there is no message. Another try would end alike.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ComposeError {
    /// A template failed.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// The parts do not make a message.
    #[error("the message cannot be built")]
    Message,
}

impl ComposeError {
    /// The failure as a code.
    pub(crate) fn code(&self) -> Code {
        match self {
            Self::Template(_) => Code::of("template-failed"),
            Self::Message => Code::of("message-unbuildable"),
        }
    }
}

impl Recipient {
    /// From an address of the configuration; `None` when mail cannot be sent to it.
    pub(crate) fn read(address: &str) -> Option<Self> {
        Some(Self { address: mailable(address)?, hash: Code::new(recipient_hash(address)).ok()? })
    }
}

/// An address with its domain in ASCII, as DNS and servers without SMTPUTF8 need it.
fn mailable(address: &str) -> Option<Address> {
    let (user, domain) = address.rsplit_once('@')?;
    Address::new(user, idna::domain_to_ascii(domain).ok()?).ok()
}

/// What stands for a lead, a recipient and a replay everywhere: in the Message-ID and in the name of a file.
pub(crate) fn stem(task: &Task, recipient: &Recipient) -> String {
    format!("{}.{}.{}", task.lead.lead_id, recipient.hash, task.history.replay)
}

/// Builds messages.
pub(crate) struct Composer {
    from: Mailbox,
    templates: Templates,
}

impl Composer {
    /// For a sender.
    pub(crate) fn new(from: Mailbox) -> Result<Self, TemplateError> {
        Ok(Self { from: named(from.name.as_deref(), from.email), templates: Templates::built_in()? })
    }

    /// The words for a lead; the same for all its recipients.
    pub(crate) fn content(&self, lead: &AcceptedLead) -> Result<Content, ComposeError> {
        Ok(self.templates.content(lead)?)
    }

    /// The message for one recipient.
    pub(crate) fn mail(&self, task: &Task, content: &Content, recipient: &Recipient) -> Result<Mail, ComposeError> {
        // What could panic is cleaned away; a lead that still manages to must cost itself and not the worker.
        let built = catch_unwind(AssertUnwindSafe(|| self.build(task, content, recipient)));
        let bytes = built.ok().flatten().ok_or(ComposeError::Message)?;
        Ok(Mail { from: self.from.email.clone(), to: recipient.address.clone(), bytes })
    }

    fn build(&self, task: &Task, content: &Content, recipient: &Recipient) -> Option<Vec<u8>> {
        // Message-ID and Date are the same at each try, so that a second copy can be told as one.
        let id = format!("<{}@{}>", stem(task, recipient), self.from.email.domain());
        let mut builder = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, recipient.address.clone()))
            .subject(header_text(&content.subject, MAX_SUBJECT))
            .message_id(Some(id))
            .date(task.lead.received_at.into())
            .raw_header(header("Auto-Submitted", "auto-generated"))
            .raw_header(header("X-Auto-Response-Suppress", "All"));
        if let Some(mailbox) = reply_to(&task.lead) {
            builder = builder.reply_to(mailbox);
        }
        let parts = MultiPart::alternative_plain_html(content.text.clone(), content.html.clone());
        builder.multipart(parts).ok().map(|message| message.formatted())
    }
}

fn header(name: &'static str, value: &str) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
}

/// Answers go to the customer, unless there is no usable address or the customer is not to be contacted. A local part that is not
/// ASCII would be written raw, which a server without SMTPUTF8 must not pass on.
fn reply_to(accepted: &AcceptedLead) -> Option<Mailbox> {
    let contact = &accepted.lead.contact;
    let address = contact.address().filter(|_| accepted.kind() != LeadKind::DoNotContact).and_then(mailable)?;
    address.user().is_ascii().then(|| named(full_name(contact).as_deref(), address))
}

fn named(name: Option<&str>, address: Address) -> Mailbox {
    let name = name.map(|name| header_text(name, MAX_NAME)).filter(|name| !name.is_empty());
    Mailbox::new(name, address)
}

/// A text fit for a header: one line, no control characters, not too long.
fn header_text(text: &str, longest: usize) -> String {
    let words: Vec<&str> = text.split(|c: char| c.is_control() || c.is_whitespace()).filter(|word| !word.is_empty()).collect();
    let line = words.join(" ");
    match line.char_indices().nth(longest) {
        Some((end, _)) => format!("{}…", line[..end].trim_end()),
        None => line,
    }
}

#[cfg(test)]
mod tests;
