//! `leadline rejected show`

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use leadline_platform::process::{Exit, Fatal};
use leadline_proto::RejectedBody;
use uuid::Uuid;

use crate::command::BAD_RESULT;
use crate::command::site::Site;
use crate::command::times::moment;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The id, as the list and the answer to the sender have it
    id: Uuid,
}

pub(super) fn run(args: &Args, site: &Site) -> Result<ExitCode, Fatal> {
    let Some(rejected) = super::find(site, args.id)? else { return Ok(BAD_RESULT.into()) };
    let RejectedBody { id, endpoint, reason, received_at, body } = &rejected;
    // Beside the body and not before it, so that `show ID > FILE` gives a file that can be repaired.
    eprintln!("{id}: {reason}, received {} at the endpoint {endpoint}, {} bytes", moment(*received_at), body.len());
    eprintln!("what follows is what was sent, and may hold personal data");
    let mut out = std::io::stdout();
    let shown = if out.is_terminal() { harmless(body).into_bytes() } else { body.clone() };
    let end: &[u8] = if out.is_terminal() { b"\n" } else { b"" };
    out.write_all(&shown).and_then(|()| out.write_all(end)).and_then(|()| out.flush()).map_err(Fatal::internal)?;
    Ok(Exit::Done.into())
}

/// A stranger's text must not steer the terminal: control characters other than line ends and tabs are replaced.
fn harmless(body: &[u8]) -> String {
    let steers = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    String::from_utf8_lossy(body).replace(steers, "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_cannot_steer_the_terminal() {
        assert_eq!(harmless(b"{\n\t\"a\":\"\x1b[2J\x9b\xff\"}"), "{\n\t\"a\":\"\u{fffd}[2J\u{fffd}\u{fffd}\"}");
        assert_eq!(harmless("å\u{9b}\u{7}".as_bytes()), "å\u{fffd}\u{fffd}");
    }
}
