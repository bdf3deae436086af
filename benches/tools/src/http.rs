//! HTTP/1.1 with hyper's own client and server, at the least cost that both ends can have.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use hyper::header::{HOST, RETRY_AFTER};
use hyper::http::request;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

/// A kept connection that sends one request at a time.
pub struct Connection {
    address: SocketAddr,
    sender: SendRequest<Full<Bytes>>,
}

/// An answer that has been read to its end.
pub struct Answer {
    /// The response's status.
    pub status: StatusCode,
    /// After which time a receiver that has too much to do (429, 503) wants to be asked again.
    pub retry_after: Option<Duration>,
    /// The response's body.
    pub body: Bytes,
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// When nobody listens at `address`.
    pub async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await.with_context(|| format!("could not connect to {address}"))?;
        stream.set_nodelay(true)?;
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        // Its error reaches whoever sends the next request.
        tokio::spawn(connection);
        Ok(Self { address, sender })
    }

    /// A POST to `path` of the other end.
    #[must_use]
    pub fn post(&self, path: &str) -> request::Builder {
        Request::post(path).header(HOST, self.address.to_string())
    }

    /// Sends a request and reads the whole answer; connects again first if the other end has hung up.
    ///
    /// # Errors
    /// When the connection breaks under this request.
    pub async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<Answer> {
        if self.sender.ready().await.is_err() {
            *self = Self::open(self.address).await?;
        }
        let response = self.sender.send_request(request).await?;
        let (status, retry_after) = (response.status(), retry_after(&response));
        Ok(Answer { status, retry_after, body: response.into_body().collect().await?.to_bytes() })
    }
}

fn retry_after(response: &Response<Incoming>) -> Option<Duration> {
    let busy = [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE].contains(&response.status());
    let seconds = response.headers().get(RETRY_AFTER).filter(|_| busy)?;
    Some(Duration::from_secs(seconds.to_str().ok()?.parse().ok()?))
}

/// Asks for `path` on a connection of its own.
///
/// # Errors
/// When nobody answers.
pub async fn get(address: SocketAddr, path: &str) -> Result<Bytes> {
    let mut connection = Connection::open(address).await?;
    let request = Request::get(path).header(HOST, address.to_string()).body(Full::new(Bytes::new()))?;
    Ok(connection.send(request).await?.body)
}

/// Listens for connections.
///
/// # Errors
/// When the address cannot be bound.
pub async fn listen(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("could not listen on {address}"))
}

/// Serves every connection on a task of its own, until the listener fails.
///
/// # Errors
/// When the listener breaks.
pub async fn serve<A, F>(listener: TcpListener, answer: A) -> Result<()>
where
    A: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Result<Response<Full<Bytes>>>> + Send,
{
    loop {
        let (stream, _) = listener.accept().await.context("could not accept a connection")?;
        stream.set_nodelay(true)?;
        let answer = answer.clone();
        let service = service_fn(move |request| {
            let answering = answer(request);
            async move { Ok::<_, Infallible>(answering.await.unwrap_or_else(|_| status(StatusCode::SERVICE_UNAVAILABLE))) }
        });
        tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

/// An answer without a body.
#[must_use]
pub fn status(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::new()));
    *response.status_mut() = status;
    response
}
