//! What the tests need from outside: a real Kafka, a PostgreSQL server, a mail server, an OpenAPI tester, the product's own
//! binaries.
//!
//! Everything started here is started by the test run itself, on free ports of the loopback interface, and dies with it. No tests
//! in here, and nothing that knows how the product works: that belongs in `it/`.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in a test a panic with a sentence is the error message")]

pub mod bench;
pub mod binaries;
pub mod blocking;
pub mod certificate;
pub mod collector;
pub mod committed;
pub mod eventually;
pub mod fixtures;
pub mod guarded;
pub mod kafka;
pub mod panics;
pub mod postgres;
pub mod process;
pub mod schemathesis;
pub mod smtp;
pub mod stack;
pub mod suite;
pub mod tools;

mod cache;
mod environment;
mod ports;
mod progress;
mod target;
mod text;

pub use eventually::{eventually, eventually_async};
pub use ports::free_port;
pub use stack::Stack;
pub use suite::Suite;
pub use tools::Tool;
