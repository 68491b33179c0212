//! What a running trial tells other commands: a small file in its data folder, for the owner alone as it holds a token.

use std::fs;
use std::path::Path;

use leadline_platform::process::Fatal;
use serde::{Deserialize, Serialize};

/// The file's name.
pub(crate) const FILE: &str = "up.json";

/// Where a running trial is reached.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Running {
    /// The endpoint with its token. Absent when the endpoints are the operator's own, whose tokens are not known.
    pub(crate) url: Option<String>,
    /// Kafka's address.
    pub(crate) kafka: String,
    /// Whether that is the embedded broker.
    pub(crate) embedded: bool,
    /// Topic of the outcomes.
    pub(crate) outcomes: String,
    /// The sinks that leads of the endpoint go to.
    pub(crate) sinks: Vec<String>,
    /// All endpoints.
    #[serde(default)]
    pub(crate) endpoints: Vec<String>,
}

impl Running {
    /// Reads the file of the trial in `folder`; `None` when there is none.
    pub(crate) fn read(folder: &Path) -> Result<Option<Self>, Fatal> {
        let file = folder.join(FILE);
        match fs::read_to_string(&file) {
            Ok(text) => match serde_json::from_str(&text) {
                Ok(running) => Ok(Some(running)),
                Err(error) => Err(Fatal::usage(format!("{}: {error}", file.display()))),
            },
            Err(_) => Ok(None),
        }
    }
}
