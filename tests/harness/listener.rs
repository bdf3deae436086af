//! A listener that knows nothing of webhooks: it keeps what comes, and gives everybody the same answer.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::within;

/// A listener on 127.0.0.1 that verifies nothing. It lives as long as the test's runtime.
#[derive(Clone, Debug)]
pub struct Listener {
    address: SocketAddr,
    got: Arc<watch::Sender<Vec<(HeaderMap, Bytes)>>>,
}

impl Listener {
    /// Starts a listener that gives this answer to everything.
    pub async fn answering(status: u16, headers: &[(&'static str, String)]) -> Self {
        let mut answer = Response::builder().status(status);
        for (name, value) in headers {
            answer = answer.header(*name, value);
        }
        let answer = answer.body(Full::<Bytes>::default()).expect("a valid answer");
        let socket = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = socket.local_addr().expect("a bound socket has an address");
        let listener = Self { address, got: Arc::new(watch::Sender::new(Vec::new())) };
        tokio::spawn(serve(socket, answer, listener.got.clone()));
        listener
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until at least `count` requests have come, and gives back all of them, first to last.
    pub async fn got(&self, count: usize) -> Vec<(HeaderMap, Bytes)> {
        let mut got = self.got.subscribe();
        let enough = got.wait_for(|got| got.len() >= count);
        within(&format!("{count} requests at {}", self.address), enough).await.expect("we hold the other end").clone()
    }
}

async fn serve(socket: TcpListener, answer: Response<Full<Bytes>>, got: Arc<watch::Sender<Vec<(HeaderMap, Bytes)>>>) {
    while let Ok((stream, _)) = socket.accept().await {
        let (answer, got) = (answer.clone(), got.clone());
        let service = service_fn(move |request: Request<Incoming>| {
            let (answer, got) = (answer.clone(), got.clone());
            async move {
                let (head, body) = request.into_parts();
                if let Ok(body) = body.collect().await {
                    got.send_modify(|got| got.push((head.headers, body.to_bytes())));
                }
                Ok::<_, Infallible>(answer)
            }
        });
        tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}
