//! The public port: routes, the limits of its server, encryption, measuring. What becomes of a request is `accept`'s.

use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{Server, ServiceRequest, ServiceResponse};
use actix_web::http::Version;
use actix_web::middleware::{Next, from_fn};
use actix_web::web::{self, Bytes};
use actix_web::{App, Error, HttpRequest, HttpResponse, HttpServer};
use leadline_platform::process::Fatal;

use crate::accept::{self, Intake};
use crate::connections::{self, Connection, Connections, Stream};
use crate::problem::Problem;
use crate::route::{ENDPOINT, ROUTE};
use crate::tls;

/// Time for a client to agree on encryption.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// What HTTP/2 may send before it is read: a body of the usual limit, and a few of them on one connection.
const STREAM_WINDOW: u32 = 64 * 1024;
const CONNECTION_WINDOW: u32 = 4 * STREAM_WINDOW;
/// Stands for every path that leads nowhere.
const UNMATCHED: &str = "unmatched";

/// Binds the port. What is returned serves while it is polled; a stop waits for open requests up to `drain`.
pub(crate) fn open(
    intake: web::Data<Intake>,
    connections: &Connections,
    drain: Duration,
) -> Result<(Server, SocketAddr), Fatal> {
    let (config, certificate) = (intake.config.clone(), intake.certificate.clone());
    connections::allow_files(config.limits.connections);
    let opened = connections.clone();
    let server = HttpServer::new(move || {
        App::new()
            .app_data(intake.clone())
            .wrap(from_fn(measure))
            .service(web::resource(ROUTE).route(web::post().to(accept::post)).default_service(web::to(method_not_allowed)))
            .default_service(web::to(not_found))
    });
    let server = server
        .on_connect(move |stream, data| opened.opened(stream, data))
        .max_connections(config.limits.connections)
        .client_request_timeout(config.head_timeout)
        .keep_alive(config.keep_alive)
        .tcp_nodelay(true)
        .tls_handshake_timeout(HANDSHAKE_TIMEOUT)
        .h2_initial_window_size(STREAM_WINDOW)
        .h2_initial_connection_window_size(CONNECTION_WINDOW)
        .shutdown_timeout(drain.as_secs())
        .disable_signals();
    let bound = match certificate {
        Some(presented) => server.bind_rustls_0_23(config.listen, tls::server(presented).map_err(Fatal::internal)?),
        None => {
            if !config.listen.ip().is_loopback() {
                tracing::warn!("the public port is not encrypted: set `ingest.tls`, or let a reverse proxy do it");
            }
            server.bind(config.listen)
        }
    };
    let server = bound.map_err(|error| Fatal::cannot_bind("ingest.listen", config.listen, &error))?;
    let address = server.addrs().first().copied().unwrap_or(config.listen);
    Ok((server.run(), address))
}

async fn not_found(intake: web::Data<Intake>) -> Result<HttpResponse, Problem> {
    Err(intake.refuse(Problem::NotFound))
}

async fn method_not_allowed(intake: web::Data<Intake>) -> Result<HttpResponse, Problem> {
    Err(intake.refuse(Problem::MethodNotAllowed))
}

/// Measures every request. Labels come from closed sets: a stranger must not be able to make series.
async fn measure(request: ServiceRequest, next: Next<impl MessageBody + 'static>) -> Result<ServiceResponse<BoxBody>, Error> {
    let started = Instant::now();
    let open = request.conn_data::<Connection>().filter(|_| request.version() == Version::HTTP_2).map(Connection::request);
    let method = method(request.method().as_str());
    let intake = request.app_data::<web::Data<Intake>>().cloned();
    let response = next.call(request).await;
    let (status, route) = match &response {
        Ok(response) => (response.status(), route(response.request())),
        Err(error) => (error.as_response_error().status_code(), UNMATCHED),
    };
    if let Some(intake) = intake {
        let labels = [method, route, status.as_str()];
        intake.metrics.requests.with_label_values(&labels).observe(started.elapsed().as_secs_f64());
    }
    Ok(response?.map_body(|_, body| match open {
        None => body.boxed(),
        Some(open) => BoxBody::new(Answer { body: body.boxed(), _open: open }),
    }))
}

/// An answer over HTTP/2. Its request is open until the client has taken it, which may be never.
struct Answer {
    body: BoxBody,
    _open: Stream,
}

impl MessageBody for Answer {
    type Error = Box<dyn std::error::Error>;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        self.body.as_pin_mut().poll_next(context)
    }
}

/// The route that a request has taken. The framework would tell by looking for it once more.
fn route(request: &HttpRequest) -> &'static str {
    if request.match_info().get(ENDPOINT).is_some() { ROUTE } else { UNMATCHED }
}

fn method(method: &str) -> &'static str {
    ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"].into_iter().find(|known| *known == method).unwrap_or("_OTHER")
}
