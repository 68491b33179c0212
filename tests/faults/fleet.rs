//! The workers of one sink: started, killed, stopped, replaced. Every process has a name of its own, which the e-mail workers
//! also tell the mail server.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::Duration;

use leadline_tests::eventually::within;
use leadline_tests::free_port;
use leadline_tests::guarded::Signal;
use leadline_tests::process::Process;

use crate::chronicle::Chronicle;
use crate::product::Product;

/// Longest wait for a worker to be ready. After a kill Kafka waits for the dead one's session, and brokers may be down.
const READY: Duration = Duration::from_secs(90);
/// Longest wait for a stop: `lifecycle.drain`, the closing of clients, and a busy machine.
const STOPPED: Duration = Duration::from_secs(75);

/// A running process of the product.
pub(crate) struct Member {
    pub(crate) name: String,
    process: Process,
    admin_port: u16,
}

/// The workers of a sink that run now.
pub(crate) struct Fleet<'a> {
    product: &'a Product,
    chronicle: &'a Chronicle,
    program: PathBuf,
    sink: &'static str,
    started: usize,
    pub(crate) members: Vec<Member>,
}

impl Member {
    pub(crate) fn start(product: &Product, name: &str, program: &std::path::Path, args: &[&str]) -> Self {
        let admin_port = free_port();
        let mut command = product.command(program, args);
        command.env("LEADLINE__ADMIN__LISTEN", format!("127.0.0.1:{admin_port}"));
        if args.contains(&crate::checker::MAIL) {
            command.env("LEADLINE__SINKS__MAIL__SMTP__HELO_NAME", format!("{name}.rig.example"));
        }
        let log = product.logs().join(format!("{name}.log"));
        Self { name: name.to_owned(), process: Process::spawn(name, &command, &log), admin_port }
    }

    /// Whether it is ready before long.
    pub(crate) fn wait_until_ready(&mut self) -> bool {
        let what = format!("{} is ready", self.name);
        within(&what, READY, || (get(self.admin_port, "/readyz")?.starts_with("HTTP/1.1 200")).then_some(())).is_ok()
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.process.is_running()
    }

    pub(crate) fn signal(&mut self, signal: Signal) {
        self.process.signal(signal);
    }

    pub(crate) fn kill(&mut self) {
        self.process.kill();
    }
}

impl<'a> Fleet<'a> {
    pub(crate) fn new(product: &'a Product, chronicle: &'a Chronicle, program: PathBuf, sink: &'static str) -> Self {
        Self { product, chronicle, program, sink, started: 0, members: Vec::new() }
    }

    /// Starts one more; [`Self::wait_until_ready`] waits for it.
    pub(crate) fn start(&mut self) {
        self.started += 1;
        let name = format!("{}-{}", self.sink, self.started);
        self.members.push(Member::start(self.product, &name, &self.program, &["--sink", self.sink]));
    }

    /// Waits for all that run. One that is not ready is only told: what counts is what becomes of the leads.
    pub(crate) fn wait_until_ready(&mut self) {
        for member in &mut self.members {
            if !member.wait_until_ready() {
                self.chronicle.note(&format!("{} was not ready after {} s", member.name, READY.as_secs()));
            }
        }
    }

    /// Ends one with SIGKILL.
    pub(crate) fn kill(&mut self, at: usize) {
        let mut member = self.members.remove(at);
        let killed = self.chronicle.blow(&member.name);
        member.kill();
        killed.done(crate::checker::BlowKind::Kill);
    }

    /// Asks one to stop and gives what is left of it; see [`Self::wait_for_end`].
    pub(crate) fn ask_to_stop(&mut self, at: usize) -> Member {
        let mut member = self.members.remove(at);
        member.signal(Signal::Term);
        member
    }

    /// Waits until one that was asked to stop has ended, as it should.
    pub(crate) fn wait_for_end(&self, mut member: Member) {
        let name = member.name.clone();
        match within(&format!("{name} ends"), STOPPED, || (!member.is_running()).then_some(())) {
            Ok(()) => {
                let code = member.process.wait_exit(STOPPED);
                if code != 0 {
                    self.chronicle.problem(&format!("{name} was asked to stop and ended with code {code}"));
                }
            }
            Err(_) => {
                self.chronicle.problem(&format!("{name} did not stop within {} s and was killed", STOPPED.as_secs()));
                let killed = self.chronicle.blow(&name);
                member.kill();
                killed.done(crate::checker::BlowKind::Kill);
            }
        }
    }

    /// Tells of workers that have ended without being asked to, and replaces them.
    pub(crate) fn replace_dead(&mut self) {
        let dead: Vec<usize> = (0..self.members.len()).rev().filter(|at| !self.members[*at].is_running()).collect();
        for at in dead {
            let mut member = self.members.remove(at);
            let code = member.process.wait_exit(STOPPED);
            self.chronicle.problem(&format!("{} has ended by itself with code {code}", member.name));
            self.start();
        }
    }
}

/// What the admin port answers; `None` before it is open.
pub(crate) fn get(port: u16, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: rig\r\nconnection: close\r\n\r\n").as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}
