//! `weft listen`: a receiver on this machine, to see what is sent and how it is taken when something goes wrong.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use clap::Args;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::header::RETRY_AFTER;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::{GracefulConnection, GracefulShutdown};
use serde::Serialize;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use weft_core::sign::SigningSecret;
use weft_core::verify::{SignedRequest, verify};
use weft_server::clock::Clock;

use crate::config::ConfigPath;
use crate::engine::Engine;
use crate::print;

/// Largest body that is taken.
const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;
/// So much of a body is shown to a person.
const SHOWN_CHARS_MAX: usize = 2_000;
/// How long the last answers may take, once enough requests have come.
const LAST_ANSWERS_WITHIN: Duration = Duration::from_secs(2);
/// The longest delay: longer than any sender waits.
const DELAY_MAX: Duration = Duration::from_mins(10);

/// Receive deliveries on this machine: verify them, show them, and answer as told.
#[derive(Debug, Args)]
pub(crate) struct Listen {
    #[command(flatten)]
    engine: Engine,
    /// Where to listen on 127.0.0.1; 0 for any free port
    #[arg(long, default_value_t = 7420)]
    port: u16,
    /// Verify with the secrets of this destination, asked of the engine
    #[arg(long, value_name = "NAME", conflicts_with = "secret_file")]
    destination: Option<String>,
    /// Verify with the secrets (whsec_…) in this file, one a line
    #[arg(long, value_name = "PATH")]
    secret_file: Option<PathBuf>,
    /// What to answer, one status a request; the last one from then on
    #[arg(long, value_name = "STATUS,…", value_delimiter = ',', default_value = "204", value_parser = status)]
    answer: Vec<StatusCode>,
    /// Seconds of a header retry-after in every answer that is no success
    #[arg(long, value_name = "SECONDS")]
    retry_after: Option<u32>,
    /// How long to wait before each answer, in milliseconds
    #[arg(long, value_name = "MS", default_value = "0", value_parser = delay)]
    delay_ms: Duration,
    /// End after so many requests
    #[arg(long, value_name = "NUMBER")]
    count: Option<u64>,
    /// Print a line of JSON for each request
    #[arg(long)]
    json: bool,
}

/// A request, as it is shown.
#[derive(Debug, Serialize)]
struct Shown {
    method: String,
    path: String,
    id: Option<String>,
    event_type: Option<String>,
    verified: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why_not: Option<String>,
    bytes: usize,
    answer: u16,
    body: String,
}

/// What all connections share.
struct Desk {
    /// Nothing is verified without any.
    secrets: Vec<SigningSecret>,
    answers: Mutex<VecDeque<StatusCode>>,
    retry_after: Option<u32>,
    delay: Duration,
    clock: Clock,
    shown: mpsc::Sender<Shown>,
}

impl Listen {
    /// Receives until it is ended.
    ///
    /// # Errors
    /// Why it cannot listen, or has no secrets to verify with.
    pub(crate) async fn run(self, config: &ConfigPath) -> anyhow::Result<ExitCode> {
        let secrets = match (&self.destination, &self.secret_file) {
            (Some(name), _) => self.engine.client(config)?.destination_secrets(name).await?.secrets,
            (None, Some(file)) => {
                let text = std::fs::read_to_string(file);
                let text = text.with_context(|| format!("could not read the secrets in {}", file.display()))?;
                text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
            }
            (None, None) => Vec::new(),
        };
        let parsed: Result<Vec<SigningSecret>, _> = secrets.iter().map(|secret| secret.parse()).collect();
        let secrets =
            parsed.context("only \"v1\" is verified here, and its secrets are whsec_…; without any, all is shown")?;
        if secrets.is_empty() && self.secret_file.is_some() {
            bail!("the file of secrets is empty: it should hold a whsec_… a line");
        }
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        let listener = TcpListener::bind(address).await;
        let listener = listener.with_context(|| format!("could not listen on {address}; --port names another"))?;
        let how = match secrets.len() {
            0 => "nothing is verified: --destination NAME verifies with the secrets of one".to_owned(),
            1 => "verifying with 1 secret".to_owned(),
            count => format!("verifying with {count} secrets"),
        };
        print::say(&how);
        print::out(&format!("http://{}\n", listener.local_addr()?))?;

        let (shown, mut requests) = mpsc::channel(1);
        let desk = Desk {
            secrets,
            answers: Mutex::new(self.answer.into()),
            retry_after: self.retry_after,
            delay: self.delay_ms,
            clock: Clock::system(),
            shown,
        };
        let desk = Arc::new(desk);
        let graceful = GracefulShutdown::new();
        let mut left = self.count.unwrap_or(u64::MAX);
        while left > 0 {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => drop(tokio::spawn(graceful.watch(connection(stream, desk.clone())))),
                    // Out of sockets, most likely; those that are open close in a moment.
                    Err(_) => desk.clock.rest(Duration::from_millis(50)).await,
                },
                Some(request) = requests.recv() => {
                    print::out(&if self.json { in_json(&request) } else { in_words(&request) })?;
                    left -= 1;
                }
            }
        }
        // The last answers are still on their way.
        drop((listener, requests));
        let _ = tokio::time::timeout(LAST_ANSWERS_WITHIN, graceful.shutdown()).await;
        Ok(ExitCode::SUCCESS)
    }
}

