//! Proving the promises about the tables, and adding up the ledger.
//!
//! Each rule is one statement whose rows are what breaks it: the database does the counting, and memory holds findings only. An
//! idempotency key may outlive its event, so `dedupe` has no rule.

mod ledger;
mod rules;

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::statements::statements;
use crate::check::{CheckReport, Counted, Finding};
use crate::error::{StoreError, unavailable};
use crate::rows::Cells;
use crate::rows::check::{FINDINGS_MAX, Rule, count_deliveries, count_events, count_others};

#[cfg(test)]
pub(in crate::sqlite) use self::{ledger::STATEMENTS as LEDGER_STATEMENTS, rules::STATEMENTS as RULE_STATEMENTS};

statements! {
    INTEGRITY = "PRAGMA integrity_check(100)";

    FOREIGN_KEYS = "PRAGMA foreign_key_check";

    EVENTS_BY_STATE = "SELECT state, count(*) AS rows FROM events GROUP BY state";

    DELIVERIES_BY_STATE = "SELECT state, count(*) AS rows FROM deliveries GROUP BY state";

    OTHERS = "\
SELECT
    (SELECT count(*) FROM attempts) AS attempts,
    (SELECT count(*) FROM passes) AS passes,
    (SELECT count(*) FROM replays) AS replays,
    (SELECT count(*) FROM bodies) AS bodies,
    (
        SELECT coalesce(sum(events_routed_pruned + events_dropped_pruned + events_dead_pruned), 0) FROM ledger
    ) AS pruned_events,
    (
        SELECT coalesce(sum(
            deliveries_delivered_pruned + deliveries_dead_pruned + deliveries_dropped_pruned
            + deliveries_cancelled_pruned + replay_deliveries_pruned
        ), 0)
        FROM ledger
    ) AS pruned_deliveries";
}

/// Checks everything in the transaction that `conn` is in.
pub(crate) async fn check(conn: &mut SqliteConnection) -> Result<CheckReport, StoreError> {
    let mut findings = damage(conn).await?;
    findings.extend(dangling(conn).await?);
    for rule in rules::RULES.iter().chain([&ledger::RULE]) {
        findings.extend(broken(conn, rule).await?);
    }
    Ok(CheckReport { counted: count(conn).await?, findings })
}

async fn rows(conn: &mut SqliteConnection, statement: &'static str) -> Result<Vec<SqliteRow>, StoreError> {
    sqlx::query(statement).fetch_all(conn).await.map_err(unavailable("check the tables"))
}

async fn damage(conn: &mut SqliteConnection) -> Result<Vec<Finding>, StoreError> {
    let said = rows(conn, INTEGRITY).await?;
    let messages = said.iter().map(|row| row.try_get::<String, _>(0).unwrap_or_default());
    Ok(messages.filter(|message| message != "ok").map(|message| Finding::Damaged { message }).collect())
}

async fn dangling(conn: &mut SqliteConnection) -> Result<Vec<Finding>, StoreError> {
    let said = rows(conn, FOREIGN_KEYS).await?;
    let finding = |row: &SqliteRow| Finding::Dangling {
        table: row.try_get(0).unwrap_or_default(),
        // A table without row numbers says none.
        row: row.try_get::<Option<i64>, _>(1).ok().flatten().map_or_else(|| "?".to_owned(), |row| row.to_string()),
        parent: row.try_get(2).unwrap_or_default(),
    };
    Ok(said.iter().take(FINDINGS_MAX as usize).map(finding).collect())
}

/// What breaks one rule.
async fn broken(conn: &mut SqliteConnection, rule: &Rule) -> Result<Vec<Finding>, StoreError> {
    let said = sqlx::query(rule.statement).bind(FINDINGS_MAX).fetch_all(conn).await;
    let said = said.map_err(unavailable("check the tables"))?;
    Ok(said.iter().map(|row| rule.said(&Cells::new(row, rule.table, "seq"))).collect())
}

async fn count(conn: &mut SqliteConnection) -> Result<Counted, StoreError> {
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
