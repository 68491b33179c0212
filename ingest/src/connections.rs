//! Open connections: how many there are, and which are closed when there is hardly room for another.
//!
//! The server takes no more than `limits.connections`. Whoever holds many open and says nothing would keep all others out, so
//! near that limit the quiet ones are closed: first those that never brought a lead. Those of a proxy that brings leads are closed
//! last, as a lead may be on its way on them. What is done with a request belongs in `accept`.

use std::any::Any;
use std::collections::HashMap;
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd as _;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use actix_tls::accept::rustls_0_23::TlsStream;
use actix_web::dev::Extensions;
use actix_web::rt::net;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use socket2::SockRef;

/// How long a connection may be quiet when room is scarce.
const QUIET: Duration = Duration::from_secs(1);
/// How often it is looked whether room is scarce.
const LOOK: Duration = Duration::from_millis(250);
/// How long a client may leave an answer unread before the kernel gives the connection up.
const UNREAD: Duration = Duration::from_secs(30);
/// Requests that may be open at once on one connection of HTTP/2. Clients are used to a limit of 100; this server cannot announce
/// one, so there is room to spare.
const MOST_STREAMS: usize = 1_000;
/// Files that are open beside the connections: logs, Kafka, the spool, admin port.
const OTHER_FILES: u64 = 256;

/// All connections. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Connections(Arc<Inner>);

struct Inner {
    most: usize,
    started: Instant,
    next: AtomicU64,
    open: Mutex<HashMap<u64, Open>>,
}

struct Open {
    socket: TcpStream,
    since: Instant,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    /// When it last brought a lead, in milliseconds since the start; 0 is never.
    lead_ms: AtomicU64,
    /// When a request over HTTP/2 was last answered on it, likewise.
    answered_ms: AtomicU64,
    /// Requests over HTTP/2 that are open.
    streams: AtomicUsize,
}

/// What a request knows of its connection. Dropping it says that the connection is closed.
pub(crate) struct Connection {
    id: u64,
    all: Connections,
    state: Arc<State>,
}

/// A request that is open on a connection of HTTP/2.
pub(crate) struct Stream {
    all: Connections,
    state: Arc<State>,
}

impl Connections {
    pub(crate) fn new(most: usize) -> Self {
        let inner = Inner { most, started: Instant::now(), next: AtomicU64::new(0), open: Mutex::default() };
        Self(Arc::new(inner))
    }

    /// Notes a new connection of the server, for the requests that will come on it.
    pub(crate) fn opened(&self, stream: &dyn Any, data: &mut Extensions) {
        let tls = || stream.downcast_ref::<TlsStream<net::TcpStream>>().map(|tls| tls.get_ref().0);
        let Some(stream) = stream.downcast_ref::<net::TcpStream>().or_else(tls) else { return };
        // Neither can fail on an open socket; without them the connection is only less well looked after.
        let _ = SockRef::from(stream).set_tcp_user_timeout(Some(UNREAD));
        let Ok(socket) = stream.as_fd().try_clone_to_owned() else { return };
        data.insert(self.add(socket.into()));
    }

