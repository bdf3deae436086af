//! The one writer: every commit takes everything that waits, and the answers follow it.

use std::path::Path;

use anyhow::{Context, Result};
use bytes::Bytes;
use rusqlite::{Connection, Transaction};
use tokio::sync::{mpsc, oneshot};

use bench_tools::clock;

/// 1000: the group grows with the load; beyond this the commit's own cost is no longer seen.
const BATCH_MAX: usize = 1_000;

const SCHEMA: &str = "
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA wal_autocheckpoint = 4000;
    CREATE TABLE event (id INTEGER PRIMARY KEY, received_at INTEGER NOT NULL, body BLOB NOT NULL);
    CREATE TABLE delivery (
        id INTEGER PRIMARY KEY,
        event INTEGER NOT NULL,
        destination INTEGER NOT NULL,
        state TEXT NOT NULL,
        due_at INTEGER NOT NULL
    );
    CREATE INDEX delivery_due ON delivery (due_at) WHERE state = 'pending';
";

/// What the writer is asked to make durable.
pub(crate) enum Work {
    Event(NewEvent),
    /// The id of a delivery that its destination has accepted.
    Settled(i64),
}

/// An event that waits for its commit.
pub(crate) struct NewEvent {
    pub(crate) body: Bytes,
    /// How many destinations it goes to.
    pub(crate) fan_out: u32,
    /// Told the event's id after the commit.
    pub(crate) stored: oneshot::Sender<i64>,
}

/// One event for one destination.
pub(crate) struct Delivery {
    pub(crate) id: i64,
    pub(crate) event: i64,
    pub(crate) destination: u32,
    pub(crate) body: Bytes,
}

pub(crate) struct Writer(Connection);

impl Writer {
    pub(crate) fn open(store: &Path) -> Result<Self> {
        let connection = Connection::open(store).with_context(|| format!("could not open {}", store.display()))?;
        connection.execute_batch(SCHEMA).with_context(|| format!("{} must be a fresh file", store.display()))?;
        Ok(Self(connection))
    }

    /// Commits batch after batch, until nobody can send any more.
    pub(crate) fn run(
        mut self,
        mut waiting: mpsc::Receiver<Work>,
        deliveries: &mpsc::UnboundedSender<Delivery>,
    ) -> Result<()> {
        let mut batch = Vec::with_capacity(BATCH_MAX);
        while waiting.blocking_recv_many(&mut batch, BATCH_MAX) > 0 {
            let transaction = self.0.transaction()?;
            let stored = write(&transaction, batch.drain(..))?;
            transaction.commit()?;
            for (answer, event, planned) in stored {
                // A producer that has hung up does not undo what is stored.
                let _ = answer.send(event);
                for delivery in planned {
                    deliveries.send(delivery).context("the senders have ended")?;
                }
            }
        }
        Ok(())
    }
}

type Stored = (oneshot::Sender<i64>, i64, Vec<Delivery>);

fn write(transaction: &Transaction<'_>, batch: impl Iterator<Item = Work>) -> Result<Vec<Stored>> {
    let mut insert_event = transaction.prepare_cached("INSERT INTO event (received_at, body) VALUES (?1, ?2)")?;
    let mut insert_delivery = transaction
        .prepare_cached("INSERT INTO delivery (event, destination, state, due_at) VALUES (?1, ?2, 'pending', ?3)")?;
    let mut settle = transaction.prepare_cached("UPDATE delivery SET state = 'delivered' WHERE id = ?1")?;
    let mut stored = Vec::new();
    for work in batch {
        match work {
            Work::Settled(id) => {
                settle.execute([id])?;
            }
            Work::Event(NewEvent { body, fan_out, stored: answer }) => {
                let now = i64::try_from(clock::now_ns())?;
                let event = insert_event.insert((now, &body[..]))?;
                let mut plan = |destination: u32| -> Result<Delivery> {
                    let id = insert_delivery.insert((event, destination, now))?;
                    Ok(Delivery { id, event, destination, body: body.clone() })
                };
                stored.push((answer, event, (1..=fan_out).map(&mut plan).collect::<Result<_>>()?));
            }
        }
    }
    Ok(stored)
}
