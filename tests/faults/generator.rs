//! Posts leads at a steady rate, as many senders, and journals what became of each.
//!
//! A person belongs to one sender, who waits for each answer: so it is known in which order a person's leads were accepted.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::journal::{Answer, Post, now};
use crate::product::TOKEN;

/// While Kafka elects a leader each sender may wait for seconds; the others must go on meanwhile.
const SENDERS: u32 = 128;
/// Leads of one person one right after the other: only leads that wait together can change places.
const BURST: u32 = 3;
/// Ingest gives up long before.
const PATIENCE: Duration = Duration::from_secs(30);
/// Stands before the number in a lead's text.
pub(crate) const MARK: &str = "fault-run-lead ";

/// What is posted, and where.
pub(crate) struct Generator {
    /// Leads in a second, over all senders.
    pub(crate) rate: u32,
    pub(crate) persons: u32,
    /// URL of ingest.
    pub(crate) base: String,
    pub(crate) journal: Sender<Post>,
    pub(crate) stop: Arc<AtomicBool>,
}

/// Endpoint of most persons, with one contact.
pub(crate) const ONE: &str = "one";
/// Endpoint of every tenth person, with two contacts.
pub(crate) const TWO: &str = "two";

impl Generator {
    /// Posts until it is told to stop, and every answer has come.
    pub(crate) async fn run(self) {
        let tls = leadline_platform::tls::client(None).expect("the system has authorities");
        let client = reqwest::Client::builder().timeout(PATIENCE).tls_backend_preconfigured((*tls).clone());
        let client = client.build().expect("the settings are right");
        let (all, numbers) = (Arc::new(self), Arc::new(AtomicU64::new(0)));
        let mut senders = JoinSet::new();
        for sender in 0..SENDERS {
            senders.spawn(Arc::clone(&all).send(sender, client.clone(), Arc::clone(&numbers)));
        }
        while senders.join_next().await.is_some() {}
    }

    async fn send(self: Arc<Self>, sender: u32, client: reqwest::Client, numbers: Arc<AtomicU64>) {
        let pause = Duration::from_secs(1) * SENDERS / self.rate;
        // What could not be posted in time is made up for: the rate is that of the world, not of ingest.
        let mut ticks = tokio::time::interval_at(tokio::time::Instant::now() + pause * sender / SENDERS, pause);
        let own = (self.persons / SENDERS).max(1);
        for turn in 0_u32.. {
            ticks.tick().await;
            if self.stop.load(Ordering::Relaxed) {
                return;
            }
            let (burst, place) = (turn / BURST, turn % BURST);
            let person = sender + SENDERS * (burst % own);
            let post = Post {
                number: numbers.fetch_add(1, Ordering::Relaxed),
                person,
                seq: burst / own * BURST + place,
                endpoint: if person.is_multiple_of(10) { TWO } else { ONE }.to_owned(),
                at: 0,
                answer: Answer::Refused { status: 0 },
            };
            let answer = self.post(&client, &post).await;
            // The journal outlives the senders.
            let _ = self.journal.send(Post { at: now(), answer, ..post });
        }
    }

    async fn post(&self, client: &reqwest::Client, post: &Post) -> Answer {
        let url = format!("{}/v1/leads/{}?sig={}", self.base, post.endpoint, TOKEN);
        let unknown = |error: &dyn std::fmt::Display| Answer::Unknown { why: error.to_string() };
        let request = client.post(url).header("content-type", "application/json").body(lead(post).to_string());
        let answer = match request.send().await {
            Ok(answer) => answer,
            Err(error) => return unknown(&error.without_url()),
        };
        let status = answer.status().as_u16();
        match (status, answer.text().await) {
            (202, Ok(body)) => accepted(&body).unwrap_or_else(|| unknown(&"a receipt without a lead id")),
            (202, Err(error)) => unknown(&error.without_url()),
            (503, _) => unknown(&"503"),
            (status, _) => Answer::Refused { status },
        }
    }
}

fn accepted(body: &str) -> Option<Answer> {
    let receipt: Value = serde_json::from_str(body).ok()?;
    let lead: Uuid = receipt["lead_id"].as_str()?.parse().ok()?;
    Some(Answer::Accepted { lead })
}

/// Each says something else, so none is a repeat of another.
fn lead(post: &Post) -> Value {
    let Post { number, person, seq, .. } = post;
    json!({
        "UserDetails": {
            "FirstName": "Lee",
            "LastName": format!("Number {person}"),
            "Email": format!("lee{person}@contoso.example"),
            "Phone": "+1 555 0100",
            "Country": "US",
            "Company": "Contoso",
            "Title": "CTO",
        },
        "LeadSource": "AzureMarketplace",
        "ActionCode": "INS",
        "OfferTitle": "Fault run",
        "Description": format!("{MARK}{number}: lead {seq} of person {person}"),
    })
}
