//! Connections: how many, how long, and how they end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use crate::api::listen::{ConnectionLimits, serve_within};

const REQUEST: &[u8] = b"GET /slow HTTP/1.1\r\nhost: weft\r\n\r\n";
const QUICK: &[u8] = b"GET /quick HTTP/1.1\r\nhost: weft\r\n\r\n";

/// Finds broken servers, paces nothing.
const PATIENCE: Duration = Duration::from_secs(20);
const ROOMY: ConnectionLimits = ConnectionLimits { connections: 8, headers_time: PATIENCE, stop_time: PATIENCE };

/// A server whose `/slow` answers when it is told to.
struct Server {
    address: SocketAddr,
    begun: Arc<Notify>,
    go_on: Arc<Notify>,
    stop: watch::Sender<bool>,
    served: JoinHandle<()>,
}

async fn server(connections: usize) -> Server {
    server_within(ConnectionLimits { connections, ..ROOMY }).await
}

async fn server_within(limits: ConnectionLimits) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    let (begun, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let slow = {
        let (begun, go_on) = (begun.clone(), go_on.clone());
        move || async move {
            begun.notify_one();
            go_on.notified().await;
            "slow"
        }
    };
    let router = Router::new().route("/slow", get(slow)).route("/quick", get(|| async { "quick" }));
    let (stop, stopping) = watch::channel(false);
    let served = tokio::spawn(serve_within(limits, listener, router, stopping));
    Server { address, begun, go_on, stop, served }
}

async fn ask(stream: &mut TcpStream, request: &[u8], wanted: &str) {
    stream.write_all(request).await.expect("it reads");
    let mut got = Vec::new();
    while !String::from_utf8_lossy(&got).ends_with(wanted) {
        assert_ne!(stream.read_buf(&mut got).await.expect("it answers"), 0, "closed after {got:?}");
    }
}

#[tokio::test]
async fn a_stop_answers_what_is_under_way_and_takes_nothing_more() {
    let server = server(8).await;
    let mut idle = TcpStream::connect(server.address).await.expect("it listens");
    ask(&mut idle, QUICK, "quick").await;
    let mut busy = TcpStream::connect(server.address).await.expect("it listens");
    busy.write_all(REQUEST).await.expect("it reads");
    server.begun.notified().await;
    server.stop.send(true).expect("it listens to us");
    // An idle connection is closed at once, and does not hold up the stop.
    assert_eq!(idle.read_buf(&mut Vec::new()).await.expect("closed well"), 0);
    assert!(TcpStream::connect(server.address).await.is_err(), "nobody listens any more");
    server.go_on.notify_one();
    let mut answer = Vec::new();
    busy.read_to_end(&mut answer).await.expect("it answers");
    assert!(answer.ends_with(b"slow"), "{}", String::from_utf8_lossy(&answer));
    server.served.await.expect("it returns by itself");
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_until_another_closes() {
    let server = server(1).await;
    let mut first = TcpStream::connect(server.address).await.expect("it listens");
    ask(&mut first, QUICK, "quick").await;
    // The system's queue takes the second one; nobody reads from it yet.
    let mut second = TcpStream::connect(server.address).await.expect("it listens");
    second.write_all(QUICK).await.expect("the system buffers");
    ask(&mut first, QUICK, "quick").await;
    assert!(second.try_read(&mut [0; 1]).is_err(), "it waits");
    drop(first);
    let mut answer = Vec::new();
    while !answer.ends_with(b"quick") {
        assert_ne!(second.read_buf(&mut answer).await.expect("it answers"), 0);
    }
    drop(second);
    server.stop.send(true).expect("it listens to us");
    server.served.await.expect("it returns by itself");
}

#[tokio::test]
async fn headers_that_do_not_come_close_the_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    let (_stop, stopping) = watch::channel(false);
    let limits = ConnectionLimits { headers_time: Duration::from_millis(1), ..ROOMY };
    tokio::spawn(serve_within(limits, listener, Router::new(), stopping));
    let mut stalled = TcpStream::connect(address).await.expect("it listens");
    stalled.write_all(b"GET / HTTP/1.1\r\nhos").await.expect("it reads");
    // Without the limit, this would wait for ever.
    let mut nothing = Vec::new();
    let closed = tokio::time::timeout(PATIENCE, stalled.read_to_end(&mut nothing)).await;
    closed.expect("closed in good time").expect("closed well");
}

#[tokio::test]
async fn a_request_that_never_ends_does_not_hold_up_the_stop_for_ever() {
    let limits = ConnectionLimits { stop_time: Duration::from_millis(1), ..ROOMY };
    let server = server_within(limits).await;
    let mut busy = TcpStream::connect(server.address).await.expect("it listens");
    busy.write_all(REQUEST).await.expect("it reads");
    server.begun.notified().await;
    server.stop.send(true).expect("it listens to us");
    tokio::time::timeout(PATIENCE, server.served).await.expect("it returns by itself").expect("well");
    let mut nothing = Vec::new();
    let closed = tokio::time::timeout(PATIENCE, busy.read_to_end(&mut nothing)).await;
    assert_eq!(closed.expect("cut off").expect("closed well"), 0);
}
