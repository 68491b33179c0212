//! What the end-to-end tests share: a configuration with names of its own, the product's processes started with it, leads
//! posted to it, and outcomes read back from Kafka. No test belongs here.

pub(crate) mod document;
pub(crate) mod http;
mod product;
mod records;

pub(crate) use product::{NOWHERE, PATIENCE, Posted, Product, REPEATS, Running, Sinks, get, outcomes_at, post};
pub(crate) use records::{Database, Row};
