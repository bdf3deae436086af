//! One HTTP/1.1 connection, driven by the attempt that uses it.
//!
//! hyper splits a connection into an end that sends requests and a part that moves bytes, which somebody must poll. A task of
//! its own for that part is woken by the attempt and wakes the attempt, on another thread as often as not; here the
//! attempt polls both, and nobody polls an idle connection.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::TrySendError;
use hyper::client::conn::http1;

use crate::connect::Stream;

/// Most bytes of an answer's head: receivers send less than 1 KiB, common servers accept 8 to 16 KiB.
const HEAD_BYTES_MAX: usize = 32 * 1024;

/// A connection that carries one request at a time.
#[derive(Debug)]
pub(crate) struct Connection {
    sender: http1::SendRequest<Full<Bytes>>,
    bytes: Bytewise,
}

/// What moves the bytes, until it has ended. It is boxed, because it holds a whole TLS session, or the room for one: some KiB that would
/// move with every step that a connection takes.
#[derive(Debug)]
struct Bytewise(Option<Box<http1::Connection<Stream, Full<Bytes>>>>);

impl Connection {
    /// A connection over a stream that has just come up.
    ///
    /// # Errors
    /// None that HTTP/1.1 knows; hyper reserves one.
    pub(crate) async fn over(stream: Stream) -> Result<Self, hyper::Error> {
        let (sender, bytes) = http1::Builder::new().max_buf_size(HEAD_BYTES_MAX).handshake(stream).await?;
        Ok(Self { sender, bytes: Bytewise(Some(Box::new(bytes))) })
    }

    /// Sends a request and waits for the head of its answer.
    ///
    /// # Errors
    /// What went wrong, with the request if nothing of it has left.
    pub(crate) async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, TrySendError<Request<Full<Bytes>>>> {
        self.bytes.until(self.sender.try_send_request(request)).await
    }

    /// Waits for the next part of an answer's body; `None` at its end.
    pub(crate) async fn frame(&mut self, body: &mut Incoming) -> Option<Result<Frame<Bytes>, hyper::Error>> {
        self.bytes.until(body.frame()).await
    }

    /// Whether another request may be sent: the exchange before is over, and nobody has hung up.
    pub(crate) fn is_ready(&mut self, cx: &mut Context<'_>) -> bool {
        self.bytes.advance(cx);
        self.bytes.0.is_some() && self.sender.is_ready()
    }

    /// [`Self::is_ready`], for the task at hand.
    pub(crate) async fn is_ready_now(&mut self) -> bool {
        poll_fn(|cx| Poll::Ready(self.is_ready(cx))).await
    }
}

impl Bytewise {
    /// Moves bytes until `wanted` is there. Whoever waits for an answer is told how the connection ended.
    async fn until<F: Future>(&mut self, wanted: F) -> F::Output {
        let mut wanted = pin!(wanted);
        poll_fn(|cx| {
            self.advance(cx);
            wanted.as_mut().poll(cx)
        })
        .await
    }

    fn advance(&mut self, cx: &mut Context<'_>) {
        let ended = self.0.as_mut().is_some_and(|bytes| Pin::new(&mut **bytes).poll(cx).is_ready());
        if ended {
            self.0 = None;
        }
    }
}
