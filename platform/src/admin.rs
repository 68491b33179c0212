//! The admin port of every process: `/livez`, `/readyz`, `/metrics`. Nothing here changes anything, and nothing is secret.

use std::net::SocketAddr;

use actix_web::dev::ServerHandle;
use actix_web::http::header::ContentType;
use actix_web::{App, HttpResponse, HttpServer, web};
use prometheus::{Registry, TextEncoder};

use crate::health::Health;

/// A running admin port.
pub struct AdminServer {
    /// The address it listens on.
    pub address: SocketAddr,
    handle: ServerHandle,
}

impl AdminServer {
    /// Binds the address and serves until [`AdminServer::stop`].
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub fn start(listen: SocketAddr, registry: Registry, health: Health) -> std::io::Result<Self> {
        let routes = move || {
            App::new()
                .app_data(web::Data::new(registry.clone()))
                .app_data(web::Data::new(health.clone()))
                .route("/livez", web::get().to(livez))
                .route("/readyz", web::get().to(readyz))
                .route("/metrics", web::get().to(metrics))
        };
        let server = HttpServer::new(routes).workers(1).disable_signals().bind(listen)?;
        // invariant: `bind` succeeded, so there is one address.
        let address = server.addrs().first().copied().unwrap_or(listen);
        let server = server.run();
        let handle = server.handle();
        tokio::spawn(server);
        Ok(Self { address, handle })
    }

    /// Ends the port without waiting for open connections.
    pub async fn stop(self) {
        self.handle.stop(false).await;
    }
}

async fn livez(health: web::Data<Health>) -> HttpResponse {
    answer("live", "stalled", &health.stalled())
}

async fn readyz(health: web::Data<Health>) -> HttpResponse {
    answer("ready", "not ready", &health.missing())
}

fn answer(good: &str, bad: &str, missing: &[std::sync::Arc<str>]) -> HttpResponse {
    if missing.is_empty() {
        HttpResponse::Ok().content_type(ContentType::plaintext()).body(format!("{good}\n"))
    } else {
        let body = format!("{bad}: {}\n", missing.join(", "));
        HttpResponse::ServiceUnavailable().content_type(ContentType::plaintext()).body(body)
    }
}

async fn metrics(registry: web::Data<Registry>) -> HttpResponse {
    match TextEncoder::new().encode_to_string(&registry.gather()) {
        Ok(text) => HttpResponse::Ok().content_type(prometheus::TEXT_FORMAT).body(text),
        Err(error) => HttpResponse::InternalServerError().body(format!("metrics cannot be written: {error}\n")),
    }
}
