//! Connections that wait for their next request, by the scheme, host and port that they lead to.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Waker};
use std::time::Duration;

use tokio::time::Instant;

use crate::connection::Connection;

/// How long a connection without a request is kept: below the 60 s after which common load balancers close it, since a
/// connection closed at the moment of writing costs an attempt.
const IDLE_MAX: Duration = Duration::from_secs(50);
/// How often connections are looked through for those that have been closed or kept too long: nobody polls idle ones.
const SWEEP_EVERY: Duration = Duration::from_secs(10);

/// The idle connections; a clone shares them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pool(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    // The one used last is at the end, and is used next: those that are not needed grow old.
    idle: HashMap<Arc<str>, Vec<Idle>>,
    has_sweeper: bool,
}

#[derive(Debug)]
struct Idle {
    connection: Connection,
    since: Instant,
}

impl Pool {
    /// Takes a connection to `origin` that is ready for a request, if one waits.
    pub(crate) async fn take(&self, origin: &str) -> Option<Connection> {
        loop {
            let mut idle = lock(&self.0).idle.get_mut(origin)?.pop()?;
            if idle.since.elapsed() < IDLE_MAX && idle.connection.is_ready_now().await {
                return Some(idle.connection);
            }
        }
    }

    /// Keeps a connection to `origin` for its next request.
    pub(crate) fn put(&self, origin: &Arc<str>, connection: Connection) {
        let idle = Idle { connection, since: Instant::now() };
        let mut state = lock(&self.0);
        match state.idle.get_mut(origin) {
            Some(waiting) => waiting.push(idle),
            None => drop(state.idle.insert(origin.clone(), vec![idle])),
        }
        if !state.has_sweeper {
            state.has_sweeper = true;
            tokio::spawn(sweep(Arc::downgrade(&self.0)));
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    // Nothing under the lock can leave the lists half changed.
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Lets go of what is of no more use, until nothing is left.
async fn sweep(pool: Weak<Mutex<State>>) {
    loop {
        tokio::time::sleep(SWEEP_EVERY).await;
        let Some(pool) = pool.upgrade() else { return };
        let mut state = lock(&pool);
        for waiting in state.idle.values_mut() {
            let mut nobody = Context::from_waker(Waker::noop());
            waiting.retain_mut(|idle| idle.since.elapsed() < IDLE_MAX && idle.connection.is_ready(&mut nobody));
        }
        state.idle.retain(|_, waiting| !waiting.is_empty());
        if state.idle.is_empty() {
            state.has_sweeper = false;
            return;
        }
    }
}
