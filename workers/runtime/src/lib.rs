//! The runtime of every worker: it takes leads from Kafka, has one sink handle them, and writes down how each ended.
//!
//! It knows no sink; a sink is a few files beside it that implement [`sink::Sink`]. The way of a record:
//!
//! ```text
//! consumer thread ──records──▶ scheduler ──starts──▶ attempt ──calls──▶ sink
//!   ▲   one per topic            │  state: lanes,        │   tries in place
//!   └───────positions────────────┘  ledgers, timers      └──▶ recorder: outcome, retry record or dead letter,
//!                                      ▲                       acknowledged by Kafka
//!                                      └──────ended──────────┘
//! ```
//!
//! | to change | open |
//! |---|---|
//! | what a sink must do | [`sink`] |
//! | limits, tries, deadlines | [`config`] |
//! | who may run next | `lanes` |
//! | what waits for its time, and is read again then | `waiting`, `refetch` |
//! | which leads are handled at all: repeats, records that stand twice | `seen`, `recent` |
//! | which offset may be committed | `ledger` |
//! | what is read back after a restart | `recall`, `memory`, `floor` |
//! | what happens to a record, step by step | `attempt`, `call` |
//! | when to try again | `schedule` |
//! | who may call the sink, how many at once, and what happens while it is down | `gate`, `limit`, `breaker` |
//! | when to stop instead of giving leads up | `brake` |
//! | holds, brakes and releases that operators set | `controls` |
//! | what is written down | `recorder` |
//! | rebalances, polling, committing | `consumer` |
//! | what spans tell | `trace` |
//! | what these tell each other | `event` |

mod attempt;
mod backlog;
mod brake;
mod breaker;
mod call;
pub mod config;
mod consumer;
mod controls;
mod event;
mod floor;
mod gate;
mod lanes;
mod ledger;
mod limit;
mod memory;
pub mod metrics;
pub mod process;
mod recall;
mod recent;
mod record;
mod recorder;
mod refetch;
mod schedule;
mod scheduler;
mod seen;
pub mod sink;
mod state;
mod stops;
mod tenure;
mod topic_check;
mod trace;
mod unacked;
mod waiting;
mod window;
pub mod worker;

pub use worker::Worker;
