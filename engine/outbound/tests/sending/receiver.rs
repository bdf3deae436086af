//! Receivers on 127.0.0.1: one that speaks HTTP and refuses what does not verify, and one that does with the bytes whatever
//! a test wants.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use standardwebhooks::Webhook;
use tokio::net::{TcpListener, TcpStream};

/// A request as the receiver saw it.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) method: Method,
    pub(crate) path_and_query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// Of the connection that brought it; the first is 1.
    pub(crate) connection: usize,
}

impl Received {
    pub(crate) fn header(&self, name: &str) -> Vec<&str> {
        self.headers.get_all(name).iter().map(|value| value.to_str().expect("text")).collect()
    }
}

/// A receiver that answers 401 to what does not verify with the `standardwebhooks` crate, and what it is told to the rest.
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    verified: Arc<Mutex<Vec<Received>>>,
}

impl Receiver {
    pub(crate) async fn start(
        secret: &str,
        answer: impl Fn() -> Response<Full<Bytes>> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let verified = Arc::new(Mutex::new(Vec::new()));
        let webhook = Arc::new(Webhook::new(secret).expect("a secret"));
        let answer = Arc::new(answer);
        let seen = Arc::clone(&verified);
        tokio::spawn(async move {
            for connection in 1.. {
                let Ok((stream, _)) = listener.accept().await else { return };
                let (webhook, answer, seen) = (Arc::clone(&webhook), Arc::clone(&answer), Arc::clone(&seen));
                let service = service_fn(move |request: Request<Incoming>| {
                    let (webhook, answer, seen) = (Arc::clone(&webhook), Arc::clone(&answer), Arc::clone(&seen));
                    async move {
                        let received = received(request, connection).await;
                        let answer = match webhook.verify(&received.body, &received.headers) {
                            Ok(()) => {
                                seen.lock().expect("no panic").push(received);
                                answer()
                            }
                            Err(error) => status(StatusCode::UNAUTHORIZED, error.to_string()),
                        };
                        Ok::<_, Infallible>(answer)
                    }
                });
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service),
                );
            }
        });
        Self { address, verified }
    }

    /// One that answers 204 to what verifies.
    pub(crate) async fn healthy(secret: &str) -> Self {
        Self::start(secret, || status(StatusCode::NO_CONTENT, "")).await
    }

    /// What has verified, oldest first.
    pub(crate) fn got(&self) -> Vec<Received> {
        self.verified.lock().expect("no panic").clone()
    }
}

async fn received(request: Request<Incoming>, connection: usize) -> Received {
    let (head, body) = request.into_parts();
    let body = body.collect().await.expect("a whole body").to_bytes();
    let path_and_query = head.uri.path_and_query().expect("a path").to_string();
    Received { method: head.method, path_and_query, headers: head.headers, body, connection }
}

/// An answer with this status and body.
pub(crate) fn status(status: StatusCode, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    answer
}

/// Accepts one connection and leaves it to `behaviour`; the task ends with it.
pub(crate) async fn one_connection<F, T>(
    behaviour: impl FnOnce(TcpStream) -> F + Send + 'static,
) -> (SocketAddr, tokio::task::JoinHandle<T>)
where
    F: Future<Output = T> + Send,
    T: Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let task = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("a connection");
        behaviour(stream).await
    });
    (address, task)
}
