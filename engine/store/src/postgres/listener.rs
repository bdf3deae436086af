//! Hearing that another engine has left work behind.
//!
//! Nothing rests on it: a word that is lost, or a listener that is away, costs the time until the claims look by themselves.

use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgListener, PgPool};
use tokio::sync::{Notify, watch};
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
    /// Told when the server has been silent.
    anew: Arc<Notify>,
}

impl Listener {
    /// Listens on a connection of `pool` to all starts but `start`.
    pub(super) fn spawn(pool: PgPool, start: i64) -> Self {
        let (said, heard) = watch::channel(0);
        let anew = Arc::new(Notify::new());
        let silence = Arc::clone(&anew);
        let task = tokio::spawn(async move {
            loop {
                tokio::select! {
                    () = silence.notified() => {}
                    heard = listen(&pool, start, &said) => {
                        if let Err(error) = heard {
                            tracing::debug!(%error, "not listening to other engines at present");
                        }
                    }
                }
                tokio::time::sleep(TRY_AGAIN_AFTER).await;
            }
        });
        Self { task, heard, anew }
    }

    /// Listens on another connection: one that only hears never finds out that nobody speaks at its other end.
    pub(super) fn listen_anew(&self) {
        self.anew.notify_one();
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
