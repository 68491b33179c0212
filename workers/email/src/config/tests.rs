//! Tests of the section: the commented defaults are the real ones, and bad combinations are refused by name.

use super::*;

/// The commented lines that are TOML, without the comment sign.
fn uncommented() -> String {
    let lines = DEFAULTS.lines().filter_map(|line| line.strip_prefix("# "));
    let is_toml = |line: &&str| line.starts_with('[') || line.split_once(" = ").is_some_and(|(key, _)| is_key(key));
    lines.filter(is_toml).collect::<Vec<_>>().join("\n")
}

fn is_key(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
}

fn section(text: &str) -> Result<Section, toml::de::Error> {
    toml::from_str(text)
}

fn refusal(text: &str) -> String {
    section(text).unwrap().check("sinks.email").unwrap_err().to_string()
}

#[test]
fn the_commented_defaults_are_the_defaults() {
    let table: toml::Table = uncommented().parse().unwrap();
    let read: Section = table["sinks"]["email"].clone().try_into().unwrap();
    assert_eq!(format!("{read:?}"), format!("{:?}", Section::default()));
    let keys = |path: &[&str]| path.iter().fold(&table["sinks"]["email"], |value, key| &value[*key]).as_table().unwrap().len();
    // All fields but `smtp.port`, `smtp.ca` and `smtp.helo_name`, which have no default.
    assert_eq!((keys(&[]), keys(&["smtp"]), keys(&["file"])), (7, 7, 1));
}

#[test]
fn a_short_section_is_enough() {
    let short = section("kind = 'email'\nfrom = 'Leadline <leads@own.example>'\n[smtp]\nhost = 'mail.own.example'").unwrap();
    short.check("sinks.email").unwrap();
    assert_eq!(short.smtp.port(), 587);
    assert_eq!(short.sender("sinks.email").unwrap().email.domain(), "own.example");
}

#[test]
fn an_unknown_key_is_refused() {
    assert!(section("kind = 'email'\nsender = 'a@b.example'").unwrap_err().to_string().contains("sender"));
    assert!(section("[smtp]\nuser = 'a'").unwrap_err().to_string().contains("user"));
    assert!(section("to = 'a@b.example c@d.example'").unwrap_err().to_string().contains("separate addresses by `;`"));
}

#[test]
fn a_sender_is_needed() {
    let senders = ["", "Leadline", "leads@", "Leads <leads@exämple.example>", "Leads <leads@[127.0.0.1]>"];
    for from in senders {
        assert!(refusal(&format!("from = '{from}'")).starts_with("`sinks.email.from`:"), "{from}");
    }
}

#[test]
fn a_timeout_longer_than_the_runtime_allows_is_refused() {
    let deadlines = Deadlines { call: Duration::from_secs(30), confirm: Duration::from_secs(60) };
    let refusal = |text: &str| section(text).unwrap().check_deadlines("sinks.email", deadlines).unwrap_err().to_string();
    assert!(refusal("[smtp]\ncommand_timeout = '31s'").contains("`sinks.email.smtp.command_timeout`"));
    assert!(refusal("[smtp]\ndata_timeout = '2m'").contains("`worker.confirm`"));
    assert!(section("").unwrap().check_deadlines("sinks.email", deadlines).is_ok());
}

#[test]
fn a_password_never_travels_in_plain_text() {
    let plain = "from = 'a@b.example'\n[smtp]\ntls = 'none'\n";
    assert!(refusal(&format!("{plain}username = 'u'\npassword = 'p'")).contains("plain text"));
    assert!(refusal(&format!("{plain}host = 'mail.own.example'")).contains("only for a server on this machine"));
    for host in ["localhost", "127.0.0.1", "::1"] {
        section(&format!("{plain}host = '{host}'")).unwrap().check("sinks.email").unwrap();
    }
}

#[test]
fn half_a_set_of_credentials_is_refused() {
    for half in ["username = 'u'", "password = 'p'"] {
        let text = refusal(&format!("from = 'a@b.example'\n[smtp]\n{half}"));
        assert!(text.starts_with("`sinks.email.smtp.password`:"), "{text}");
    }
}

#[test]
fn numbers_and_names_are_checked() {
    let bad =
        [("connections = 0", "connections"), ("helo_name = 'a b'", "helo_name"), ("data_timeout = '0s'", "command_timeout")];
    for (line, key) in bad {
        let text = refusal(&format!("from = 'a@b.example'\n[smtp]\n{line}"));
        assert!(text.starts_with(&format!("`sinks.email.smtp.{key}`:")), "{text}");
    }
}

#[test]
fn the_password_is_not_printed() {
    let section = section("[smtp]\nusername = 'u'\npassword = 'hunter2'").unwrap();
    assert!(!format!("{section:?}").contains("hunter2"));
}
