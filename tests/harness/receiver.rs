//! A receiver of webhooks: verifies what comes in, answers what it is told, remembers everything.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use standardwebhooks::Webhook;
use tokio::net::TcpListener;
use tokio::sync::watch;
use weft_core::sign::{SECRET_BYTES_GENERATED, SigningSecret};

use crate::within;

/// What a receiver answers to a request that verifies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// This status.
    Status(u16),
    /// This status, and this `Retry-After`.
    Later(u16, &'static str),
    /// Nothing, until the receiver is told otherwise.
    Silence,
}

/// A request that verified.
#[derive(Clone, Debug)]
pub struct Received {
    /// The path that it came to.
    pub path: String,
    /// All of them.
    pub headers: HeaderMap,
    /// The exact bytes.
    pub body: Bytes,
}

/// A receiver on 127.0.0.1 that answers 401 to what does not verify with the `standardwebhooks` crate.
///
/// It lives as long as the test's runtime and remembers all that it got. Clones are the same receiver.
#[derive(Clone, Debug)]
pub struct Receiver {
    address: SocketAddr,
    secret: SigningSecret,
    memory: Arc<watch::Sender<Memory>>,
}

#[derive(Debug)]
struct Memory {
    got: Vec<Received>,
    /// The `webhook-id` of each request that was answered 2xx.
    accepted: Vec<String>,
    /// What the `standardwebhooks` crate said of each request that did not verify.
    refused: Vec<String>,
    first: VecDeque<Answer>,
    then: Answer,
}

/// What a receiver holds a timestamp against.
#[derive(Clone, Copy, Debug)]
enum Freshness {
    /// The machine's clock, five minutes either way, as every receiver does.
    Checked,
    /// Nothing: the engine's clock is moved by hours.
    Ignored,
}

impl Receiver {
    /// Starts a receiver that accepts everything that verifies.
    pub async fn start() -> Self {
        Self::listen(Freshness::Checked).await
    }

    /// Starts a receiver for an engine whose clock is moved further than the five minutes that receivers allow.
    pub async fn of_any_time() -> Self {
        Self::listen(Freshness::Ignored).await
    }

    async fn listen(freshness: Freshness) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        // Another one for each receiver, so that what is signed for one does not verify at its neighbour.
        let seed = address.port().to_be_bytes();
        let secret = SigningSecret::from_bytes(seed.into_iter().cycle().take(SECRET_BYTES_GENERATED).collect());
        let secret = secret.expect("as long as a secret must be");
        let memory = Memory {
            got: Vec::new(),
            accepted: Vec::new(),
            refused: Vec::new(),
            first: VecDeque::new(),
            then: Answer::Status(204),
        };
        let receiver = Self { address, secret, memory: Arc::new(watch::Sender::new(memory)) };
        let verifier = Webhook::new(&receiver.secret.reveal()).expect("a secret that we made");
        let desk = Desk { verifier: Arc::new(verifier), freshness, memory: receiver.memory.clone() };
        tokio::spawn(desk.serve(listener));
        receiver
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// What it verifies with.
    pub fn secret(&self) -> String {
        self.secret.reveal()
    }

    /// Gives these answers to the next requests that verify, one each; then those of [`Self::answer`].
    pub fn answer_first(&self, answers: impl IntoIterator<Item = Answer>) {
        self.memory.send_modify(|memory| memory.first.extend(answers));
    }

    /// Gives this answer from here on, also to those who wait in silence.
    pub fn answer(&self, answer: Answer) {
        self.memory.send_modify(|memory| memory.then = answer);
    }

    /// Waits until at least `count` requests that verify have come, and gives back all of them, first to last.
    pub async fn got(&self, count: usize) -> Vec<Received> {
        let mut memory = self.memory.subscribe();
        let enough = memory.wait_for(|memory| memory.got.len() >= count || !memory.refused.is_empty());
        let memory = within(&format!("{count} requests at {}", self.address), enough).await;
        let memory = memory.expect("the receiver holds the other end");
        assert_eq!(memory.refused, [""; 0], "requests that did not verify");
        memory.got.clone()
    }

