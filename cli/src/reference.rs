//! The reference pages that are made from the code: the configuration, the metrics, the commands, the OpenAPI document.
//!
//! The files under `docs/reference/` are these texts; `tests/reference.rs` compares them, `examples/reference.rs` writes them.
//! The JSON Schemas beside them are made in `leadline_proto::schema`. What a page says belongs where the thing is declared:
//! in a `defaults.toml`, in the doc comment of a metric, of an argument, or of a kind of refusal.

use std::fmt::Write as _;

use clap::Command;
use leadline_crm::metrics::Metrics as CrmMetrics;
use leadline_email::metrics::Metrics as EmailMetrics;
use leadline_ingest::metrics::IngestMetrics;
use leadline_ingest::openapi;
use leadline_platform::metrics::MetricInfo;
use leadline_platform::reload::metrics::ReloadMetrics;
use leadline_platform::trace::metrics::TraceMetrics;
use leadline_runtime::metrics::RuntimeMetrics;

use crate::{args, product};

/// First lines of a page.
const MADE: &str = "<!-- Made from the code by `cargo run -p leadline --example reference`. Do not edit. -->\n\n";
/// Width of help texts, whatever the terminal.
const WIDTH: usize = 100;
/// Metrics by the process that has them, in the order of a lead's way.
const METRICS: [(&str, &str, &[MetricInfo]); 6] = [
    ("Ingest", "In `leadline-ingest`.", IngestMetrics::CATALOGUE),
    ("Configuration", "In each process that follows its configuration: `leadline-ingest`.", ReloadMetrics::CATALOGUE),
    ("Tracing", "In each process that exports spans.", TraceMetrics::CATALOGUE),
    ("Every worker", "In each worker, with the label `sink` beside those of the table.", RuntimeMetrics::CATALOGUE),
    ("E-mail worker", "In `leadline-email`, with the label `sink` beside those of the table.", EmailMetrics::CATALOGUE),
    ("CRM worker", "In `leadline-crm`, with the label `sink` beside those of the table.", CrmMetrics::CATALOGUE),
];

/// Each page with its file name.
pub fn all() -> Vec<(&'static str, String)> {
    vec![
        ("configuration.toml", product::defaults().join("\n")),
        ("metrics.md", metrics()),
        ("cli.md", commands()),
        ("openapi.json", format!("{:#}\n", openapi::document())),
    ]
}

fn metrics() -> String {
    let mut page = format!("{MADE}# Metrics\n\n");
    page += "What `/metrics` on the admin port shows, in Prometheus' text format. Each process also has the `process_*` figures of\n";
    page += "the `prometheus` crate: CPU, memory, open files, start time. `leadline up` shows all of them together.\n";
    for (process, note, catalogue) in METRICS {
        let _ = write!(page, "\n## {process}\n\n{note}\n\n| name | kind | labels | help |\n|---|---|---|---|\n");
        for metric in catalogue {
            let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
            let help = metric.help.replace('|', "\\|");
            let _ = writeln!(page, "| `{}` | {} | {} | {help} |", metric.name, metric.kind, labels.join(", "));
        }
    }
    page
}

fn commands() -> String {
    let mut page = format!("{MADE}# The command `leadline`\n\nWhat `--help` says, command by command.\n");
    let mut command = args::command().term_width(WIDTH);
    // Without it neither the full names nor the global options are there yet.
    command.build();
    describe(&mut command, &mut page);
    page
}

/// One section for a command, then its subcommands.
fn describe(command: &mut Command, page: &mut String) {
    let name = command.get_bin_name().unwrap_or(command.get_name()).to_owned();
    let help = command.render_long_help().to_string();
    let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
    let _ = write!(page, "\n## `{name}`\n\n```text\n{}\n```\n", lines.join("\n").trim());
    command.get_subcommands_mut().filter(|command| command.get_name() != "help").for_each(|command| describe(command, page));
}
