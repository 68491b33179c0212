//! The mail server of a run: plain text, quick enough for the volume, and ill on demand. It journals each mail before it answers.
//!
//! The tests of the product use another one (`harness::smtp`), which is nobody's own work and so knows the protocol better.
//! One connection is in `dialogue`.

mod dialogue;

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::journal::Arrivals;

/// What is wrong with the mail server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ailment {
    Healthy,
    /// It takes a mail and never answers.
    HangAtDot,
    /// It never answers `MAIL`.
    HangAtCommand,
    /// Nobody listens, and every connection breaks.
    Refuse,
    /// `421` to whoever comes.
    Busy,
    /// `451 4.7.1` to half of the recipients.
    Throttle,
    /// `550` to one recipient in twenty.
    Permanent,
    /// It takes a mail, and one connection in three ends in the middle of the answer.
    Drop,
}

/// Of 1000.
const THROTTLED: u64 = 500;
const REFUSED: u64 = 50;
const DROPPED: u64 = 333;
/// Pause before a port that was just closed is tried again.
const REBIND: Duration = Duration::from_millis(50);

/// The mail server.
pub(crate) struct Sink {
    pub(crate) arrivals: Arrivals,
    ailment: watch::Sender<Ailment>,
    seed: u64,
    draws: AtomicU64,
    /// Mails between `MAIL` and their answer, by worker.
    open: Mutex<HashMap<String, Arc<AtomicUsize>>>,
}

impl Sink {
    /// A healthy one that journals into `file`.
    pub(crate) fn new(file: &Path, seed: u64) -> io::Result<Self> {
        let (ailment, _) = watch::channel(Ailment::Healthy);
        Ok(Self { arrivals: Arrivals::create(file)?, ailment, seed, draws: AtomicU64::default(), open: Mutex::default() })
    }

    /// Makes it ill, or well again.
    pub(crate) fn suffer(&self, ailment: Ailment) {
        self.ailment.send_replace(ailment);
    }

    pub(crate) fn ailment(&self) -> Ailment {
        *self.ailment.borrow()
    }

    /// How many mails of a worker are on their way right now.
    pub(crate) fn open_of(&self, worker: &str) -> usize {
        self.counter(worker).load(Ordering::Relaxed)
    }

    /// How many mails are on their way right now.
    pub(crate) fn open(&self) -> usize {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.values().map(|count| count.load(Ordering::Relaxed)).sum()
    }

    fn counter(&self, worker: &str) -> Arc<AtomicUsize> {
        Arc::clone(self.open.lock().unwrap_or_else(PoisonError::into_inner).entry(worker.to_owned()).or_default())
    }

    /// A number below 1000, drawn from the seed.
    fn draw(&self) -> u64 {
        // SplitMix64.
        let n = self.draws.fetch_add(1, Ordering::Relaxed).wrapping_add(self.seed);
        let z = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % 1000
    }

    /// Whether it is one of the unlucky ones.
    fn strikes(&self, ailment: Ailment, of_1000: u64) -> bool {
        self.ailment() == ailment && self.draw() < of_1000
    }

    /// Listens for ever, except while it refuses.
    pub(crate) async fn serve(self: Arc<Self>, port: u16) {
        let mut ailment = self.ailment.subscribe();
        loop {
            // The sender lives as long as this future.
            let _ = ailment.wait_for(|ailment| *ailment != Ailment::Refuse).await;
            let Ok(listener) = TcpListener::bind(("127.0.0.1", port)).await else {
                tokio::time::sleep(REBIND).await;
                continue;
            };
            tokio::select! {
                _ = ailment.wait_for(|ailment| *ailment == Ailment::Refuse) => {}
                () = self.accept(listener) => {}
            }
        }
    }

    async fn accept(self: &Arc<Self>, listener: TcpListener) {
        loop {
            let Ok((stream, _)) = listener.accept().await else { return };
            let (sink, mut ailment) = (Arc::clone(self), self.ailment.subscribe());
            tokio::spawn(async move {
                tokio::select! {
                    // A connection that breaks is the client's business.
                    _ = dialogue::hold(stream, &sink) => {}
                    _ = ailment.wait_for(|ailment| *ailment == Ailment::Refuse) => {}
                }
            });
        }
    }
}

#[cfg(test)]
mod tests;
