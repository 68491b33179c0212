//! Schemathesis: sends a service what its OpenAPI document allows and forbids, and compares each answer with the document. With
//! it comes a validator of the document itself.
//!
//! Both are fetched from PyPI once, into an environment of their own. Which versions: `requirements.txt`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::text::run;
use crate::{cache, tools};

const REQUIREMENTS: &str = include_str!("schemathesis/requirements.txt");
const VERSION: &str = "4.32.5";

/// What is tested, and how.
pub struct Test<'a> {
    /// The document.
    pub document: &'a Path,
    /// Where the service is: scheme and host.
    pub url: &'a str,
    /// Schemathesis' own settings, TOML.
    pub settings: &'a str,
    /// A folder for its files.
    pub folder: &'a Path,
    /// Which of all possible runs this is.
    pub seed: u32,
    /// Requests that are made up, at most; those for each limit of the document come on top.
    pub examples: u32,
}

impl Test<'_> {
    /// Runs it. Gives what Schemathesis said.
    ///
    /// # Errors
    /// The same when it found something.
    pub fn run(&self) -> Result<String, String> {
        let settings = self.folder.join("schemathesis.toml");
        fs::write(&settings, self.settings).map_err(|error| format!("{} cannot be written: {error}", settings.display()))?;
        let mut command = python(&["-m", "schemathesis.cli", "--no-color", "--config-file"])?;
        command.arg(&settings).arg("run").arg(self.document).args(["--url", self.url, "--checks", "all"]);
        command.args(["--seed", &self.seed.to_string(), "--max-examples", &self.examples.to_string()]);
        command.args(["--continue-on-failure", "--generation-database", "none", "--output-truncate", "false"]);
        // It is asked of this machine, whatever proxy the machine has.
        command.current_dir(self.folder).env("NO_PROXY", "*");
        whole(&mut command)
    }
}

/// Whether a document is one, by the rules of OpenAPI.
///
/// # Errors
/// What is wrong with it.
pub fn validate(document: &Path) -> Result<String, String> {
    whole(python(&["-m", "openapi_spec_validator"])?.arg(document))
}

/// All that a program says: what was found stands far above the last lines.
fn whole(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| format!("python could not be started: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(text) } else { Err(text) }
}

/// The environment's Python. The programs beside it would not do: they name the folder in which they were made.
fn python(arguments: &[&str]) -> Result<Command, String> {
    let mut command = Command::new(fetched()?.join("bin/python"));
    command.args(arguments);
    Ok(command)
}

fn fetched() -> Result<PathBuf, String> {
    assert!(REQUIREMENTS.contains(&format!("\nschemathesis=={VERSION}\n")), "requirements.txt has another version");
    cache::fetched(&format!("schemathesis-{VERSION}"), &format!("fetching Schemathesis {VERSION} with pip"), |folder| {
        let python = tools::python().map_err(|missing| missing.to_string())?;
        run(Command::new(python).args(["-m", "venv"]).arg(folder))?;
        let list = folder.join("requirements.txt");
        fs::write(&list, REQUIREMENTS).map_err(|error| format!("{} cannot be written: {error}", list.display()))?;
        let mut install = Command::new(folder.join("bin/python"));
        install.args(["-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check", "--requirement"]);
        run(install.arg(list)).map(|_| ())
    })
}
