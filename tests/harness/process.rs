//! A running process of the product, as a test sees it: what it prints, its exit code, signals.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::eventually::within;
use crate::guarded::{Guarded, Signal};
use crate::text::tail;

/// A running process. Dropping it kills it.
pub struct Process {
    name: String,
    guarded: Guarded,
    output: Arc<Mutex<Output>>,
    readers: Vec<JoinHandle<()>>,
    log: PathBuf,
}

/// What was printed so far.
struct Output {
    text: String,
    file: File,
}

impl Process {
    /// Starts `command`; what it prints goes to memory and to the file `log`, too.
    ///
    /// # Panics
    /// When the log cannot be created or there is no shell.
    #[track_caller]
    pub fn spawn(name: &str, command: &Command, log: &Path) -> Self {
        let file = File::create(log).unwrap_or_else(|error| panic!("the log {} cannot be created: {error}", log.display()));
        let output = Arc::new(Mutex::new(Output { text: String::new(), file }));
        let mut guarded = Guarded::spawn(command, Signal::Kill, Stdio::piped(), Stdio::piped())
            .unwrap_or_else(|error| panic!("`{name}` cannot be started: {error}"));
        let (out, err) = guarded.take_output();
        let readers = [out.map(|out| reader(out, &output)), err.map(|err| reader(err, &output))];
        let readers = readers.into_iter().flatten().collect();
        Self { name: name.to_owned(), guarded, output, readers, log: log.to_owned() }
    }

    /// Everything printed so far, both streams line by line as they came.
    pub fn output(&self) -> String {
        locked(&self.output).text.clone()
    }

    /// The file that holds the same.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.guarded.exited().is_none()
    }

    /// Waits for a line that contains `pattern`, and gives the first.
    ///
    /// # Panics
    /// With the last lines when it does not come in time or the process ends without it.
    #[track_caller]
    pub fn wait_for_line(&mut self, pattern: &str, deadline: Duration) -> String {
        let what = format!("`{}` prints a line with `{pattern}`", self.name);
        let line = within(&what, deadline, || {
            let ended = self.guarded.exited();
            if ended.is_some() {
                self.drain();
            }
            let found = self.output().lines().find(|line| line.contains(pattern)).map(str::to_owned);
            found.map(Ok).or_else(|| ended.map(Err))
        });
        match line {
            Ok(Ok(line)) => line,
            Ok(Err(code)) => panic!("{what}: it ended with code {code} before that:{}", self.tail()),
            Err(overdue) => panic!("{overdue}{}", self.tail()),
        }
    }

    /// Sends a signal.
    pub fn signal(&mut self, signal: Signal) {
        self.guarded.signal(signal);
    }

    /// Asks it to stop.
    pub fn signal_term(&mut self) {
        self.signal(Signal::Term);
    }

    /// Ends it at once, as a crash would, and waits until it is gone.
    pub fn kill(&mut self) {
        self.guarded.kill();
        self.drain();
    }

    /// Waits for its end and gives the exit code; 128 and the signal's number when a signal ended it.
    ///
    /// # Panics
    /// With the last lines when it still runs after `deadline`.
    #[track_caller]
    pub fn wait_exit(&mut self, deadline: Duration) -> i32 {
        let Some(code) = self.guarded.wait_exit(deadline) else {
            panic!("`{}` still runs {:.1} s after it should have ended:{}", self.name, deadline.as_secs_f64(), self.tail())
        };
        self.drain();
        code
    }

    /// Waits until everything that was printed has been read. Only after the end, else it would wait for that.
    fn drain(&mut self) {
        for reader in self.readers.drain(..) {
            // A reader does not panic; if it did, there would be nothing more to read.
            let _ = reader.join();
        }
    }

    fn tail(&self) -> String {
        format!("{}\n  (all of it: {})", tail(&self.output()), self.log.display())
    }
}

/// Copies a stream line by line.
fn reader(stream: impl Read + Send + 'static, output: &Arc<Mutex<Output>>) -> JoinHandle<()> {
    let output = Arc::clone(output);
    thread::spawn(move || {
        let mut lines = BufReader::new(stream);
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            let mut output = locked(&output);
            output.text.push_str(&String::from_utf8_lossy(&line));
            // A full disk shall not end the test by a pipe that nobody reads.
            let _ = output.file.write_all(&line);
            line.clear();
        }
    })
}

/// A reader that panicked leaves whole lines behind.
fn locked(output: &Mutex<Output>) -> MutexGuard<'_, Output> {
    output.lock().unwrap_or_else(PoisonError::into_inner)
}
