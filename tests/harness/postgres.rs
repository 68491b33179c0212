//! A PostgreSQL server on a folder of its own.
//!
//! It keeps nothing and trusts everyone on the loopback interface: it is for tests of SQL, not of PostgreSQL.

use std::fs::File;
use std::os::unix::fs::chown;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::eventually::within;
use crate::guarded::{Guarded, Signal};
use crate::progress::timed;
use crate::text::{run, tail_of};
use crate::{free_port, tools};

const START_TIME: Duration = Duration::from_secs(60);
const USER: &str = "postgres";

/// PostgreSQL refuses to run as root; as root the tests let it run as `nobody`.
const NOBODY: u32 = 65_534;

/// A running server. Dropping it ends it.
pub struct Postgres {
    server: Server,
    _process: Guarded,
    _folder: TempDir,
}

/// What is known before it runs.
struct Server {
    programs: PathBuf,
    folder: PathBuf,
    port: u16,
    as_nobody: bool,
}

impl Postgres {
    /// Starts the server.
    ///
    /// # Errors
    /// A sentence with its last lines.
    pub fn start() -> Result<Self, String> {
        let programs = tools::postgres().map_err(|missing| missing.to_string())?;
        let folder = tempfile::Builder::new().prefix("leadline-postgres-").tempdir().map_err(|error| error.to_string())?;
        let as_nobody = tools::is_root();
        if as_nobody {
            chown(folder.path(), Some(NOBODY), Some(NOBODY)).map_err(|error| error.to_string())?;
        }
        let server = Server { programs, folder: folder.path().to_owned(), port: free_port(), as_nobody };
        let process = timed("starting PostgreSQL", || {
            server.init()?;
            server.start()
        })?;
        Ok(Self { server, _process: process, _folder: folder })
    }

    /// Creates an empty database and gives its URL.
    ///
    /// # Panics
    /// When it exists already: names must be unique, see [`crate::Stack::unique`].
    #[track_caller]
    pub fn create_database(&self, name: &str) -> String {
        run(self.server.client("createdb").arg(name)).unwrap_or_else(|error| panic!("database `{name}`: {error}"));
        format!("postgres://{USER}@127.0.0.1:{}/{name}?sslmode=disable", self.server.port)
    }
}

impl Server {
    fn init(&self) -> Result<(), String> {
        let mut init = self.command("initdb");
        init.args(["--no-sync", "--auth=trust", "--encoding=UTF8", "--locale=C", "--username", USER, "--pgdata"]);
        run(init.arg(self.data())).map(|_| ())
    }

    fn start(&self) -> Result<Guarded, String> {
        let failed = |error: std::io::Error| format!("PostgreSQL cannot be started: {error}");
        let log = self.folder.join("server.log");
        let out = File::create(&log).map_err(failed)?;
        let err = out.try_clone().map_err(failed)?;
        let mut command = self.command("postgres");
        command.arg("-D").arg(self.data()).args(["-p", &self.port.to_string()]);
        for setting in ["listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off", "max_connections=200"] {
            command.args(["-c", setting]);
        }
        // Killed, it would leave its shared memory behind.
        let mut process = Guarded::spawn(&command, Signal::Quit, Stdio::from(out), Stdio::from(err)).map_err(failed)?;
        let ready = within("PostgreSQL takes connections", START_TIME, || {
            if run(&mut self.client("pg_isready")).is_ok() { Some(true) } else { process.exited().map(|_| false) }
        });
        match ready {
            Ok(true) => Ok(process),
            Ok(false) => Err(format!("PostgreSQL ended at its start:{}", tail_of(&log))),
            Err(overdue) => Err(format!("{overdue}{}", tail_of(&log))),
        }
    }

    /// A client program that talks to this server.
    fn client(&self, program: &str) -> Command {
        let mut client = Command::new(self.programs.join(program));
        client.args(["-h", "127.0.0.1", "-U", USER, "-p", &self.port.to_string()]);
        client
    }

    /// A server program, run by someone who is not root.
    fn command(&self, program: &str) -> Command {
        let program = self.programs.join(program);
        let mut command = if self.as_nobody {
            let mut command = Command::new("setpriv");
            command.args([format!("--reuid={NOBODY}"), format!("--regid={NOBODY}")]).arg("--clear-groups").arg(program);
            command
        } else {
            Command::new(program)
        };
        // Where the tests run may be closed to `nobody`.
        command.current_dir(&self.folder).stdin(Stdio::null());
        command
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }
}
