//! An engine for these tests, and requests to it that no well-behaved client would make.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use weft_client::wire::Problem;
use weft_core::time::Timestamp;
use weft_store::check::Counted;
use weft_store::{Store, StoreAt};

use crate::app::App;
use crate::clock::Clock;
use crate::config;

/// Finds broken engines, paces nothing.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) const SHOP: &str = "key-of-shop-0123456789abcdefghijklmnop";
pub(super) const DEPOT: &str = "key-of-depot-0123456789abcdefghijklmno";

/// An engine with the tenants `shop` and `depot`.
pub(super) struct Served {
    folder: TempDir,
    app: App,
    pub(super) clock: Clock,
    pub(super) operator: String,
}

impl Served {
    /// Starts it; `receiver` is where the destinations of both tenants lead.
    pub(super) async fn start(receiver: SocketAddr) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for (file, text) in [("shop.key", SHOP), ("depot.key", DEPOT)] {
            let path = folder.path().join(file);
            fs::write(&path, text).expect("our own folder");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("our own file");
        }
        let destination = |name: &str| {
            format!("\n[[tenant.destination]]\nname = \"{name}\"\nurl = \"http://{receiver}/hook?token=hush\"\n")
        };
        let configuration = [
            "listen = \"127.0.0.1:0\"\n[network]\nallow = [\"127.0.0.1/32\"]\n[limits]\nevent_body_bytes_max = 65536\n",
            "[[tenant]]\nname = \"shop\"\nkeys = [{ name = \"tests\", file = \"shop.key\" }]\n",
            &destination("crm"),
            &destination("audit"),
            "[[tenant]]\nname = \"depot\"\nkeys = [{ name = \"tests\", file = \"depot.key\" }]\n",
            &destination("audit"),
        ]
        .concat();
        let path = folder.path().join("weft.toml");
        fs::write(&path, configuration).expect("our own folder");
        let config = config::load(&path).expect("a good configuration").config;
        let clock = Clock::manual(Timestamp::from_ms(1_700_000_000_000));
        let app = Box::pin(App::start(config, clock.clone())).await.expect("an engine");
        let operator = fs::read_to_string(folder.path().join("data/operator.key")).expect("made at the start");
        Self { folder, app, clock, operator: operator.trim().to_owned() }
    }

    /// Starts it without anybody who receives.
    pub(super) async fn alone() -> Self {
        // The discard port: nobody listens there.
        Self::start(SocketAddr::from(([127, 0, 0, 1], 9))).await
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.app.address()
    }

    /// Stops it; answers what its store then holds, after a check.
    pub(super) async fn stop(self) -> Counted {
        Box::pin(self.app.stop()).await;
        let database = self.folder.path().join("data/weft.db");
        let mut snapshot = Store::open_snapshot(&StoreAt::Sqlite(database)).await.expect("a store");
        let report = snapshot.check().await.expect("readable");
        assert_eq!(report.findings, []);
        report.counted
    }

    pub(super) async fn get(&self, key: &str, path: &str) -> Answer {
        self.send(Sent::to("GET", path).key(key)).await
    }

    pub(super) async fn post(&self, key: &str, path: &str, body: &str) -> Answer {
        self.send(Sent::to("POST", path).key(key).body(body)).await
    }

    /// Sends an event of JSON for the shop.
    pub(super) async fn event(&self, body: &str) -> Answer {
        self.send(Sent::event(body)).await
    }

    pub(super) async fn send(&self, sent: Sent) -> Answer {
        let mut bytes = sent.head.into_bytes();
        bytes.extend_from_slice(format!("content-length: {}\r\n\r\n", sent.body.len()).as_bytes());
        bytes.extend_from_slice(&sent.body);
        self.raw(&bytes).await
    }

    /// Sends these very bytes and reads until the connection closes.
    pub(super) async fn raw(&self, bytes: &[u8]) -> Answer {
        let exchange = async {
            let mut stream = TcpStream::connect(self.address()).await.expect("it listens");
            stream.write_all(bytes).await.expect("it reads");
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await.expect("it answers");
            Answer::read(&answer)
        };
        tokio::time::timeout(PATIENCE, exchange).await.expect("an answer in good time")
    }
}

/// A request.
pub(super) struct Sent {
    head: String,
    body: Vec<u8>,
}

impl Sent {
    pub(super) fn to(method: &str, path: &str) -> Self {
        Self { head: format!("{method} {path} HTTP/1.1\r\nhost: weft\r\nconnection: close\r\n"), body: Vec::new() }
    }

    /// An event of JSON for the shop.
    pub(super) fn event(body: impl Into<Vec<u8>>) -> Self {
        let mut sent = Self::to("POST", "/v1/events").key(SHOP).header("content-type", "application/json");
        sent.body = body.into();
        sent
    }

    pub(super) fn header(mut self, name: &str, value: &str) -> Self {
        self.head.push_str(&format!("{name}: {value}\r\n"));
        self
    }

    pub(super) fn key(self, key: &str) -> Self {
        self.header("authorization", &format!("Bearer {key}"))
    }

    pub(super) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }
}

/// An answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    head: String,
    pub(super) body: String,
}

impl Answer {
    fn read(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text.split_once("\r\n\r\n").expect("an answer of HTTP");
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        Self { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
    }

    /// The value of a header of the answer.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    /// The body, of an answer that grants what was asked.
    pub(super) fn granted<T: DeserializeOwned>(&self) -> T {
        assert!((200..300).contains(&self.status), "{self:?}");
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(super) fn json(&self) -> Value {
        self.granted()
    }

    /// The problem, of an answer that refuses; its parts must agree.
    pub(super) fn problem(&self) -> Problem {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        let problem: Problem = serde_json::from_str(&self.body).expect("a problem");
        assert_eq!(problem.status, self.status);
        assert!(!problem.title.is_empty() && !problem.detail.is_empty(), "{problem:?}");
        problem
    }

    /// The status, the word and the key of the problem.
    pub(super) fn refused(&self) -> (u16, String, String) {
        let problem = self.problem();
        (self.status, problem.word().to_owned(), problem.key.unwrap_or_default())
    }
}
