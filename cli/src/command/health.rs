//! `leadline health`: asks a process on this machine whether it is ready, or live. For containers whose image holds nothing else
//! that could ask.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use leadline_platform::config::sections::Admin;
use leadline_platform::process::{Exit, Fatal};

use super::{BAD_RESULT, block_on};
use crate::product;

/// Longest wait for the answer: a probe has a deadline of its own, and asks again.
const TIMEOUT: Duration = Duration::from_secs(2);

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Whether it turns at all, instead of whether it can do its work now
    #[arg(long)]
    live: bool,
    /// Where its admin port is; without it as the configuration says
    #[arg(long, value_name = "ADDRESS")]
    address: Option<SocketAddr>,
}

pub(crate) fn run(args: &Args, file: Option<&Path>) -> Result<ExitCode, Fatal> {
    let address = match args.address {
        Some(address) => address,
        None => product::settings(file, None)?.section::<Admin>("admin")?.listen,
    };
    let path = if args.live { "livez" } else { "readyz" };
    let (good, text) = block_on(ask(here(address), path))?;
    print!("{text}");
    Ok(if good { Exit::Done.into() } else { BAD_RESULT.into() })
}

/// Where a port on this machine is reached that listens at an address: at all of them means at the loopback one, too.
fn here(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip @ (IpAddr::V4(_) | IpAddr::V6(_)) => ip,
    };
    SocketAddr::new(ip, listen.port())
}

/// Whether the answer is good, and its text.
async fn ask(address: SocketAddr, path: &str) -> Result<(bool, String), Fatal> {
    let failed = |error| Fatal::unavailable(format!("nobody answers at {address}: {error}"));
    let tls = leadline_platform::tls::client(None).map_err(Fatal::internal)?;
    let client = reqwest::Client::builder().timeout(TIMEOUT).no_proxy().tls_backend_preconfigured((*tls).clone());
    let asked = client.build().map_err(Fatal::internal)?.get(format!("http://{address}/{path}"));
    let answer = asked.send().await.map_err(|error| failed(super::root_cause(error)))?;
    let good = answer.status().is_success();
    answer.text().await.map(|text| (good, text)).map_err(|error| failed(super::root_cause(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_at_every_address_is_asked_at_the_loopback_one() {
        for (listen, asked) in [
            ("0.0.0.0:9090", "127.0.0.1:9090"),
            ("[::]:1", "[::1]:1"),
            ("127.0.0.1:2", "127.0.0.1:2"),
            ("10.1.2.3:4", "10.1.2.3:4"),
        ] {
            assert_eq!(here(listen.parse().unwrap()), asked.parse().unwrap());
        }
    }
}
