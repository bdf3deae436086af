//! Serves the API: HTTP/1.1 on one listener, bounded in connections and in the time that headers may take.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// From the first moment of waiting for a request to the end of its headers; an idle connection is closed after it.
///
/// Clients should let go of idle connections earlier, or a request meets the closing; ours does after 20 s.
const HEADERS_TIME_MAX: Duration = Duration::from_secs(30);
/// Bytes of a request's line and headers, read in one buffer: a megabyte of body goes through it in a few turns.
const READ_BUFFER_BYTES: usize = 64 * 1024;
/// How long a stop waits for requests under way; one that is acknowledged by the disk takes milliseconds.
const STOP_TIME_MAX: Duration = Duration::from_secs(10);
/// After a failed accept, for want of file descriptors as a rule, so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves `router` on `listener` until `stopping` says true; then what is under way is answered, and nothing more taken.
///
/// At most `connections_max` connections are open; more wait in the system's queue. It returns by itself, at the latest
/// ten seconds after the stop.
pub async fn serve(listener: TcpListener, router: Router, stopping: watch::Receiver<bool>, connections_max: usize) {
    let (headers_time, stop_time) = (HEADERS_TIME_MAX, STOP_TIME_MAX);
    let limits = ConnectionLimits { connections: connections_max, headers_time, stop_time };
    serve_within(limits, listener, router, stopping).await;
}

/// How many connections there may be, how long headers may take, and how long a stop may.
#[derive(Clone, Copy)]
pub(super) struct ConnectionLimits {
    pub(super) connections: usize,
    pub(super) headers_time: Duration,
    pub(super) stop_time: Duration,
}

/// See [`serve`].
pub(super) async fn serve_within(
    limits: ConnectionLimits,
    listener: TcpListener,
    router: Router,
    mut stopping: watch::Receiver<bool>,
) {
    let places = Arc::new(Semaphore::new(limits.connections));
    let graceful = GracefulShutdown::new();
    // Dropped when this returns: what has not ended until then is cut off.
    let (_cut, uncut) = watch::channel(());
    // Ends when nobody is left who could say so, too.
    let stop = async move { drop(stopping.wait_for(|stopping| *stopping).await) };
    tokio::pin!(stop);
    loop {
        let accepted = async {
            let place = places.clone().acquire_owned().await.expect("the semaphore is never closed");
            (listener.accept().await, place)
        };
        tokio::select! {
            () = &mut stop => break,
            (accepted, place) = accepted => match accepted {
                Ok((stream, _)) => {
                    let connection = graceful.watch(connection(stream, router.clone(), limits.headers_time));
                    tokio::spawn(see_through(connection, uncut.clone(), place));
                }
                Err(error) => failed_accept(&error).await,
            },
        }
    }
    drop(listener);
    if tokio::time::timeout(limits.stop_time, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests of the API are cut off, which were under way {:?} after the stop", limits.stop_time);
    }
}

/// Serves a connection to its end, unless it is cut off before; its place is free afterwards.
async fn see_through<C>(connection: C, mut uncut: watch::Receiver<()>, place: OwnedSemaphorePermit)
where
    C: Future<Output = hyper::Result<()>>,
{
    tokio::select! {
        ended = connection => {
            // A peer that breaks off, or speaks no HTTP, is its own business.
            if let Err(error) = ended {
                tracing::debug!(error = &error as &dyn std::error::Error, "a connection of the API broke off");
            }
        }
        _ = uncut.changed() => {}
    }
    drop(place);
}

type Connection = http1::Connection<TokioIo<TcpStream>, TowerToHyperService<Router>>;

fn connection(stream: TcpStream, router: Router, headers_time: Duration) -> Connection {
    // An answer is small and complete: waiting for more of it would only cost time.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(error = &error as &dyn std::error::Error, "a connection of the API keeps its delay");
    }
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(headers_time)
        .max_buf_size(READ_BUFFER_BYTES)
        .keep_alive(true)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
}

async fn failed_accept(error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    if matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted) {
        return;
    }
    tracing::error!(error = error as &dyn std::error::Error, "the API cannot take connections");
    tokio::time::sleep(ACCEPT_PAUSE).await;
}
