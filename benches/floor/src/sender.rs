//! Delivering: one kept connection per sender, a fresh Standard Webhooks signature per request.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http_body_util::Full;
use hyper::Request;
use sha2::Sha256;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;

use bench_tools::clock;
use bench_tools::http::Connection;

use crate::writer::{Delivery, Work};

/// 24 bytes, the least that Standard Webhooks allows; nobody verifies it here, and it guards nothing.
const SIGNING_KEY: &[u8; 24] = b"the floor guards nothing";

/// Hands deliveries to whichever sender is free.
type Queue = Arc<Mutex<mpsc::UnboundedReceiver<Delivery>>>;

pub(crate) struct Sender {
    connection: Connection,
    key: Hmac<Sha256>,
    queue: Queue,
    settled: mpsc::Sender<Work>,
}

impl Sender {
    /// Runs `count` senders until one of them fails.
    pub(crate) async fn start(
        count: usize,
        destination: SocketAddr,
        deliveries: mpsc::UnboundedReceiver<Delivery>,
        settled: mpsc::Sender<Work>,
    ) -> Result<()> {
        let queue = Arc::new(Mutex::new(deliveries));
        let key = Hmac::new_from_slice(SIGNING_KEY).context("a key of any length will do")?;
        let mut senders = JoinSet::new();
        for _ in 0..count {
            let connection = Connection::open(destination).await?;
            let sender = Self { connection, key: key.clone(), queue: queue.clone(), settled: settled.clone() };
            senders.spawn(sender.run());
        }
        while let Some(end) = senders.join_next().await {
            end??;
        }
        Ok(())
    }

    async fn run(mut self) -> Result<()> {
        loop {
            let next = self.queue.lock().await.recv().await;
            let Some(delivery) = next else { return Ok(()) };
            let id = delivery.id;
            let status = self.connection.send(self.request(delivery)?).await?.status;
            if !status.is_success() {
                bail!("the sink answered {status}, and the floor does not try again");
            }
            self.settled.send(Work::Settled(id)).await.context("the writer has ended")?;
        }
    }

    fn request(&self, delivery: Delivery) -> Result<Request<Full<Bytes>>> {
        let Delivery { event, destination, body, .. } = delivery;
        let (id, timestamp) = (format!("evt_{event}"), clock::now_ns() / 1_000_000_000);
        let mut mac = self.key.clone();
        mac.update(format!("{id}.{timestamp}.").as_bytes());
        mac.update(&body);
        let signature = STANDARD.encode(mac.finalize().into_bytes());
        let request = self.connection.post(&format!("/e{destination}"));
        let request = request.header("content-type", "application/json").header("webhook-id", id);
        let request =
            request.header("webhook-timestamp", timestamp).header("webhook-signature", format!("v1,{signature}"));
        Ok(request.body(Full::new(body))?)
    }
}
