//! Writing what a commit adds to the ledger.

use super::session::Session;
use super::statements::{Statement, statements};
use crate::ledger::{COUNTS, Change};

/// Adds the changes of a commit: by itself, or as a part of another statement. Given are the shard, then the arrays of tenants, days
/// and counts, a column each.
macro_rules! add_text {
    ($shard:literal, $tenants:literal, $days:literal $(, $count:literal)+) => {
        concat!(
            "INSERT INTO ledger (shard, tenant, day, events, deliveries, replays, replay_deliveries, \
             events_routed_pruned, events_dropped_pruned, events_dead_pruned, deliveries_delivered_pruned, \
             deliveries_dead_pruned, deliveries_dropped_pruned, deliveries_cancelled_pruned, replays_pruned, \
             replay_deliveries_pruned) SELECT ", $shard, ", added.* FROM UNNEST(",
            $tenants, "::bigint[], ", $days, "::bigint[]" $(, ", ", $count, "::bigint[]")+,
            ") AS added ON CONFLICT (tenant, day, shard) DO UPDATE SET \
             events = ledger.events + excluded.events, \
             deliveries = ledger.deliveries + excluded.deliveries, \
             replays = ledger.replays + excluded.replays, \
             replay_deliveries = ledger.replay_deliveries + excluded.replay_deliveries, \
             events_routed_pruned = ledger.events_routed_pruned + excluded.events_routed_pruned, \
             events_dropped_pruned = ledger.events_dropped_pruned + excluded.events_dropped_pruned, \
             events_dead_pruned = ledger.events_dead_pruned + excluded.events_dead_pruned, \
             deliveries_delivered_pruned = ledger.deliveries_delivered_pruned + excluded.deliveries_delivered_pruned, \
             deliveries_dead_pruned = ledger.deliveries_dead_pruned + excluded.deliveries_dead_pruned, \
             deliveries_dropped_pruned = ledger.deliveries_dropped_pruned + excluded.deliveries_dropped_pruned, \
             deliveries_cancelled_pruned = ledger.deliveries_cancelled_pruned + excluded.deliveries_cancelled_pruned, \
             replays_pruned = ledger.replays_pruned + excluded.replays_pruned, \
             replay_deliveries_pruned = ledger.replay_deliveries_pruned + excluded.replay_deliveries_pruned"
        )
    };
}
pub(super) use add_text;

statements! {
    ADD = add_text!(
        "$1", "$2", "$3", "$4", "$5", "$6", "$7", "$8", "$9", "$10", "$11", "$12", "$13", "$14", "$15", "$16"
    );
}

/// Writes the changes into the ledger and forgets them.
pub(super) async fn write(session: &mut Session) -> Result<(), sqlx::Error> {
    let changes = session.ledger.take();
    if changes.is_empty() {
        return Ok(());
    }
    bind(sqlx::query(ADD), session.shard(), &changes).execute(&mut session.conn).await.map(drop)
}

/// Gives a statement the changes of a commit.
pub(super) fn bind<'q>(statement: Statement<'q>, shard: i16, changes: &[Change]) -> Statement<'q> {
    let tenants: Vec<i64> = changes.iter().map(|(tenant, ..)| *tenant).collect();
    let days: Vec<i64> = changes.iter().map(|(_, day, _)| *day).collect();
    let mut statement = statement.bind(shard).bind(tenants).bind(days);
    for column in 0..COUNTS {
        statement = statement.bind(changes.iter().map(|(_, _, counts)| counts[column]).collect::<Vec<i64>>());
    }
    statement
}
