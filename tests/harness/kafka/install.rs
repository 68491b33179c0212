//! Gets Apache Kafka's jars by Maven, once. Which version: `pom.xml`.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::text::run;
use crate::{cache, tools};

const POM: &str = include_str!("pom.xml");
const VERSION: &str = "4.4.0";

/// What is needed to run a broker.
pub(crate) struct Install {
    /// The `java` program.
    pub(crate) java: PathBuf,
    /// The folder with the jars.
    pub(crate) jars: PathBuf,
}

/// Whether the jars are here already.
pub(crate) fn is_fetched() -> bool {
    cache::has(&name())
}

/// Fetches the jars unless they are here.
pub(crate) fn fetched() -> Result<Install, String> {
    let java = tools::java().map_err(|missing| missing.to_string())?;
    let jars = cache::fetched(&name(), &format!("fetching Apache Kafka {VERSION} with Maven"), copy_jars)?;
    Ok(Install { java, jars })
}

fn name() -> String {
    format!("kafka-{VERSION}")
}

fn copy_jars(folder: &Path) -> Result<(), String> {
    assert!(POM.contains(&format!("<version>{VERSION}</version>")), "pom.xml and install.rs name different versions of Kafka");
    let pom = folder.join("pom.xml");
    std::fs::write(&pom, POM).map_err(|error| format!("{} cannot be written: {error}", pom.display()))?;
    let mvn = tools::maven().map_err(|missing| missing.to_string())?;
    let mut output = std::ffi::OsString::from("-DoutputDirectory=");
    output.push(folder);
    run(Command::new(mvn)
        .args(["-q", "-B", "-f"])
        .arg(&pom)
        .args(["dependency:copy-dependencies", "-DincludeScope=runtime"])
        .arg(output))
    .map(|_| ())
}
