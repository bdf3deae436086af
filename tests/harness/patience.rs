//! How long a test waits before it calls the engine broken.

use std::time::Duration;

/// Far longer than anything takes on a busy machine: it finds failures, it paces nothing.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits for `happening`.
///
/// # Panics
/// If it has not happened after a minute; says `what` was waited for.
pub async fn within<T>(what: &str, happening: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, happening).await {
        Ok(value) => value,
        Err(_) => panic!("waited {} s in vain: {what}", PATIENCE.as_secs()),
    }
}
