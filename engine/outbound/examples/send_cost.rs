//! What one attempt costs: [`Sender::send`] beside reqwest with the same work around it, against a receiver in another
//! process, 64 attempts under way at once.
//!
//! ```text
//! cargo run --release -p weft-outbound --example send_cost
//! ```
//!
//! The machine's noise is larger than the difference, so the two take turns; compare the medians.

use std::io::BufRead;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use reqwest::header::{CONTENT_TYPE, USER_AGENT};
use tokio::task::JoinSet;
use tokio::time::Instant;
use weft_core::attempt::AttemptOutcome;
use weft_core::delivery::RequestParts;
use weft_core::destination::{HttpTarget, Timeouts};
use weft_core::sign::SigningSecret;
use weft_core::signing::Signing;
use weft_core::time::Timestamp;
use weft_outbound::{AddressGuard, OutgoingRequest, PreparedTarget, Sender, SenderConfig};

const UNDER_WAY: usize = 64;
const BODY_BYTES: usize = 1024;
const ROUNDS: usize = 9;
const ROUND: Duration = Duration::from_secs(2);
const WEBHOOK_ID: &str = "evt_01h2xcejqtf2nbrexx3vqjhp41";
const NOW: Timestamp = Timestamp::from_ms(1_614_265_330_000);
const TIMEOUTS: Timeouts = Timeouts { connect: Duration::from_secs(5), total: Duration::from_secs(20) };
/// The command-line argument that makes this program the receiver.
const RECEIVE: &str = "receive";

fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    if std::env::args().nth(1).as_deref() == Some(RECEIVE) {
        return runtime.block_on(receive());
    }
    let mut receiver = Command::new(std::env::current_exe()?).arg(RECEIVE).stdout(Stdio::piped()).spawn()?;
    let mut address = String::new();
    std::io::BufReader::new(receiver.stdout.take().context("a pipe")?).read_line(&mut address)?;
    let measured = runtime.block_on(measure(address.trim().parse()?));
    receiver.kill()?;
    receiver.wait()?;
    measured
}

/// Answers 202 to everything, until killed.
async fn receive() -> Result<()> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let service = hyper::service::service_fn(|request: http::Request<hyper::body::Incoming>| async {
            request.into_body().collect().await?;
            let mut answer = http::Response::new(Full::new(Bytes::new()));
            *answer.status_mut() = http::StatusCode::ACCEPTED;
            Ok::<_, hyper::Error>(answer)
        });
        tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

async fn measure(receiver: SocketAddr) -> Result<()> {
    let (ours, theirs) = (Ours::new(receiver)?, Reqwest::new(receiver)?);
    let mut costs = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        costs[0].push(round("weft-outbound", &ours, |ours| async move { ours.send().await }).await?);
        costs[1].push(round("reqwest", &theirs, |theirs| async move { theirs.send().await }).await?);
    }
    let [ours, theirs] = costs.map(median);
    println!("median: weft-outbound {ours:.1} us, reqwest {theirs:.1} us of CPU per attempt: {:.2}", ours / theirs);
    Ok(())
}

/// Sends for one round and returns the microseconds of CPU per attempt.
async fn round<C, F>(name: &str, client: &C, send: impl Fn(C) -> F + Copy + Send + 'static) -> Result<f64>
where
    C: Clone + Send + 'static,
    F: Future<Output = Result<()>> + Send,
{
    let (cpu_before, started) = (cpu_seconds()?, Instant::now());
    let mut tasks = JoinSet::new();
    for _ in 0..UNDER_WAY {
        let client = client.clone();
        tasks.spawn(async move {
            let mut sent = 0_u32;
            while started.elapsed() < ROUND {
                send(client.clone()).await?;
                sent += 1;
            }
            anyhow::Ok(sent)
        });
    }
    let mut sent = 0;
    for count in tasks.join_all().await {
        sent += count?;
    }
    let cost = (cpu_seconds()? - cpu_before) * 1e6 / f64::from(sent);
    println!("{name:<14} {:>7.0} /s {cost:>6.1} us", f64::from(sent) / started.elapsed().as_secs_f64());
    Ok(cost)
}

fn median(mut costs: Vec<f64>) -> f64 {
    costs.sort_by(f64::total_cmp);
    costs[costs.len() / 2]
}

/// CPU time of this process, in steps of 10 ms.
fn cpu_seconds() -> Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").context("this program measures on Linux only")?;
    let fields: Vec<_> = stat.rsplit(')').next().context("fields")?.split_whitespace().collect();
    Ok((fields[11].parse::<f64>()? + fields[12].parse::<f64>()?) / 100.0)
}

fn secret() -> Result<SigningSecret> {
    Ok(SigningSecret::from_bytes(vec![7; 30])?)
}

#[derive(Clone)]
struct Ours {
    sender: Sender,
    target: std::sync::Arc<PreparedTarget>,
    body: Bytes,
}

impl Ours {
    fn new(receiver: SocketAddr) -> Result<Self> {
        let sender = Sender::new(SenderConfig {
            guard: AddressGuard::new(vec!["127.0.0.1/32".parse()?]),
            response_bytes_max: 65_536,
            user_agent: "Weft/0.1.0".to_owned(),
        })?;
        let target = HttpTarget::plain(format!("http://{receiver}/hooks").parse()?, vec![secret()?]);
        let target = PreparedTarget::new(&target, TIMEOUTS)?.into();
        Ok(Self { sender, target, body: vec![b'x'; BODY_BYTES].into() })
    }

    async fn send(self) -> Result<()> {
        let report = self
            .sender
            .send(OutgoingRequest {
                target: &self.target,
                webhook_id: WEBHOOK_ID,
                event_type: "order.created",
                content_type: "application/json",
                headers: &[],
                parts: &RequestParts::default(),
                body: self.body.clone(),
                now: NOW,
            })
            .await;
        anyhow::ensure!(report.outcome == AttemptOutcome::Accepted { status: 202 }, "{report:?}");
        Ok(())
    }
}

#[derive(Clone)]
struct Reqwest {
    client: reqwest::Client,
    guard: AddressGuard,
    signing: std::sync::Arc<Signing>,
    url: url::Url,
    body: Bytes,
}

impl Reqwest {
    fn new(receiver: SocketAddr) -> Result<Self> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .connect_timeout(TIMEOUTS.connect)
            .build()?;
        Ok(Self {
            client,
            guard: AddressGuard::new(vec!["127.0.0.1/32".parse()?]),
            signing: Signing::v1(vec![secret()?]).into(),
            url: format!("http://{receiver}/hooks").parse()?,
            body: vec![b'x'; BODY_BYTES].into(),
        })
    }

    async fn send(self) -> Result<()> {
        // reqwest asks its resolver about names only: a literal must be checked before each request.
        if let Some(url::Host::Ipv4(address)) = self.url.host() {
            self.guard.check(address.into())?;
        }
        let signature = self.signing.sign(WEBHOOK_ID, NOW, &self.body);
        let mut answer = self
            .client
            .post(self.url)
            .timeout(TIMEOUTS.total)
            .header(USER_AGENT, "Weft/0.1.0")
            .header(CONTENT_TYPE, "application/json")
            .header("weft-event-type", "order.created")
            .header("webhook-id", WEBHOOK_ID)
            .header("webhook-timestamp", signature.timestamp)
            .header("webhook-signature", signature.tokens)
            .body(self.body)
            .send()
            .await?;
        while answer.chunk().await?.is_some() {}
        anyhow::ensure!(answer.status() == 202, "{}", answer.status());
        Ok(())
    }
}
