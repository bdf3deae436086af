//! Requests written word for word: for what no client would send, and for answers as they come over the wire.

use std::fmt::Write as _;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use weft_client::wire::{PROBLEM_CONTENT_TYPE, Problem};

use crate::within;

/// A request of HTTP/1.1 on a connection of its own.
#[derive(Clone, Debug)]
pub struct Request {
    head: String,
    body: Vec<u8>,
}

/// What was answered, as it came.
#[derive(Clone, Debug)]
pub struct Answered {
    /// The status.
    pub status: u16,
    /// Everything before the body, in lower case.
    pub head: String,
    /// The body.
    pub body: String,
}

impl Request {
    /// A request without a body and without a key.
    pub fn new(method: &str, path: &str) -> Self {
        Self { head: format!("{method} {path} HTTP/1.1\r\nhost: weft\r\nconnection: close\r\n"), body: Vec::new() }
    }

    /// An event of JSON, with the key of a tenant.
    pub fn event(key: &str, body: impl AsRef<[u8]>) -> Self {
        Self::new("POST", "/v1/events").key(key).header("content-type", "application/json").body(body)
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        write!(self.head, "{name}: {value}\r\n").expect("a string takes everything");
        self
    }

    /// Adds the header that carries a key.
    #[must_use]
    pub fn key(self, key: &str) -> Self {
        self.header("authorization", &format!("Bearer {key}"))
    }

    /// Adds a body with its length.
    #[must_use]
    pub fn body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.body = body.as_ref().to_vec();
        let length = self.body.len().to_string();
        self.header("content-length", &length)
    }

    /// Adds a body without a word about its length.
    #[must_use]
    pub fn raw_body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.body = body.as_ref().to_vec();
        self
    }

    /// Sends it, and reads the whole answer.
    ///
    /// # Panics
    /// If there is none.
    pub async fn send(&self, to: SocketAddr) -> Answered {
        Answered::read(&rest(self.begin(to, self.body.len()).await).await)
    }

    /// Sends it as far as `bytes` of its body, says that this is the end, and reads what is answered to that.
    pub async fn send_part(&self, to: SocketAddr, bytes: usize) -> Answered {
        let mut stream = self.begin(to, bytes).await;
        stream.shutdown().await.expect("the engine reads");
        Answered::read(&rest(stream).await)
    }

    /// Sends what may be no request at all, and reads whatever comes until the engine hangs up.
    pub async fn say(to: SocketAddr, words: &[u8]) -> String {
        let mut stream = TcpStream::connect(to).await.expect("the engine listens");
        stream.write_all(words).await.expect("the engine reads");
        stream.shutdown().await.expect("the engine reads");
        rest(stream).await
    }

    /// Sends it as far as `bytes` of its body, and leaves the connection open.
    pub async fn begin(&self, to: SocketAddr, bytes: usize) -> TcpStream {
        let mut stream = TcpStream::connect(to).await.expect("the engine listens");
        let head = format!("{}\r\n", self.head);
        stream.write_all(head.as_bytes()).await.expect("the engine reads");
        stream.write_all(&self.body[..bytes]).await.expect("the engine reads");
        stream
    }
}

impl Answered {
    fn read(answer: &str) -> Self {
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer of HTTP: {answer:?}"));
        let status = head.split(' ').nth(1).and_then(|word| word.parse().ok()).expect("a status");
        Self { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
    }

    /// The refusal that it holds.
    ///
    /// # Panics
    /// If it is no problem of RFC 9457, or not the one that the status says.
    pub fn problem(&self) -> Problem {
        assert!(self.head.contains(PROBLEM_CONTENT_TYPE), "no problem: {self:?}");
        let problem: Problem = serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"));
        assert_eq!(problem.status, self.status, "{self:?}");
        problem
    }
}

/// Everything that comes until the engine hangs up.
async fn rest(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    // A peer that hangs up on what it has not read resets the connection; what it said before counts.
    let _ = within("an answer to a request", stream.read_to_end(&mut answer)).await;
    String::from_utf8(answer).expect("an answer of text")
}
