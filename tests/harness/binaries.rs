//! The product's own programs, built once per test run.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::environment;
use crate::progress::timed;
use crate::target::{profile, profile_dir, target_dir, workspace_dir};

/// What cargo tells a test about its own package. Build scripts watch these, and would take them for a change: half of the
/// dependencies would be built anew, now and at the next build without the tests.
const OF_THIS_PACKAGE: [&str; 7] = [
    "CARGO_MANIFEST_DIR",
    "CARGO_MANIFEST_LINKS",
    "CARGO_PKG_NAME",
    "CARGO_PKG_VERSION_MAJOR",
    "CARGO_PKG_VERSION_MINOR",
    "CARGO_PKG_VERSION_PATCH",
    "CARGO_PKG_VERSION_PRE",
];

/// The programs of the workspace.
#[derive(Clone, Debug)]
pub struct Binaries {
    folder: PathBuf,
}

impl Binaries {
    /// Builds them, the first time, with the profile of the tests.
    ///
    /// # Panics
    /// When the build fails; cargo has said why.
    #[track_caller]
    pub fn built() -> &'static Self {
        static BUILT: OnceLock<Result<Binaries, String>> = OnceLock::new();
        BUILT.get_or_init(build).as_ref().unwrap_or_else(|error| panic!("{error}"))
    }

    /// The operator's command.
    pub fn leadline(&self) -> PathBuf {
        self.folder.join("leadline")
    }

    /// Ingest.
    pub fn ingest(&self) -> PathBuf {
        self.folder.join("leadline-ingest")
    }

    /// The e-mail worker.
    pub fn email(&self) -> PathBuf {
        self.folder.join("leadline-email")
    }

    /// The CRM worker.
    pub fn crm(&self) -> PathBuf {
        self.folder.join("leadline-crm")
    }

    /// The folder they lie in.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

/// `cargo test` builds no binaries of other packages, so this does; its output goes to the person who waits.
fn build() -> Result<Binaries, String> {
    let mut cargo = Command::new(environment::cargo());
    cargo.args(["build", "--workspace", "--bins", "--profile", &profile(), "--target-dir"]).arg(target_dir());
    cargo.current_dir(workspace_dir());
    for variable in OF_THIS_PACKAGE {
        cargo.env_remove(variable);
    }
    let folder = profile_dir();
    if folder.parent() != Some(target_dir().as_path()) {
        let triple = folder.parent().and_then(Path::file_name).ok_or("the target folder has an unknown shape")?;
        cargo.arg("--target").arg(triple);
    }
    let built = timed("building the product's programs", || cargo.status());
    match built {
        Ok(status) if status.success() => Ok(Binaries { folder }),
        Ok(status) => Err(format!("the product's programs cannot be built (cargo: {status}); its errors stand above")),
        Err(error) => Err(format!("cargo cannot be started to build the product's programs: {error}")),
    }
}
