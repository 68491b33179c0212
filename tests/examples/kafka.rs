//! A real Apache Kafka for trying things by hand, and for the commands of the README: one broker on a port of one's choice,
//! until standard input ends or the process is stopped. Its data is thrown away.
//!
//! `cargo run -p leadline-tests --example kafka -- 9092`

use std::io::Read;
use std::process::ExitCode;

use leadline_tests::kafka::Cluster;

fn main() -> ExitCode {
    let port = match std::env::args().nth(1).map_or(Ok(9092), |port| port.parse()) {
        Ok(port) => port,
        Err(error) => {
            eprintln!("error: the argument is a port: {error}");
            return ExitCode::from(64);
        }
    };
    match Cluster::start_on(port) {
        Ok(cluster) => {
            println!("Kafka is ready at {}. Ctrl-D or Ctrl-C stops it", cluster.bootstrap());
            // It does not matter how the input ends.
            let _ = std::io::stdin().read_to_end(&mut Vec::new());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(70)
        }
    }
}