    fn add(&self, socket: TcpStream) -> Connection {
        let (id, state) = (self.0.next.fetch_add(1, Ordering::Relaxed), Arc::<State>::default());
        let open = Open { socket, since: Instant::now(), state: state.clone() };
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner).insert(id, open);
        Connection { id, all: self.clone(), state }
    }

    /// How many are open.
    pub(crate) fn count(&self) -> usize {
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Closes quiet ones whenever room is scarce, for ever.
    pub(crate) async fn make_room(self) {
        loop {
            tokio::time::sleep(LOOK).await;
            let closed = self.close_quiet(Instant::now());
            if closed > 0 {
                tracing::warn!(closed, most = self.0.most, "nearly all connections were taken; quiet ones were closed");
            }
        }
    }

    /// Above three quarters: closes strangers that are quiet. If that is not enough, also those whose last lead is longest ago.
    fn close_quiet(&self, now: Instant) -> usize {
        let open = self.0.open.lock().unwrap_or_else(PoisonError::into_inner);
        let excess = open.len().saturating_sub(self.0.most / 4 * 3);
        if excess == 0 {
            return 0;
        }
        let quiet_for = |open: &Open| now.saturating_duration_since(self.last_sign(open));
        let mut quiet: Vec<&Open> = open.values().filter(|open| quiet_for(open) >= QUIET).collect();
        quiet.sort_by_key(|open| (open.state.has_brought_a_lead(), self.last_sign(open)));
        let closed = quiet.iter().take(excess);
        closed.filter(|open| open.socket.shutdown(Shutdown::Both).is_ok()).count()
    }

    /// At a stop: closes connections on which nothing is open, until there are none. The server itself does so for HTTP/1.1 only,
    /// and would wait for clients of HTTP/2 as long as they like.
    pub(crate) async fn close_idle(self) {
        while self.count() > 0 {
            tokio::time::sleep(LOOK).await;
            self.close_idle_at(Instant::now());
        }
    }

    fn close_idle_at(&self, now: Instant) {
        let open = self.0.open.lock().unwrap_or_else(PoisonError::into_inner);
        // An answer may still be on its way for a moment.
        let quiet = |open: &&Open| now.saturating_duration_since(self.last_sign(open)) >= QUIET;
        for open in open.values().filter(quiet).filter(|open| open.state.is_idle()) {
            // An error says that it is closed already.
            let _ = open.socket.shutdown(Shutdown::Both);
        }
    }

    /// When it last brought a lead or was answered, or else was opened.
    fn last_sign(&self, open: &Open) -> Instant {
        match open.state.lead_ms.load(Ordering::Relaxed).max(open.state.answered_ms.load(Ordering::Relaxed)) {
            0 => open.since,
            milliseconds => self.0.started + Duration::from_millis(milliseconds),
        }
    }

    /// Milliseconds since the start; never 0.
    fn now_ms(&self) -> u64 {
        u64::try_from(self.0.started.elapsed().as_millis()).unwrap_or(u64::MAX).max(1)
    }
}

impl State {
    fn has_brought_a_lead(&self) -> bool {
        self.lead_ms.load(Ordering::Relaxed) > 0
    }

    /// No request is open, as far as one can tell: over HTTP/1.1 one that brings a lead may be.
    fn is_idle(&self) -> bool {
        let speaks_http_2 = self.answered_ms.load(Ordering::Relaxed) > 0;
        self.streams.load(Ordering::Relaxed) == 0 && (speaks_http_2 || !self.has_brought_a_lead())
    }
}

impl Connection {
    /// Notes that it has brought a lead of somebody who may post.
    pub(crate) fn brought_a_lead(&self) {
        self.state.lead_ms.store(self.all.now_ms(), Ordering::Relaxed);
    }

    /// Counts a request over HTTP/2 as open until the guard is dropped. One too many closes the connection: its client waits for no answer.
    pub(crate) fn request(&self) -> Stream {
        if self.state.streams.fetch_add(1, Ordering::Relaxed) >= MOST_STREAMS {
            tracing::warn!(most = MOST_STREAMS, "a connection with too many open requests was closed");
            self.close();
        }
        Stream { all: self.all.clone(), state: self.state.clone() }
    }

