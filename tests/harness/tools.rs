//! Which programs of this machine the tests can use.
//!
//! A test names what it needs as a [`Tool`]; one that is missing leaves the test out with a sentence, it does not fail it.

use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::environment;
use crate::{kafka, smtp};

const JAVA: u32 = 17;

/// What a test may need from the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tool {
    /// A real Apache Kafka.
    Kafka,
    /// A PostgreSQL server.
    Postgres,
    /// A mail server.
    Smtp,
    /// A tester of services by their OpenAPI document.
    Schemathesis,
    /// Prometheus' own tool.
    Promtool,
}

/// A tool is not there. Shown as one sentence: what is left out, and what to install.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Missing {
    left_out: &'static str,
    install: &'static str,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tests against {} are left out: install {}", self.left_out, self.install)
    }
}

impl Tool {
    /// Whether this machine has what is needed.
    ///
    /// # Errors
    /// [`Missing`] when not.
    pub fn check(self) -> Result<(), Missing> {
        match self {
            // Maven is needed once only.
            Self::Kafka => java().and_then(|_| if kafka::is_fetched() { Ok(()) } else { maven().map(|_| ()) }),
            Self::Postgres => postgres().and_then(|_| if is_root() { setpriv().map(|_| ()) } else { Ok(()) }),
            Self::Promtool => promtool().map(|_| ()),
            Self::Schemathesis => python().map(|_| ()),
            Self::Smtp => node().and_then(|_| if smtp::is_fetched() { Ok(()) } else { npm().map(|_| ()) }),
        }
    }
}

/// `java`, new enough for the brokers.
///
/// # Errors
/// [`Missing`] when there is none, or only an old one.
pub fn java() -> Result<PathBuf, Missing> {
    let missing = Missing { left_out: "Apache Kafka", install: "Java 17 or later (`java`)" };
    let java = in_path("java").ok_or(missing.clone())?;
    let output = Command::new(&java).arg("-version").output().map_err(|_| missing.clone())?;
    let version = java_version(&String::from_utf8_lossy(&output.stderr));
    if version.is_some_and(|version| version >= JAVA) { Ok(java) } else { Err(missing) }
}

/// `mvn`, which fetches the brokers.
///
/// # Errors
/// [`Missing`] when there is none.
pub fn maven() -> Result<PathBuf, Missing> {
    in_path("mvn").ok_or(Missing { left_out: "Apache Kafka", install: "Apache Maven (`mvn`), which fetches it" })
}

/// `promtool`, which knows what figures should look like.
///
/// # Errors
/// [`Missing`] when there is none.
pub fn promtool() -> Result<PathBuf, Missing> {
    in_path("promtool").ok_or(Missing { left_out: "Prometheus", install: "its tool (`promtool`, Debian: prometheus)" })
}

/// `node`, which runs the mail server.
///
/// # Errors
/// [`Missing`] when there is none.
pub fn node() -> Result<PathBuf, Missing> {
    in_path("node").ok_or(Missing { left_out: "a mail server", install: "Node.js 20 or later (`node`)" })
}

/// `npm`, which fetches the mail server.
///
/// # Errors
/// [`Missing`] when there is none.
pub fn npm() -> Result<PathBuf, Missing> {
    in_path("npm").ok_or(Missing { left_out: "a mail server", install: "npm, which fetches it" })
}

/// A `python3` that can make environments. The first of the PATH may be the stub of a version manager without a version behind it.
///
/// # Errors
/// [`Missing`] when there is none.
pub fn python() -> Result<PathBuf, Missing> {
    let can = "import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 10))";
    let works = |python: &PathBuf| Command::new(python).args(["-c", can]).output().is_ok_and(|output| output.status.success());
    let install = "Python 3.10 or later with venv (`python3`, Debian: python3-venv)";
    all_in_path("python3").find(works).ok_or(Missing { left_out: "the OpenAPI document", install })
}

/// The folder with PostgreSQL's server programs. Debian keeps them out of the PATH, one folder per version.
///
/// # Errors
/// [`Missing`] when there is none.
pub fn postgres() -> Result<PathBuf, Missing> {
    let missing = Missing { left_out: "PostgreSQL", install: "its server (`initdb`, Debian: postgresql)" };
    // A link in the PATH may stand alone; its target lies beside the other programs.
    let linked = in_path("initdb").and_then(|initdb| initdb.canonicalize().ok());
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().filter_map(Result::ok);
    let debian = versions.map(|version| version.path().join("bin/initdb")).filter(|initdb| initdb.is_file()).max();
    let initdb = linked.or(debian).ok_or(missing.clone())?;
    initdb.parent().map(Path::to_owned).ok_or(missing)
}

/// `setpriv`, by which root runs PostgreSQL as someone else.
///
/// # Errors
/// [`Missing`] when there is none.
pub fn setpriv() -> Result<PathBuf, Missing> {
    let install = "`setpriv` (util-linux), or run them as another user than root";
    in_path("setpriv").ok_or(Missing { left_out: "PostgreSQL", install })
}

/// Whether this is root, told by the owner of a file just made: there is no other way without unsafe code.
pub(crate) fn is_root() -> bool {
    tempfile::tempfile().and_then(|file| file.metadata()).is_ok_and(|file| file.uid() == 0)
}

fn in_path(program: &str) -> Option<PathBuf> {
    all_in_path(program).next()
}

fn all_in_path(program: &str) -> impl Iterator<Item = PathBuf> {
    environment::path().into_iter().map(move |folder| folder.join(program)).filter(|file| file.is_file())
}

/// The first number of `openjdk version "17.0.15" 2025-04-15`.
fn java_version(text: &str) -> Option<u32> {
    let (_, quoted) = text.split_once("version \"")?;
    let digits: String = quoted.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}
