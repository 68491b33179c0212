//! The layers and the sentences of refusal.

use std::io::Write;

use super::sections::{self, Sections};
use super::*;

fn load(file: &str) -> Result<Settings, ConfigError> {
    let mut toml = tempfile::NamedTempFile::new().unwrap();
    toml.write_all(file.as_bytes()).unwrap();
    let known = ["kafka", "admin", "log", "lifecycle"];
    Settings::load(&Sources { defaults: &[sections::DEFAULTS], sections: &known, file: Some(toml.path()), preset: None })
}

fn refusal(file: &str) -> String {
    let error = load(file).and_then(|settings| Sections::read(&settings)).unwrap_err().to_string();
    // The file's name is random; the sentence starts with it.
    error.split_once(": `").map_or(error.clone(), |(_, rest)| format!("`{rest}"))
}

#[test]
fn the_defaults_are_complete() {
    let sections = Sections::read(&load("").unwrap()).unwrap();
    assert_eq!(sections.kafka.bootstrap, "localhost:9092");
    assert!(sections.admin.listen.ip().is_loopback());
}

#[test]
fn files_that_are_named_count_from_the_folder_of_the_configuration() {
    let folder = |file: Option<&Path>| {
        let sources = Sources { sections: &["kafka"], file, ..Sources::default() };
        Settings::load(&sources).unwrap().folder().to_owned()
    };
    let toml = tempfile::NamedTempFile::new().unwrap();
    assert_eq!(folder(Some(toml.path())), toml.path().parent().unwrap());
    assert_eq!(folder(None), Path::new(""), "the working directory");
}

#[test]
fn a_file_overrides_key_by_key() {
    let sections = Sections::read(&load("[kafka]\nbootstrap = 'k:1'\n[log]\nlevel = 'debug'").unwrap()).unwrap();
    assert_eq!(sections.kafka.bootstrap, "k:1");
    assert!(!sections.kafka.tls.enabled);
}

#[test]
fn a_bad_key_or_value_is_named_in_one_sentence() {
    assert_eq!(refusal("[kafka]\nbootstap = 'x'"), "`kafka.bootstap`: unknown key; there are: bootstrap, tls, sasl");
    assert_eq!(refusal("[admin]\nlisten = 9090"), "`admin.listen`: expected socket address");
    assert_eq!(refusal("[log]\nlevel = 'loud'"), "`log.level`: expected one of: error, warn, info, debug, trace");
    assert!(refusal("[lifecycle]\ndrain = 'soon'").starts_with("`lifecycle.drain`: "));
    assert!(refusal("[kafka.sasl]\nmechanism = 'PLAIN'").starts_with("`kafka.sasl.mechanism`: PLAIN sends the password"));
    assert!(refusal("[kafak]\n").starts_with("unknown section `kafak` in the configuration"));
}

#[test]
fn a_secret_comes_from_a_file_and_never_prints() {
    let mut secret = tempfile::NamedTempFile::new().unwrap();
    secret.write_all(b"hunter2\n").unwrap();
    let toml = format!("[kafka.sasl]\nmechanism = 'SCRAM-SHA-512'\npassword_file = '{}'", secret.path().display());
    let sections = Sections::read(&load(&toml).unwrap()).unwrap();
    assert_eq!(secrecy::ExposeSecret::expose_secret(&sections.kafka.sasl.password), "hunter2");
    assert!(!format!("{sections:?}").contains("hunter2"));
    let missing = refusal("[kafka.sasl]\npassword_file = '/nonexistent/x'");
    assert!(missing.contains("`kafka.sasl.password_file`") && missing.contains("/nonexistent/x"), "{missing}");
}

#[test]
fn a_secret_is_read_with_its_section_and_by_nobody_else() {
    let toml = "[kafka]\nbootstrap = 'k:1'\n[kafka.sasl]\npassword_file = '/nonexistent/x'";
    let settings = load(toml).unwrap();
    assert!(settings.section::<sections::Log>("log").is_ok(), "it has nothing to do with it");
    assert_eq!(settings.section::<String>("kafka.bootstrap").unwrap(), "k:1");
    let error = settings.section::<sections::Kafka>("kafka").unwrap_err().to_string();
    assert!(error.ends_with("`kafka.sasl.password_file`: the file /nonexistent/x cannot be read: entity not found"), "{error}");
    let error = settings.section::<String>("kafka.sasl.password").unwrap_err().to_string();
    assert!(error.contains("/nonexistent/x"), "{error}");
    assert!(settings.files().contains(&"/nonexistent/x".into()), "it is watched all the same");
}