    fn close(&self) {
        let open = self.all.0.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = open.get(&self.id) {
            // An error says that it is closed already.
            let _ = open.socket.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.all.0.open.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.state.answered_ms.store(self.all.now_ms(), Ordering::Relaxed);
        self.state.streams.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Lets this process open as many files as that many connections need: two each. Says so when the system does not allow it.
pub(crate) fn allow_files(connections: usize) {
    let needed = 2 * connections as u64 + OTHER_FILES;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_none_or(|current| current >= needed) {
        return;
    }
    let raised = maximum.map_or(needed, |maximum| maximum.min(needed));
    let allowed = setrlimit(Resource::Nofile, Rlimit { current: Some(raised), maximum }).is_ok() && raised == needed;
    if !allowed {
        tracing::warn!(needed, "the system allows fewer open files than `ingest.limits.connections` needs: `ulimit -n`");
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::net::TcpListener;

    use super::*;

    /// A connection, and its other end.
    fn connect(connections: &Connections, listener: &TcpListener) -> (Connection, TcpStream) {
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        client.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        (connections.add(listener.accept().unwrap().0), client)
    }

    fn is_closed(client: &mut TcpStream) -> bool {
        matches!(client.read(&mut [0]), Ok(0))
    }

    #[test]
    fn strangers_go_first_and_then_who_was_quiet_longest() {
        let (connections, listener) = (Connections::new(8), TcpListener::bind("127.0.0.1:0").unwrap());
        let mut all: Vec<_> = (0..8).map(|_| connect(&connections, &listener)).collect();
        for known in [7, 1, 2, 3, 4, 5, 6] {
            std::thread::sleep(Duration::from_millis(2));
            all[known].0.brought_a_lead();
        }
        assert_eq!(connections.close_quiet(Instant::now()), 0, "nobody was quiet for long");
        assert_eq!(connections.close_quiet(Instant::now() + 2 * QUIET), 2);
        let closed: Vec<_> = all.iter_mut().map(|(_, client)| is_closed(client)).collect();
        assert_eq!(closed, [true, false, false, false, false, false, false, true], "a stranger, and the lead longest ago");
    }

    #[test]
    fn nothing_is_closed_while_there_is_room() {
        let (connections, listener) = (Connections::new(8), TcpListener::bind("127.0.0.1:0").unwrap());
        let mut all: Vec<_> = (0..6).map(|_| connect(&connections, &listener)).collect();
        assert_eq!(connections.close_quiet(Instant::now() + Duration::from_secs(3600)), 0);
        assert!(!is_closed(&mut all[0].1));
        all.pop();
        assert_eq!(connections.count(), 5);
    }

    #[test]
    fn a_stop_closes_what_is_idle_and_nothing_else() {
        let (connections, listener) = (Connections::new(8), TcpListener::bind("127.0.0.1:0").unwrap());
        let mut all: Vec<_> = (0..4).map(|_| connect(&connections, &listener)).collect();
        let open = all[0].0.request();
        drop(all[1].0.request());
        all[2].0.brought_a_lead();
        connections.close_idle_at(Instant::now());
        assert!(all.iter_mut().all(|(_, client)| !is_closed(client)), "an answer may be on its way");
        connections.close_idle_at(Instant::now() + 2 * QUIET);
        let closed: Vec<_> = all.iter_mut().map(|(_, client)| is_closed(client)).collect();
        assert_eq!(closed, [false, true, false, true], "open; answered; HTTP/1.1 with a lead; a stranger");
        drop(open);
        connections.close_idle_at(Instant::now() + 2 * QUIET);
        assert!(is_closed(&mut all[0].1));
    }

    #[tokio::test]
    async fn an_answer_that_nobody_reads_does_not_hold_a_connection_for_ever() {
        let listener = net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let (connections, mut data) = (Connections::new(8), Extensions::new());
        connections.opened(&stream, &mut data);
        assert_eq!(SockRef::from(&stream).tcp_user_timeout().unwrap(), Some(UNREAD));
        assert_eq!(connections.count(), 1);
        drop(data);
        assert_eq!(connections.count(), 0);
    }

    #[test]
    fn one_with_too_many_open_requests_is_closed() {
        let (connections, listener) = (Connections::new(8), TcpListener::bind("127.0.0.1:0").unwrap());
        let (connection, mut client) = connect(&connections, &listener);
        let mut open: Vec<_> = (0..MOST_STREAMS).map(|_| connection.request()).collect();
        open.pop();
        open.push(connection.request());
        assert!(!is_closed(&mut client), "as many as may be");
        open.push(connection.request());
        assert!(is_closed(&mut client));
        drop(open);
        assert_eq!(connection.state.streams.load(Ordering::Relaxed), 0);
    }
}
