//! Work that must not run on the threads that serve I/O, or must not be cut short.

use std::future::{Future, pending};
use std::panic::resume_unwind;

use tokio::task::{JoinError, spawn, spawn_blocking};

/// Runs blocking work on a thread that may block. A panic in it goes on in the caller.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    joined(spawn_blocking(work).await).await
}

/// Runs `work` to its end even if the caller goes away: what the store has heard, memory must hear too.
pub(super) async fn to_the_end<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    joined(spawn(work).await).await
}

async fn joined<T>(result: Result<T, JoinError>) -> T {
    match result.map_err(JoinError::try_into_panic) {
        Ok(value) => value,
        Err(Ok(panic)) => resume_unwind(panic),
        // The runtime is shutting down, and the caller ends with it.
        Err(Err(_cancelled)) => pending().await,
    }
}