    /// Waits until it has answered 2xx at least `count` times, and gives back the `webhook-id` of each such request.
    pub async fn accepted(&self, count: usize) -> Vec<String> {
        let mut memory = self.memory.subscribe();
        let enough = memory.wait_for(|memory| memory.accepted.len() >= count || !memory.refused.is_empty());
        let memory = within(&format!("{count} requests accepted at {}", self.address), enough).await;
        let memory = memory.expect("the receiver holds the other end");
        assert_eq!(memory.refused, [""; 0], "requests that did not verify");
        memory.accepted.clone()
    }

    /// All requests so far that verified, first to last.
    pub fn so_far(&self) -> Vec<Received> {
        self.memory.borrow().got.clone()
    }

    /// How often it has answered 2xx so far.
    pub fn accepted_so_far(&self) -> usize {
        self.memory.borrow().accepted.len()
    }
}

impl Received {
    /// The one header of this name, as text.
    ///
    /// # Panics
    /// If there is none, or more than one.
    pub fn header(&self, name: &str) -> &str {
        let values: Vec<_> = self.headers.get_all(name).iter().collect();
        match values[..] {
            [value] => value.to_str().expect("a header of text"),
            _ => panic!("{name} came {} times", values.len()),
        }
    }

    /// Its `webhook-id`.
    pub fn webhook_id(&self) -> &str {
        self.header("webhook-id")
    }

    /// Its `webhook-timestamp`, in Unix seconds.
    pub fn timestamp(&self) -> i64 {
        self.header("webhook-timestamp").parse().expect("a whole number")
    }
}

/// The half of a receiver that sits at the socket.
#[derive(Clone)]
struct Desk {
    verifier: Arc<Webhook>,
    freshness: Freshness,
    memory: Arc<watch::Sender<Memory>>,
}

impl Desk {
    /// Serves until the test's runtime ends.
    async fn serve(self, listener: TcpListener) {
        while let Ok((stream, _)) = listener.accept().await {
            let desk = self.clone();
            let service = service_fn(move |request| {
                let desk = desk.clone();
                async move { desk.take(request).await }
            });
            tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    }

    async fn take(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        let (head, body) = request.into_parts();
        // A sender that was killed half-way has sent nothing.
        let Ok(body) = body.collect().await else { return Ok(response(&Answer::Status(400))) };
        let received = Received { path: head.uri.to_string(), headers: head.headers, body: body.to_bytes() };
        if let Err(error) = self.verify(&received) {
            self.memory.send_modify(|memory| memory.refused.push(format!("{error:?}: {received:?}")));
            return Ok(response(&Answer::Status(401)));
        }
        let id = received.webhook_id().to_owned();
        let mut next = None;
        self.memory.send_modify(|memory| {
            memory.got.push(received);
            next = memory.first.pop_front();
        });
        let answer = match next {
            Some(Answer::Silence) | None => self.then().await,
            Some(answer) => answer,
        };
        if let Answer::Status(200..=299) = answer {
            self.memory.send_modify(|memory| memory.accepted.push(id));
        }
        Ok(response(&answer))
    }

    /// What is answered in the long run, waited for if that is silence.
    async fn then(&self) -> Answer {
        let mut memory = self.memory.subscribe();
        let told = memory.wait_for(|memory| memory.then != Answer::Silence).await;
        told.expect("this task holds the other end").then.clone()
    }

    fn verify(&self, received: &Received) -> Result<(), standardwebhooks::WebhookError> {
        match self.freshness {
            Freshness::Checked => self.verifier.verify(&received.body, &received.headers),
            Freshness::Ignored => {
                let ours = self.verifier.sign(received.webhook_id(), received.timestamp(), &received.body)?;
                let theirs = received.header("webhook-signature");
                let agree = theirs.split(' ').any(|token| token == ours);
                agree.then_some(()).ok_or(standardwebhooks::WebhookError::InvalidSignature)
            }
        }
    }
}

fn response(answer: &Answer) -> Response<Full<Bytes>> {
    let (status, retry_after) = match answer {
        Answer::Status(status) => (*status, None),
        Answer::Later(status, after) => (*status, Some(*after)),
        Answer::Silence => unreachable!("silence has been waited for"),
    };
    let mut builder = Response::builder().status(status);
    if let Some(after) = retry_after {
        builder = builder.header("retry-after", after);
    }
    builder.body(Full::default()).expect("a valid response")
}
