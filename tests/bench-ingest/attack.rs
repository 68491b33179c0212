//! Clients as nobody wants them. They stop when they are told to, and never send more than [`FLOOD`] requests a second.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::bare::rate;
use crate::load::Target;

/// Connections that drip.
const SLOW: u32 = 2_000;
/// Connections of a flood.
const SENDERS: u32 = 64;
/// Requests a second of a flood.
const FLOOD: u32 = 2_000;

#[derive(Clone, Copy)]
pub(crate) enum Kind {
    /// Heads that never end, a byte at a time.
    Slow,
    /// Wrong tokens.
    Flood,
    /// Good leads, twenty times as many as are allowed.
    Overload,
}

impl Kind {
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Slow => "p99 of good clients beside slow ones ÷ p99 in quiet",
            Self::Flood => "p99 of good clients in a flood of strangers ÷ p99 in quiet",
            Self::Overload => "p99 of good clients beside an endpoint over its rate ÷ p99 in quiet",
        }
    }

    pub(crate) fn unit(self) -> &'static str {
        match self {
            Self::Slow => "bytes of 2,000 slow heads",
            Self::Flood => "requests with wrong tokens",
            Self::Overload => "leads over the rate",
        }
    }
}

/// An attack that goes on.
pub(crate) struct Attack {
    stop: Arc<AtomicBool>,
    attempts: Arc<AtomicUsize>,
    started: Instant,
    thread: JoinHandle<()>,
}

impl Attack {
    pub(crate) fn start(target: Target, kind: Kind) -> Self {
        let (stop, attempts) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let (stopped, counted) = (stop.clone(), attempts.clone());
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a thread will do");
            let stranger = matches!(kind, Kind::Flood).then(|| target.of_stranger());
            let target = stranger.unwrap_or(target);
            let clients = if matches!(kind, Kind::Slow) { SLOW } else { SENDERS };
            runtime.block_on(futures::future::join_all((0..clients).map(|_| async {
                while !stopped.load(Ordering::Relaxed) {
                    // Whatever the server does to it, it comes again.
                    let _ = match kind {
                        Kind::Slow => drip(&target, &stopped, &counted).await,
                        Kind::Flood | Kind::Overload => flood(&target, &stopped, &counted).await,
                    };
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            })));
        });
        Self { stop, attempts, started: Instant::now(), thread }
    }

    /// Ends it and says how many a second there were.
    pub(crate) fn stop(self) -> f64 {
        let attempts = rate(self.attempts.load(Ordering::Relaxed), self.started.elapsed());
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("an attacker does not panic");
        attempts
    }
}

async fn drip(target: &Target, stop: &AtomicBool, count: &AtomicUsize) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(&target.host).await?;
    for byte in target.request(0) {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        stream.write_all(&[byte]).await?;
        count.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    Ok(())
}

async fn flood(target: &Target, stop: &AtomicBool, count: &AtomicUsize) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(&target.host).await?;
    let mut answer = [0; 2048];
    while !stop.load(Ordering::Relaxed) {
        let pause = tokio::time::sleep(Duration::from_secs(1) * SENDERS / FLOOD);
        stream.write_all(&target.request(0)).await?;
        count.fetch_add(1, Ordering::Relaxed);
        let read = stream.read(&mut answer).await;
        pause.await;
        if read? == 0 {
            break;
        }
    }
    Ok(())
}
