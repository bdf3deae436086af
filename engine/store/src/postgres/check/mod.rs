//! Proving the promises about the tables, and adding up the ledger.
//!
//! Each rule is one statement whose rows are what breaks it: the database does the counting, and memory holds findings only. An
//! idempotency key may outlive its event, so `dedupe` has no rule. That each row lies in its partition and that an index says what its table
//! says is the database's own promise.

mod ledger;
mod references;
mod rules;

use sqlx::PgConnection;
use sqlx::postgres::PgRow;

use super::statements::statements;
use crate::check::{CheckReport, Counted, Finding};
use crate::error::{StoreError, unavailable};
use crate::rows::Cells;
use crate::rows::check::{FINDINGS_MAX, Rule, count_deliveries, count_events, count_others};

#[cfg(test)]
pub(in crate::postgres) use self::{
    ledger::STATEMENTS as LEDGER_STATEMENTS, references::STATEMENTS as REFERENCE_STATEMENTS,
    rules::STATEMENTS as RULE_STATEMENTS,
};

statements! {
    EVENTS_BY_STATE = "SELECT state, count(*) AS rows FROM events GROUP BY state";

    DELIVERIES_BY_STATE = "SELECT state, count(*) AS rows FROM deliveries GROUP BY state";

    /// The bodies of events lie in their rows.
    OTHERS = "\
SELECT
    (SELECT count(*) FROM attempts) AS attempts,
    (SELECT count(*) FROM passes) AS passes,
    (SELECT count(*) FROM replays) AS replays,
    (SELECT count(*) FROM bodies) + (SELECT count(*) FROM events) AS bodies,
    (
        SELECT coalesce(sum(events_routed_pruned + events_dropped_pruned + events_dead_pruned), 0)::bigint FROM ledger
    ) AS pruned_events,
    (
        SELECT coalesce(sum(
            deliveries_delivered_pruned + deliveries_dead_pruned + deliveries_dropped_pruned
            + deliveries_cancelled_pruned + replay_deliveries_pruned
        ), 0)::bigint
        FROM ledger
    ) AS pruned_deliveries";
}

/// Checks everything in the transaction that `conn` is in.
pub(super) async fn check(conn: &mut PgConnection) -> Result<CheckReport, StoreError> {
    let mut findings = Vec::new();
    for rule in references::RULES.iter().chain(rules::RULES).chain([&ledger::RULE]) {
        findings.extend(broken(conn, rule).await?);
    }
    Ok(CheckReport { counted: count(conn).await?, findings })
}

/// What breaks one rule.
async fn broken(conn: &mut PgConnection, rule: &Rule) -> Result<Vec<Finding>, StoreError> {
    let rows = sqlx::query(rule.statement).bind(i64::from(FINDINGS_MAX)).fetch_all(conn).await;
    let rows = rows.map_err(unavailable("check the tables"))?;
    Ok(rows.iter().map(|row| rule.said(&Cells::new(row, rule.table, "id"))).collect())
}

async fn count(conn: &mut PgConnection) -> Result<Counted, StoreError> {
    let mut counted = Counted::default();
    for row in rows(conn, EVENTS_BY_STATE).await? {
        count_events(&mut counted.events, &Cells::new(&row, "events", "state"))?;
    }
    for row in rows(conn, DELIVERIES_BY_STATE).await? {
        count_deliveries(&mut counted.deliveries, &Cells::new(&row, "deliveries", "state"))?;
    }
    for row in rows(conn, OTHERS).await? {
        count_others(&mut counted, &Cells::new(&row, "ledger", "attempts"))?;
    }
    Ok(counted)
}

async fn rows(conn: &mut PgConnection, statement: &'static str) -> Result<Vec<PgRow>, StoreError> {
    sqlx::query(statement).fetch_all(conn).await.map_err(unavailable("count the tables"))
}
