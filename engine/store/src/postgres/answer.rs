//! How long a server may be silent.

use std::time::Duration;

use crate::error::{StoreError, silent};

/// Waits for what a server answers, and no longer than `limit`: one behind a cut cable says nothing for many minutes, and whoever waits
/// is told before that the store is not available.
pub(super) async fn within<T>(
    limit: Duration,
    doing: &'static str,
    answer: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    tokio::time::timeout(limit, answer).await.unwrap_or_else(|_| Err(silent(doing, limit)))
}
