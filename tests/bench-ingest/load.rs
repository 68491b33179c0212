//! Posts leads over connections that are kept, either as fast as answers come or at given times.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::leads::ENDPOINT;

/// Requests that wait for their answer at once.
pub(crate) const IN_FLIGHT: usize = 256;

/// Threads of the generator, as `wrk` is given.
const THREADS: usize = 2;
/// Room for an answer with its head.
const ANSWER: usize = 4 * 1024;

/// What a round gave.
#[derive(Debug, Default)]
pub(crate) struct Round {
    /// Answers of 202 a second.
    pub(crate) rate: f64,
    /// Answers that were another.
    pub(crate) refused: usize,
    /// From the intended time to the answer, sorted.
    pub(crate) latencies: Vec<Duration>,
    /// Processors that the generator kept busy.
    pub(crate) processors: f64,
}

impl Round {
    /// A quantile in milliseconds.
    pub(crate) fn quantile(&self, share: f64) -> f64 {
        #[allow(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a few million"
        )]
        let at = (self.latencies.len() as f64 * share) as usize;
        self.latencies.get(at).or(self.latencies.last()).map_or(f64::NAN, |latency| latency.as_secs_f64() * 1000.0)
    }
}

/// Where and what is posted.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) host: String,
    pub(crate) path: String,
    pub(crate) bodies: Arc<Vec<String>>,
}

/// What all senders of a round share.
struct Shared {
    target: Target,
    /// Written out beforehand: the machine is the server's.
    requests: Vec<Vec<u8>>,
    next: AtomicUsize,
    started: Instant,
    time: Duration,
    /// Requests a second; without it as fast as answers come.
    rate: Option<f64>,
}

impl Target {
    /// The same at another endpoint that has the same token.
    pub(crate) fn at_endpoint(&self, name: &str) -> Self {
        Self { path: self.path.replace(ENDPOINT, name), ..self.clone() }
    }

    /// The same with a token that is wrong.
    pub(crate) fn of_stranger(&self) -> Self {
        Self { path: format!("{}x", self.path), ..self.clone() }
    }

    /// A whole request.
    pub(crate) fn request(&self, number: usize) -> Vec<u8> {
        let body = &self.bodies[number % self.bodies.len()];
        let (path, length) = (&self.path, body.len());
        format!(
            "POST {path} HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        )
        .into()
    }

    /// As fast as answers come.
    pub(crate) fn closed(&self, time: Duration) -> Round {
        self.run(time, None)
    }

    /// So many a second, whether or not answers come. Latency counts from when a request was to be sent.
    pub(crate) fn open(&self, time: Duration, a_second: f64) -> Round {
        self.run(time, Some(a_second))
    }

    fn run(&self, time: Duration, rate: Option<f64>) -> Round {
        let requests = (0..self.bodies.len()).map(|number| self.request(number)).collect();
        let (before, started) = (processor_time(), Instant::now());
        let shared = Shared { target: self.clone(), requests, next: AtomicUsize::new(0), started, time, rate };
        let answers = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(|| shared.send())).collect();
            threads.into_iter().flat_map(|thread| thread.join().expect("a sender does not panic")).collect::<Vec<_>>()
        });
        let took = started.elapsed();
        let processors = (processor_time() - before).as_secs_f64() / took.as_secs_f64();
        let accepted = answers.iter().filter(|(status, _)| *status == 202).count();
        let mut latencies: Vec<_> = answers.iter().map(|(_, latency)| *latency).collect();
        latencies.sort_unstable();
        let refused = answers.len() - accepted;
        Round { rate: crate::bare::rate(accepted, took), refused, latencies, processors }
    }
}

impl Shared {
    /// Sends on one thread. No task of it ever moves to another one: that takes more of the machine than sending does.
    fn send(&self) -> Vec<(u16, Duration)> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a thread will do");
        let senders = (0..IN_FLIGHT / THREADS).map(|_| self.sender());
        runtime.block_on(futures::future::join_all(senders)).concat()
    }

    /// One connection. Gives the status and the latency of each answer.
    async fn sender(&self) -> Vec<(u16, Duration)> {
        let mut stream = TcpStream::connect(&self.target.host).await.expect("the server is there");
        stream.set_nodelay(true).expect("it is a socket");
        let (mut answers, mut buffer) = (Vec::new(), Vec::with_capacity(ANSWER));
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let intended = self.rate.map_or_else(Instant::now, |rate| self.started + due(number, rate));
            if intended.duration_since(self.started) > self.time {
                return answers;
            }
            if self.rate.is_some() {
                tokio::time::sleep_until(intended.into()).await;
            }
            stream.write_all(&self.requests[number % self.requests.len()]).await.expect("the server is there");
            let status = answer(&mut stream, &mut buffer).await;
            answers.push((status, intended.elapsed()));
        }
    }
}

/// When a request is to be sent.
#[allow(clippy::cast_precision_loss, reason = "far below 2^53")]
fn due(number: usize, rate: f64) -> Duration {
    Duration::from_secs_f64(number as f64 / rate)
}

/// Reads one answer and gives its status.
async fn answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> u16 {
    buffer.clear();
    loop {
        let read = stream.read_buf(buffer).await.expect("the server is there");
        assert!(read > 0, "the server has closed the connection");
        let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let head = std::str::from_utf8(&buffer[..end]).expect("a head is text");
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
        });
        if buffer.len() >= end + 4 + length.expect("the answer says how long it is") {
            return head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("an answer has a status");
        }
    }
}

/// Processor time of this process so far.
fn processor_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("this is Linux");
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks: u64 = [11, 12].into_iter().filter_map(|at| fields.get(at)?.parse::<u64>().ok()).sum();
    // A tick is a hundredth of a second on every Linux there is.
    Duration::from_millis(10 * ticks)
}
