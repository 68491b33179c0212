//! The command `leadline`: the whole product in one process for a trial, and the operator's tools.
//!
//! Output is for people, on standard output; `--json` is for programs. Errors go to standard error, one sentence each.
//!
//! | to change | open |
//! |---|---|
//! | a command | `command/`, one file each |
//! | which defaults and sinks there are | [`product`] |
//! | the broker of a trial | [`embedded`] |
//! | the pages under `docs/reference/` | [`mod@reference`] |

mod args;
mod command;
pub mod embedded;
pub mod product;
pub mod reference;

pub use args::main;
pub use command::send::sample_body;
