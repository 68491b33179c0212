//! What the sink refuses to be built from.

use super::*;

#[test]
fn a_bad_setting_is_named_and_never_repeated() {
    let table = [
        (r#"on_existing = "merge""#, "sinks.crm.on_existing"),
        (r#"tset_leads = "skip""#, "sinks.crm.tset_leads"),
        (r#"sql.url = "mysql://root:hunter2@db/crm""#, "sinks.crm.sql.url"),
        (r#"sql.url = "hunter2""#, "sinks.crm.sql.url"),
        (r#"sql.url = "sqlite::memory:""#, "sinks.crm.sql.url"),
        (r#"sql.url = "sqlite:""#, "sinks.crm.sql.url"),
        (r#"sql.url = "sqlite:a.db?mode=memory""#, "sinks.crm.sql.url"),
        (r#"sql.url = "postgres://crm:hunter2@db:port/crm""#, "sinks.crm.sql.url"),
        (r#"sql.url = "postgres://crm@db/crm?pasword=hunter2""#, "sinks.crm.sql.url"),
        (r#"sql.url = "postgres://crm@db/crm?sslmode=hunter2""#, "sinks.crm.sql.url"),
        ("sql.url = \"postgres://crm@db/crm\"\nsql.max_connections = 0", "sinks.crm.sql.max_connections"),
        ("sql.url = \"postgres://crm@db/crm\"\nsql.statement_timeout = \"0s\"", "sinks.crm.sql.statement_timeout"),
    ];
    for (section, key) in table {
        let error = build(section).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains(&format!("`{key}`")), "{section}: {error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}
