//! The parts on their own: a server that takes the same body with the same limits and does nothing with it, and a producer that
//! awaits each acknowledgement.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use actix_web::web::{self, Bytes};
use actix_web::{App, HttpResponse, HttpServer};
use leadline_platform::kafka::{Producer, Record, settings};

use crate::load::IN_FLIGHT;
use crate::place::Place;

/// Serves until the process is killed.
pub(crate) fn serve(address: SocketAddr) -> ExitCode {
    let served = actix_web::rt::System::new().block_on(async {
        let app = || App::new().route("/v1/leads/{endpoint}", web::post().to(accept));
        HttpServer::new(app).client_request_timeout(Duration::from_secs(5)).bind(address)?.run().await
    });
    if served.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn accept(body: Bytes) -> HttpResponse {
    std::hint::black_box(&body);
    HttpResponse::Accepted().json(serde_json::json!({ "lead_id": uuid::Uuid::now_v7(), "durable": "kafka" }))
}

/// Records a second, each acknowledged, so many in flight.
pub(crate) fn produce(place: &Place, time: Duration) -> f64 {
    let producer = Producer::new(settings::producer(&place.kafka(), "bench"), None).expect("the settings are right");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("threads can be started");
    let acked = AtomicUsize::new(0);
    let rate = runtime.block_on(async {
        let started = Instant::now();
        let senders = (0..IN_FLIGHT).map(async |sender| {
            for number in (sender..).step_by(IN_FLIGHT) {
                if started.elapsed() > time {
                    return;
                }
                let record = Record { topic: place.bare_topic(), ..place.record(number) };
                producer.publish(&record).await.expect("the broker is there");
                acked.fetch_add(1, Ordering::Relaxed);
            }
        });
        futures::future::join_all(senders).await;
        rate(acked.load(Ordering::Relaxed), started.elapsed())
    });
    runtime.block_on(producer.flush(Duration::from_secs(10)));
    rate
}

#[allow(clippy::cast_precision_loss, reason = "far below 2^53")]
pub(crate) fn rate(count: usize, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64()
}
