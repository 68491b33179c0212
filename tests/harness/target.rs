//! Where cargo puts things, derived from where this very program lies: `TARGET/[TRIPLE/]PROFILE/deps/it-HASH` for tests,
//! `…/PROFILE/examples/NAME` for examples, `…/PROFILE/NAME` for programs.

use std::env;
use std::path::{Path, PathBuf};

/// The folder of the profile: here lie the binaries.
pub(crate) fn profile_dir() -> PathBuf {
    let exe = env::current_exe().expect("the test program must know its own path");
    let folder = exe.parent().expect("a program lies in a folder");
    let deeper = folder.file_name().is_some_and(|name| name == "deps" || name == "examples");
    let profile = if deeper { folder.parent().expect("these lie in the folder of the profile") } else { folder };
    profile.to_owned()
}

/// The name that cargo knows the profile by.
pub(crate) fn profile() -> String {
    let folder = profile_dir().file_name().expect("the profile folder has a name").to_string_lossy().into_owned();
    // The two names differ for one profile only.
    if folder == "debug" { "dev".to_owned() } else { folder }
}

/// The target folder. Cargo marks it as a cache; with `--target` there is one more folder in between.
pub(crate) fn target_dir() -> PathBuf {
    let profile = profile_dir();
    let marked = profile.ancestors().find(|folder| folder.join("CACHEDIR.TAG").exists());
    marked.or_else(|| profile.parent()).map(Path::to_owned).expect("the profile folder has a parent")
}

/// The root of the workspace.
pub(crate) fn workspace_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this package lies in the workspace").to_owned()
}
