//! A move that is killed again and again, from a file to Postgres and back: it goes on where it was, and nothing is missing.
//!
//! A move is killed when it has come as far as the test wants, seen in the target. So that it cannot end before the test has looked,
//! something that it needs at its end is locked by a prepared transaction, which lives in the server without a session.

use std::fs;
use std::path::Path;

use weft_private_postgres::{Durability, Options, PrivatePostgres};
use weft_tests::{Engine, Program, Rewritten, Said, Site, within};

use super::backlog::Backlog;

/// The database of the store, for as long as it is on Postgres.
const DATABASE: &str = "weft";
/// Rows in the database at which a move is killed, while the table is written.
const ROWS_THERE: [(&str, u64); 3] = [("events", 1_000), ("deliveries", 2_000), ("attempts", 500)];
/// Bytes of the file at which a move is killed, of about ten million that it comes to.
const BYTES_BACK: [u64; 2] = [2_000_000, 6_000_000];
/// What a move says that was not the first.
const GONE_ON: &str = "gone on with a move that was cut off\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_2_a_move_to_a_store_on_postgres_and_back_that_is_killed_again_and_again_loses_nothing() {
    // A server of the test's own: the one that tests share prepares no transactions.
    let options = Options::new(Durability::Full).with("max_prepared_transactions", "1");
    let server = PrivatePostgres::start(&options).unwrap_or_else(|error| panic!("{error}"));
    server.create_database(DATABASE).expect("an empty server");
    let mut backlog = Backlog::none().await;
    let site = Site::of(backlog.tenants()).with_patience_for_plugins();
    backlog.pile_up(&site).await;
    let before = checked(&site).await;

    let there = moved_there(&site, &server).await;
    assert_eq!(checked(&site).await, before, "the source stays as it is");
    let site = site.on(&server.url(DATABASE));
    assert_eq!(checked(&site).await, before);

    let file = site.path().join("back").join("weft.db");
    let back = moved_back(&site, &server, &file).await;
    assert_eq!(rows(&back), rows(&there), "each table as it went");
    assert_eq!(checked(&site).await, before, "the source stays as it is");
    let site = site.on(&sqlite(&file));
    assert_eq!(checked(&site).await, before);

    backlog.settle(Engine::start(&site).await, &site).await;
}

/// Moves a file to the database, killed at several moments; answers what the last move says.
async fn moved_there(site: &Site, server: &PrivatePostgres) -> Said {
    let to = server.url(DATABASE);
    let is = |condition: &str| answer(server, condition) == "t";
    killed_when(begun(site, &to), "it has begun", || is("to_regclass('store_move') IS NOT NULL")).await;
    // From here on a move cannot end: its last step takes away the table of what it has done.
    hold(server, "store_move", "ACCESS SHARE");
    let mut first_written = Vec::new();
    for (table, count) in ROWS_THERE {
        let what = format!("{count} {table} are there");
        killed_when(begun(site, &to), &what, || is(&format!("count(*) >= {count} FROM {table}"))).await;
        first_written.push(answer(server, "min(xmin::text::bigint) FROM events"));
    }
    let half = format!("node = \"weft\"\nstore = \"{to}\"\n");
    no_engine_starts_on(Rewritten::of(site).with("node = \"weft\"\n", &half)).await;
    killed_when(begun(site, &to), "all is there but the end", || is_waited_for(server, "store_move")).await;
    // The server still works on what the killed move asked for last.
    let beside = begun(site, &to).ended().await;
    assert_eq!((beside.code, &*beside.stdout), (Some(1), ""), "{beside:?}");
    assert!(beside.stderr.contains("another move"), "{}", beside.stderr);
    let_go(server);

    let said = begun(site, &to).ended().await;
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.stdout.contains(GONE_ON), "{}", said.stdout);
    first_written.push(answer(server, "min(xmin::text::bigint) FROM events"));
    first_written.dedup();
    assert_eq!(first_written.len(), 1, "what was there is not written again: {first_written:?}");
    said
}

