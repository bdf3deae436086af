//! Hearing that another engine has left work behind.
//!
//! Nothing rests on it: a word that is lost, or a listener that is away, costs the time until the claims look by themselves.

use std::time::Duration;

use sqlx::postgres::{PgListener, PgPool};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What engines tell each other in a commit that leaves free work behind. The payload is the start that says it.
pub(super) const CHANNEL: &str = "weft_wake";

/// How long a listener that has lost the server waits before it tries again.
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Listens for as long as it is held.
#[derive(Debug)]
pub(super) struct Listener {
    task: JoinHandle<()>,
    heard: watch::Receiver<u64>,
}

impl Listener {
    /// Listens on a connection of `pool` to all starts but `start`.
    pub(super) fn spawn(pool: PgPool, start: i64) -> Self {
        let (said, heard) = watch::channel(0);
        let task = tokio::spawn(async move {
            loop {
                if let Err(error) = listen(&pool, start, &said).await {
                    tracing::debug!(%error, "not listening to other engines at present");
                }
                tokio::time::sleep(TRY_AGAIN_AFTER).await;
            }
        });
        Self { task, heard }
    }

    pub(super) fn wakes(&self) -> watch::Receiver<u64> {
        self.heard.clone()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn listen(pool: &PgPool, start: i64, said: &watch::Sender<u64>) -> Result<(), sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(CHANNEL).await?;
    // Something may have been said while nobody listened.
    said.send_modify(|count| *count += 1);
    let own = start.to_string();
    while let Some(word) = listener.try_recv().await? {
        if word.payload() != own {
            said.send_modify(|count| *count += 1);
        }
    }
    Ok(())
}
