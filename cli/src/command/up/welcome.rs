//! What `leadline up` prints once everything is ready.

use std::net::SocketAddr;
use std::time::Duration;

use leadline_platform::config::Settings;
use leadline_platform::process::Fatal;
use leadline_proto::SinkName;
use leadline_runtime::worker::kind_of;

use super::Args;
use super::running::Running;

/// Prints where everything is and a `curl` that works.
pub(super) fn print(
    args: &Args,
    running: &Running,
    settings: &Settings,
    sinks: &[SinkName],
    admin: SocketAddr,
    took: Duration,
) -> Result<(), Fatal> {
    if args.json {
        println!("{}", serde_json::to_string(running).map_err(Fatal::internal)?);
        return Ok(());
    }
    println!("Leadline {}", env!("CARGO_PKG_VERSION"));
    if running.embedded {
        println!("  broker   embedded, in memory. It keeps nothing after it stops; --kafka HOST:PORT uses yours");
    } else {
        println!("  broker   {}", running.kafka);
    }
    for sink in sinks {
        println!("  {:8} {}", sink.as_str(), destination(settings, sink));
    }
    println!("  metrics  http://{admin}/metrics");
    println!("ready in {:.1} s\n", took.as_secs_f64());
    match &running.url {
        Some(url) => print_next_steps(url),
        None => println!("Post leads to the endpoints of the configuration. Ctrl-C stops."),
    }
    Ok(())
}

fn print_next_steps(url: &str) {
    let body = include_str!("sample.json").trim_end();
    println!("Post a lead:\n\n  curl -sS '{url}' \\\n    -H 'Content-Type: application/json' \\\n    -d '{body}'\n");
    println!("The same lead again within an hour is a repeat, and nobody is mailed twice.\n");
    println!(
        "Or post one and follow it, in a second terminal:\n\n  leadline send      (in the source folder: cargo run -- send)\n\nCtrl-C stops."
    );
}

/// Where a sink delivers to, without anything secret.
fn destination(settings: &Settings, sink: &SinkName) -> String {
    let text = |key: &str| settings.section::<String>(&format!("sinks.{sink}.{key}")).ok();
    let kind = kind_of(settings, sink).unwrap_or_default();
    match (text("file.directory"), text("smtp.host"), text("sql.url")) {
        (Some(directory), ..) if text("transport").as_deref() == Some("file") => format!("mails as files in {directory}/"),
        (_, Some(host), _) => format!("mails by {host}"),
        (.., Some(url)) if url.starts_with("sqlite:") => format!("records in {}", url.trim_start_matches("sqlite:")),
        _ => format!("kind {kind}"),
    }
}
