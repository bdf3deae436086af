//! What a database does for the writer.

use std::collections::BTreeSet;
use std::time::Duration;

use weft_core::id::DeliveryId;

use super::batch::{ClaimDeliveries, ClaimPasses, Claimed, Keep};
use crate::error::StoreError;
use crate::lane::Lane;
use crate::work::{Finished, FinishedAttempt, FinishedPass, Ingested, Lease, PassKey};

/// An answer for each ask, in their order. The outer error is that of the whole commit.
pub(crate) type Answers<O> = Result<Vec<Result<O, StoreError>>, StoreError>;

/// A writer's connection with what it keeps in memory. The writer owns it.
///
/// Every operation but `begin`, `settle`, `rest` and `close` runs within a transaction, and takes all asks of its kind at once.
pub(crate) trait Session: Send + Sized + 'static {
    /// What names a claimed row.
    type Row: Send + Sync + 'static;

    /// Whether what is rare (claims, releases, most jobs) has a way of its own into the database, and so a commit of its own.
    const RARE_APART: bool = false;

    /// Whether others write to the same lanes, so that they must be held.
    const HOLDS_LANES: bool = false;

    /// Begins a transaction, on another connection if this one is broken. If it is for one `lone` operation, that may as well commit by
    /// itself: a commit that fails then may have been stored nevertheless, as it may where the answer to a COMMIT is lost.
    fn begin(&mut self, lone: bool) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Begins a transaction for what is rare.
    fn begin_rare(&mut self) -> impl Future<Output = Result<(), StoreError>> + Send {
        self.begin(false)
    }

    /// Writes what is gathered for the ledger, and commits.
    fn commit(&mut self) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// How long a commit may take. After that its connection is given up: see [`give_up`](Self::give_up).
    fn patience(&self) -> Option<Duration> {
        None
    }

    /// Uses this connection no more: what it was doing has been dropped half-way.
    fn give_up(&mut self) {}

    /// Undoes what has not been committed; the transaction may be over already.
    fn roll_back(&mut self) -> impl Future<Output = ()> + Send;

    /// Is told what a commit that failed was to give back: nobody has it in memory, whether or not its connection comes back in time.
    fn owes(&mut self, _passes: &[&Vec<(PassKey, Lease)>], _deliveries: &[&Vec<(DeliveryId, Lease)>]) {}

    /// Reads again what a job of this commit has made stale.
    fn settle(&mut self) -> impl Future<Output = ()> + Send;

    /// Does between commits what nobody waits for.
    fn rest(&mut self) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }

    /// Closes the connection and gives back what keeps other engines out.
    fn close(self) -> impl Future<Output = ()> + Send;

    /// Begins a part of the transaction that can be undone by itself.
    fn begin_part(&mut self) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Ends that part: keeps what it did, or undoes it.
    fn end_part(&mut self, keep: bool) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Holds the lanes that this commit enters or leaves, before anything else, where others could write to them meanwhile.
    fn hold_lanes(&mut self, _lanes: &BTreeSet<Lane>) -> impl Future<Output = Result<(), StoreError>> + Send {
        std::future::ready(Ok(()))
    }

    /// Stores events; see `Store::keep`.
    fn keep(&mut self, asks: &[&Keep]) -> impl Future<Output = Answers<Vec<Ingested>>> + Send;

    /// Claims passes; see `Store::claim_passes`.
    fn claim_passes(
        &mut self,
        ask: &ClaimPasses,
    ) -> impl Future<Output = Result<Claimed<Self::Row>, StoreError>> + Send;

    /// Stores what passes made; see `Store::finish_passes`.
    fn finish_passes(&mut self, asks: &[&Vec<FinishedPass>]) -> impl Future<Output = Answers<Vec<Finished>>> + Send;

    /// Gives passes back; see `Store::release_passes`.
    fn release_passes(&mut self, asks: &[&Vec<(PassKey, Lease)>]) -> impl Future<Output = Answers<()>> + Send;

    /// Claims deliveries; see `Store::claim_deliveries`. The inner error is this ask's alone.
    fn claim_deliveries(
        &mut self,
        ask: &ClaimDeliveries,
    ) -> impl Future<Output = Result<Result<Vec<Self::Row>, StoreError>, StoreError>> + Send;

    /// Stores attempts; see `Store::record`.
    fn record(&mut self, asks: &[&Vec<FinishedAttempt>]) -> impl Future<Output = Answers<Vec<Finished>>> + Send;

    /// Gives deliveries back; see `Store::release_deliveries`.
    fn release_deliveries(&mut self, asks: &[&Vec<(DeliveryId, Lease)>]) -> impl Future<Output = Answers<()>> + Send;
}
