//! Every statement is prepared against a freshly migrated database, and no hot one reads a whole table that grows.

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, Row, SqlSafeStr, Statement};
use weft_core::time::Timestamp;
use weft_private_postgres::TestDatabase;

use super::{
    catalog, check, connect, dead_letters, deliveries, engine_start, finish, history, keep, kv, lanes, ledger,
    partitions, passes, plugins, prune, record, replay, session, stats, upkeep, versions, waiting,
};
use crate::at::PostgresAt;

/// Every statement, by the file that holds it.
const ALL: &[(&str, &[(&str, &str)])] = &[
    ("catalog", catalog::STATEMENTS),
    ("check", check::STATEMENTS),
    ("check/ledger", check::LEDGER_STATEMENTS),
    ("check/references", check::REFERENCE_STATEMENTS),
    ("check/rules", check::RULE_STATEMENTS),
    ("dead_letters", dead_letters::STATEMENTS),
    ("deliveries", deliveries::STATEMENTS),
    ("engine_start", engine_start::STATEMENTS),
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
    ("session", session::STATEMENTS),
    ("stats", stats::STATEMENTS),
    ("upkeep", upkeep::STATEMENTS),
    ("versions", versions::STATEMENTS),
    ("waiting", waiting::STATEMENTS),
];

/// What may read whole tables: the check, and the figures that a person asks for.
const MAY_SCAN: &[&str] = &["check", "check/ledger", "check/references", "check/rules", "stats"];

/// The tables that grow with traffic, as a plan words a scan of one of them or of a partition.
const GROWING: &[&str] =
    &["events", "replays", "passes", "bodies", "deliveries", "attempts", "responses", "dedupe", "kv"];

async fn migrated(database: &TestDatabase) -> PgConnection {
    let at = PostgresAt { url: database.url(), node: "plans".parse().expect("a name") };
    let mut conn = connect::writer(&at, false, None).await.expect("the server answers").0;
    connect::migrate(&mut conn, &at).await.expect("the migrations run");
    partitions::make(&mut conn, Timestamp::from_ms(1_760_000_000_000)).await.expect("partitions");
    conn
}

#[tokio::test]
async fn on_postgres_every_statement_is_prepared_on_a_freshly_migrated_database() {
    let database = TestDatabase::create().expect("a database for the test");
    let mut conn = migrated(&database).await;
    for (file, statements) in ALL {
        for (name, text) in *statements {
            let prepared = conn.prepare(AssertSqlSafe(*text).into_sql_str()).await;
            prepared.unwrap_or_else(|error| panic!("{file} {name}: {error}\n{text}"));
        }
    }
    conn.close().await.expect("the connection closes");
}

#[tokio::test]
async fn promise_7_on_postgres_what_a_statement_costs_never_depends_on_the_size_of_a_table() {
    let database = TestDatabase::create().expect("a database for the test");
    let mut conn = migrated(&database).await;
    // What the planner may see in tables that have grown and that nobody has counted yet.
    let inviting = "\
SET plan_cache_mode = force_generic_plan;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET min_parallel_index_scan_size = 0";
    sqlx::raw_sql(inviting).execute(&mut conn).await.expect("generic plans");
    for (file, statements) in ALL.iter().filter(|(file, _)| !MAY_SCAN.contains(file)) {
        for (name, text) in *statements {
            for step in plan(&mut conn, text).await {
                let scans = GROWING.iter().any(|table| step.contains(&format!("Seq Scan on {table}")));
                assert!(!scans, "{file} {name}: {step}\n{text}");
                assert!(!step.contains("Gather"), "{file} {name} starts workers: {step}\n{text}");
            }
        }
    }
    conn.close().await.expect("the connection closes");
}

#[tokio::test]
async fn promise_7_on_postgres_a_page_of_destinations_walks_no_further_than_it_is_long() {
    let database = TestDatabase::create().expect("a database for the test");
    let mut conn = migrated(&database).await;
    let rows = "\
INSERT INTO tenants (id, name, declared, created_at) VALUES (gen_random_uuid(), 'a', true, 0);
INSERT INTO destinations (id, tenant, name, declared, status_since, created_at)
SELECT gen_random_uuid(), 1, number::text, true, 0, 0 FROM generate_series(1, 100) AS number;
INSERT INTO deliveries (id, tenant, event, pass, output, destination, planned_at, ends_at, state, due_at)
SELECT gen_random_uuid(), 1, gen_random_uuid(), 0, 0, number % 100 + 1, 0, 9, 'pending', 0
FROM generate_series(1, 1000) AS number";
    sqlx::raw_sql(rows).execute(&mut conn).await.expect("the rows of the test");
    let (_, page) = waiting::STATEMENTS.iter().find(|(name, _)| *name == "PAGE").expect("the statement");
    let explain = format!("PREPARE it AS {page}; EXPLAIN (ANALYZE, TIMING OFF, COSTS OFF) EXECUTE it(7, 5)");
    let rows = sqlx::raw_sql(AssertSqlSafe(explain)).fetch_all(&mut conn).await.expect("a plan");
    let steps: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    let walk = steps.iter().find(|step| step.contains("Recursive Union")).expect("it walks");
    assert!(walk.contains("rows=5 "), "{steps:#?}");
    conn.close().await.expect("the connection closes");
}

/// The steps of a statement's plan, whatever its values are.
async fn plan(conn: &mut PgConnection, text: &str) -> Vec<String> {
    let prepared = conn.prepare(AssertSqlSafe(text.to_owned()).into_sql_str()).await.expect("it is prepared");
    let count = prepared.parameters().map_or(0, |parameters| match parameters {
        sqlx::Either::Left(types) => types.len(),
        sqlx::Either::Right(count) => count,
    });
    let values = vec!["NULL"; count].join(", ");
    let values = if count == 0 { String::new() } else { format!("({values})") };
    let explain = format!("PREPARE it AS {text}; EXPLAIN EXECUTE it{values}; DEALLOCATE it");
    let rows = sqlx::raw_sql(AssertSqlSafe(explain)).fetch_all(conn).await;
    let rows = rows.unwrap_or_else(|error| panic!("{error}:\n{text}"));
    rows.iter().map(|row| row.get(0)).collect()
}

/// Rows as a program with that many migrations left them: what each later migration must be able to carry on.
const DATA: &[(i64, &str)] = &[
    (1, include_str!("../../tests/data/postgres/0001_first.sql")),
    (2, include_str!("../../tests/data/postgres/0002_order.sql")),
    (3, include_str!("../../tests/data/postgres/0003_pause.sql")),
    (4, include_str!("../../tests/data/postgres/0004_kv.sql")),
];

#[tokio::test]
async fn on_postgres_every_migration_runs_on_the_data_of_the_one_before() {
    let database = TestDatabase::create().expect("a database for the test");
    let at = PostgresAt { url: database.url(), node: "plans".parse().expect("a name") };
    let mut conn = connect::writer(&at, false, None).await.expect("a connection").0;
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
