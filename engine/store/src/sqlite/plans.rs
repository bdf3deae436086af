//! Every statement is prepared against a freshly migrated database, and no claim scans.

use std::path::Path;

use sqlx::{AssertSqlSafe, Row, SqliteConnection};

use super::{
    backup, catalog, check, connect, dead_letters, deliveries, finish, history, keep, kv, lanes, ledger, passes,
    plugins, prune, record, replay, restore, session, stats, upkeep, versions, waiting,
};

/// Every statement, by the file that holds it.
const ALL: &[(&str, &[(&str, &str)])] = &[
    ("backup", backup::STATEMENTS),
    ("catalog", catalog::STATEMENTS),
    ("check", check::STATEMENTS),
    ("check/ledger", check::LEDGER_STATEMENTS),
    ("check/rules", check::RULE_STATEMENTS),
    ("dead_letters", dead_letters::STATEMENTS),
    ("deliveries", deliveries::STATEMENTS),
    ("finish", finish::STATEMENTS),
    ("history", history::STATEMENTS),
    ("keep", keep::STATEMENTS),
    ("kv", kv::STATEMENTS),
    ("lanes", lanes::STATEMENTS),
    ("ledger", ledger::STATEMENTS),
    ("passes", passes::STATEMENTS),
    ("plugins", plugins::STATEMENTS),
    ("prune", prune::STATEMENTS),
    ("record", record::STATEMENTS),
    ("replay", replay::STATEMENTS),
    ("restore", restore::STATEMENTS),
    ("session", session::STATEMENTS),
    ("stats", stats::STATEMENTS),
    ("upkeep", upkeep::STATEMENTS),
    ("versions", versions::STATEMENTS),
    ("waiting", waiting::STATEMENTS),
];

/// What may read whole tables: the check, the catalog's short lists and the count of what waits.
const MAY_SCAN: &[&str] =
    &["backup", "catalog", "check", "check/ledger", "check/rules", "plugins", "restore", "session", "stats", "upkeep"];

async fn migrated(folder: &Path) -> SqliteConnection {
    let path = folder.join("weft.db");
    let mut conn = connect::writer(&path).await.expect("the database opens");
    connect::migrate(&mut conn, &path).await.expect("the migrations run");
    conn
}

/// The steps of a statement's plan, as the database words them.
async fn plan(conn: &mut SqliteConnection, statement: &str) -> Vec<String> {
    let explained = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"));
    let rows = sqlx::query(explained).fetch_all(conn).await;
    let rows = rows.unwrap_or_else(|error| panic!("{error}:\n{statement}"));
    rows.iter().map(|row| row.get("detail")).collect()
}

fn parts(text: &str) -> impl Iterator<Item = &str> {
    text.split(';').map(str::trim).filter(|part| !part.is_empty())
}

#[tokio::test]
async fn every_statement_is_prepared_on_a_freshly_migrated_database() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let mut conn = migrated(folder.path()).await;
    for part in ALL.iter().flat_map(|(_, statements)| statements.iter()).flat_map(|(_, text)| parts(text)) {
        plan(&mut conn, part).await;
    }
}

#[tokio::test]
async fn promise_7_what_a_claim_costs_depends_on_what_is_due_never_on_what_waits() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let mut conn = migrated(folder.path()).await;
    for (file, statements) in ALL.iter().filter(|(file, _)| !MAY_SCAN.contains(file)) {
        for (name, part) in statements.iter().flat_map(|(name, text)| parts(text).map(move |part| (name, part))) {
            for step in plan(&mut conn, part).await {
                let harmless = [
                    // The batch itself, what has been found already, and the walk from destination to destination.
                    "SCAN json_each",
                    "SCAN wanted",
                    "SCAN claimed",
                    "SCAN held",
                    "SCAN made",
                    "SCAN done",
                    "SCAN dead",
                    "SCAN gone",
                    "SCAN j ",
                    "SCAN (",
                    "SCAN waiting",
                    "SCAN CONSTANT ROW",
                    // A sort of what has been found.
                    "USE TEMP B-TREE FOR ORDER BY",
                    "USE TEMP B-TREE FOR GROUP BY",
                ];
                let scans = step.starts_with("SCAN") && !harmless.iter().any(|ok| format!("{step} ").starts_with(ok));
                assert!(!scans && !step.contains("AUTOMATIC"), "{file} {name}: {step}\n{part}");
                let sorts = ["deliveries", "dead_letters"].contains(file) && step.contains("TEMP B-TREE");
                assert!(!sorts, "{file} {name} sorts what its index should have in order: {step}\n{part}");
            }
        }
    }
}

#[tokio::test]
async fn promise_1_the_writer_reads_back_that_every_commit_reaches_the_disk() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let mut conn = migrated(folder.path()).await;
    for (setting, wanted) in [("PRAGMA synchronous", 2), ("PRAGMA auto_vacuum", 2), ("PRAGMA page_size", 8192)] {
        let row = sqlx::query(AssertSqlSafe(setting)).fetch_one(&mut conn).await.expect("the setting");
        assert_eq!(row.get::<i64, _>(0), wanted, "{setting}");
    }
}

/// Rows as a program with that many migrations left them: what each later migration must be able to carry on.
const DATA: &[(i64, &str)] = &[
    (1, include_str!("../../tests/data/sqlite/0001_first.sql")),
    (2, include_str!("../../tests/data/sqlite/0002_order.sql")),
    (3, include_str!("../../tests/data/sqlite/0003_pause.sql")),
    (4, include_str!("../../tests/data/sqlite/0004_kv.sql")),
];

#[tokio::test]
async fn every_migration_runs_on_the_data_of_the_one_before() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let mut conn = connect::writer(&folder.path().join("weft.db")).await.expect("the database opens");
    for (version, name, migration) in connect::MIGRATIONS {
        let run = sqlx::raw_sql(AssertSqlSafe(*migration)).execute(&mut conn).await;
        run.unwrap_or_else(|error| panic!("migration {name}: {error}"));
        let data = DATA.iter().find(|(of, _)| of == version);
        let (_, data) = data.unwrap_or_else(|| panic!("there are no rows for what follows on migration {name}"));
        let run = sqlx::raw_sql(AssertSqlSafe(*data)).execute(&mut conn).await;
        run.unwrap_or_else(|error| panic!("the data of migration {name}: {error}"));
    }
    let report = check::check(&mut conn).await.expect("check");
    assert!(report.findings.is_empty(), "{:#?}", report.findings);
    assert!(report.counted.events.routed > 0 && report.counted.attempts > 0, "the data is there");
}