/// A connection, whose requests go to `desk`.
fn connection(stream: TcpStream, desk: Arc<Desk>) -> impl GracefulConnection<Error = hyper::Error> + Send + 'static {
    let service = service_fn(move |request| {
        let desk = desk.clone();
        async move { Ok::<_, Infallible>(desk.take(request).await) }
    });
    http1::Builder::new().serve_connection(TokioIo::new(stream), service)
}

impl Desk {
    async fn take(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (head, body) = request.into_parts();
        let Ok(body) = Limited::new(body, BODY_BYTES_MAX).collect().await else {
            return answer(StatusCode::PAYLOAD_TOO_LARGE, None);
        };
        let body = body.to_bytes();
        let status = self.next_answer();
        let text = |name| header(&head.headers, name).map(str::to_owned);
        let verdict = (!self.secrets.is_empty()).then(|| {
            let signed = SignedRequest {
                id: header(&head.headers, "webhook-id"),
                timestamp: header(&head.headers, "webhook-timestamp"),
                signature: header(&head.headers, "webhook-signature"),
                body: &body,
            };
            verify(&self.secrets, &signed, self.clock.now())
        });
        let shown = Shown {
            method: head.method.to_string(),
            path: head.uri.to_string(),
            id: text("webhook-id"),
            event_type: text("weft-event-type"),
            verified: verdict.as_ref().map(Result::is_ok),
            why_not: verdict.and_then(Result::err).map(|why| why.to_string()),
            bytes: body.len(),
            answer: status.as_u16(),
            body: String::from_utf8_lossy(&body).into_owned(),
        };
        self.clock.rest(self.delay).await;
        // Nobody shows it any more once enough have come.
        let _ = self.shown.send(shown).await;
        answer(status, self.retry_after)
    }

    fn next_answer(&self) -> StatusCode {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        match answers.len() {
            0 | 1 => answers.front().copied(),
            _ => answers.pop_front(),
        }
        .unwrap_or(StatusCode::NO_CONTENT)
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn answer(status: StatusCode, retry_after: Option<u32>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    if let Some(seconds) = retry_after.filter(|_| !status.is_success()) {
        response.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    response
}

fn in_json(request: &Shown) -> String {
    let line = serde_json::to_string(request).expect("texts and numbers always serialise");
    format!("{line}\n")
}

/// A line about the request, and its body below.
fn in_words(request: &Shown) -> String {
    let or_dash = |text: &Option<String>| print::plain(text.as_deref().unwrap_or("-"));
    let verified = match (request.verified, &request.why_not) {
        (Some(true), _) => "verified".to_owned(),
        (Some(false), why) => format!("NOT VERIFIED ({})", or_dash(why)),
        (None, _) => "not verified".to_owned(),
    };
    let Shown { bytes, answer, .. } = request;
    let mut text = format!(
        "{} {}  {}  {}  {bytes} bytes, {verified}, answered {answer}\n",
        print::plain(&request.method),
        print::plain(&request.path),
        or_dash(&request.id),
        or_dash(&request.event_type),
    );
    let shown: String = request.body.chars().take(SHOWN_CHARS_MAX).collect();
    for line in shown.lines() {
        // Writing into a string cannot fail.
        let _ = writeln!(text, "  {}", print::plain(line));
    }
    if shown.len() < request.body.len() {
        let _ = writeln!(text, "  … {} bytes in all; --json shows them", request.bytes);
    }
    text
}

fn status(text: &str) -> Result<StatusCode, String> {
    let status = text.parse::<StatusCode>().map_err(|_| "is no HTTP status".to_owned())?;
    let is_final = (200..600).contains(&status.as_u16());
    if is_final { Ok(status) } else { Err("must be 200 to 599".to_owned()) }
}

fn delay(text: &str) -> Result<Duration, String> {
    let delay = text.parse().map(Duration::from_millis).map_err(|_| "must be a number of milliseconds".to_owned())?;
    if delay <= DELAY_MAX { Ok(delay) } else { Err(format!("must be at most {}", DELAY_MAX.as_millis())) }
}
