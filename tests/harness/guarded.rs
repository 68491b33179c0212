//! A child process that dies with the test run, however that ends.
//!
//! Knows nothing about what the program is: see `process` for the product's own, `kafka`, `postgres` and `smtp` for servers.

use std::fmt;
use std::io::{self, Write as _};
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};
use std::time::Duration;

use crate::eventually::within;

const SCRIPT: &str = include_str!("guarded.sh");
const KILL_TIME: Duration = Duration::from_secs(10);

/// A signal, by the name that `kill -s` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Asks to stop.
    Term,
    /// Ends at once.
    Kill,
    /// Asks PostgreSQL to stop at once but cleanly.
    Quit,
    /// Freezes.
    Stop,
    /// Thaws.
    Cont,
    /// Asks to read the configuration again.
    Hangup,
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Term => "TERM",
            Self::Kill => "KILL",
            Self::Quit => "QUIT",
            Self::Stop => "STOP",
            Self::Cont => "CONT",
            Self::Hangup => "HUP",
        })
    }
}

/// A running child process. Dropping it ends it.
pub struct Guarded {
    shell: Child,
}

impl Guarded {
    /// Starts `command`. Its program, arguments, environment and folder are used; its streams are the parameters here.
    ///
    /// `last` is the signal that it gets when the test run is gone.
    ///
    /// # Errors
    /// When the shell cannot be started. A program that cannot be started exits with 127 or 126.
    pub fn spawn(command: &Command, last: Signal, out: Stdio, err: Stdio) -> io::Result<Self> {
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(SCRIPT).arg("guarded").arg(last.to_string()).arg(command.get_program()).args(command.get_args());
        for (key, value) in command.get_envs() {
            match value {
                Some(value) => shell.env(key, value),
                None => shell.env_remove(key),
            };
        }
        if let Some(folder) = command.get_current_dir() {
            shell.current_dir(folder);
        }
        let shell = shell.stdin(Stdio::piped()).stdout(out).stderr(err).spawn()?;
        Ok(Self { shell })
    }

    /// What the program prints, when that is a pipe and nobody has taken it yet.
    pub fn take_output(&mut self) -> (Option<ChildStdout>, Option<ChildStderr>) {
        (self.shell.stdout.take(), self.shell.stderr.take())
    }

    /// Sends a signal. A program that has ended does not mind.
    pub fn signal(&mut self, signal: Signal) {
        if let Some(pipe) = &mut self.shell.stdin {
            // A broken pipe says that the program has ended.
            let _ = writeln!(pipe, "{signal}");
        }
    }

    /// The exit code, when the program has ended; 128 and the signal's number when a signal ended it.
    pub fn exited(&mut self) -> Option<i32> {
        let status = self.shell.try_wait().expect("a child that nobody else waits for can be asked");
        status.map(|status| status.code().unwrap_or(-1))
    }

    /// Waits for the end; `None` when it does not come in time.
    pub fn wait_exit(&mut self, deadline: Duration) -> Option<i32> {
        within("the process ends", deadline, || self.exited()).ok()
    }

    /// Ends the program with SIGKILL and waits until it is gone.
    ///
    /// # Panics
    /// When it is still there after ten seconds.
    pub fn kill(&mut self) {
        self.signal(Signal::Kill);
        assert!(self.wait_exit(KILL_TIME).is_some(), "a process outlived SIGKILL by ten seconds; is the disk stuck?");
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // The end of the pipe makes the script send the last signal. No panic here: a test may be failing already.
        drop(self.shell.stdin.take());
        if self.wait_exit(KILL_TIME).is_none() {
            eprintln!("harness: a process did not end within ten seconds after its last signal");
        }
    }
}
