//! Free ports on the loopback interface.

use std::net::TcpListener;
use std::process;
use std::sync::atomic::{AtomicU16, Ordering};

/// Below the range that systems take for outgoing connections (from 32768 on Linux). A port from inside it could be taken by any
/// client while a server that will come back is down; a client that keeps trying could even connect to itself.
const FIRST: u16 = 15_000;
const COUNT: u16 = 17_000;

static NEXT: AtomicU16 = AtomicU16::new(0);

/// A port that nobody listens on. None is given twice in one test run.
///
/// # Panics
/// When all are taken.
pub fn free_port() -> u16 {
    // Runs at the same time begin at different places.
    let start = u16::try_from(process::id() * 97 % u32::from(COUNT)).expect("below COUNT");
    (0..COUNT)
        .map(|_| FIRST + (start + NEXT.fetch_add(1, Ordering::Relaxed) % COUNT) % COUNT)
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("no free port from 15000 to 31999: stop what holds them")
}