/// Moves the database to a file, killed at several moments; answers what the last move says.
async fn moved_back(site: &Site, server: &PrivatePostgres, file: &Path) -> Said {
    let to = sqlite(file);
    // The last table but one that is read, and one that nobody counts beforehand.
    hold(server, "kv_usage", "ACCESS EXCLUSIVE");
    for wanted in BYTES_BACK {
        let what = format!("{wanted} bytes are there");
        killed_when(begun(site, &to), &what, || bytes(file) >= wanted).await;
    }
    let url = server.url(DATABASE);
    no_engine_starts_on(Rewritten::of(site).with(&url, &to)).await;
    killed_when(begun(site, &to), "nearly all is there", || is_waited_for(server, "kv_usage")).await;
    let_go(server);

    let said = begun(site, &to).ended().await;
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.stdout.contains(GONE_ON), "{}", said.stdout);
    said
}

fn begun(site: &Site, to: &str) -> Program {
    Program::run(&["store", "move", "--to", to], &site.write(), &[])
}

/// Kills a move at a moment.
async fn killed_when(mut moving: Program, what: &str, has_come: impl Fn() -> bool) {
    let looked_for = async {
        while !has_come() {
            if moving.is_over() {
                return false;
            }
            tokio::task::yield_now().await;
        }
        true
    };
    let came = within(what, looked_for).await;
    let said = if came { moving.kill().await } else { moving.ended().await };
    assert!(came && said.code.is_none(), "the move ended before {what}: {said:?}");
    println!("killed when {what}");
}

/// Locks a table of the database for nobody, until [`let_go`].
fn hold(server: &PrivatePostgres, table: &str, mode: &str) {
    let locked = format!("BEGIN; LOCK TABLE {table} IN {mode} MODE; PREPARE TRANSACTION 'held'");
    server.query(DATABASE, &locked).expect("a server that prepares");
}

fn let_go(server: &PrivatePostgres) {
    server.query(DATABASE, "ROLLBACK PREPARED 'held'").expect("a table is held");
}

/// Whether somebody wants a table that is held.
fn is_waited_for(server: &PrivatePostgres, table: &str) -> bool {
    answer(server, &format!("count(*) > 0 FROM pg_locks WHERE NOT granted AND relation = '{table}'::regclass")) == "t"
}

fn answer(server: &PrivatePostgres, question: &str) -> String {
    server.query(DATABASE, &format!("SELECT {question}")).expect("an answer")
}

/// Proves that an engine knows the half of a store.
async fn no_engine_starts_on(half: Rewritten<'_>) {
    let said = Program::run(&["serve"], half.path(), &[]).ended().await;
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.stderr.contains("holds a part of another store"), "{}", said.stderr);
}

/// What `weft check` counts, whatever the store is called.
async fn checked(site: &Site) -> String {
    let said = Program::run(&["check"], &site.write(), &[]).ended().await;
    assert_eq!(said.code, Some(0), "{said:?}");
    said.stdout.split_once('\n').expect("the store, and what is in it").1.to_owned()
}

/// The tables of what a move says, and their rows, which it has proven by their digests.
fn rows(said: &Said) -> Vec<&str> {
    let rows: Vec<_> = said.stdout.lines().take_while(|line| !GONE_ON.starts_with(line)).collect();
    assert!(rows.iter().any(|row| row.starts_with("kv_usage ")), "{}", said.stdout);
    rows
}

fn sqlite(file: &Path) -> String {
    format!("sqlite:{}", file.display())
}

/// How large a database of SQLite is, with what has not yet come from its log.
fn bytes(file: &Path) -> u64 {
    let log = file.with_extension("db-wal");
    [file, &log].into_iter().filter_map(|file| fs::metadata(file).ok()).map(|found| found.len()).sum()
}
