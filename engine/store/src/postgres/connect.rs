//! How connections are made, and the proof that the server is fit for what the promises need.

use std::borrow::Cow;
use std::str::FromStr;
use std::time::Duration;

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, PgConnection, Row, SqlSafeStr};
use weft_core::name::Name;

use crate::at::PostgresAt;
use crate::error::OpenError;

/// The oldest server that this program is tested with: 14.
const VERSION_MIN: i32 = 140_000;

/// Statements that a connection keeps prepared: all of them.
const STATEMENTS_KEPT: usize = 256;

/// How long a caller waits for a reading connection before it is told that the store is not available.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long to connect may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The first key of the lock that an engine holds for its node: what sets it apart from other programs' locks.
pub(super) const NODE_LOCK: i32 = 0x7765_6674;

/// How often the lock of a node is tried for, and the time between: two seconds, in which a server ends any session whose client is gone.
const NODE_TRIES: u32 = 20;
const NODE_PAUSE: Duration = Duration::from_millis(100);

/// The lock around migrations, and around everything that changes tables.
pub(super) const LAYOUT_LOCK: i64 = 0x7765_6674_6c61_796f;

/// What a session of an engine is set to.
///
/// A plan is made once and kept, often while the tables are still nearly empty, when to read a whole table looks cheap.
/// It would stay in use as they grow. Every hot statement goes by an index, so the other ways are switched off; and each reads a
/// few rows, where to start a parallel worker costs a hundred times what it could save. Keepalives end the session
/// of an engine that has vanished, and with it the lock of its node.
const SETTINGS: [(&str, &str); 10] = [
    ("enable_seqscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    ("jit", "off"),
    ("max_parallel_workers_per_gather", "0"),
    ("default_transaction_isolation", "read committed"),
    ("client_min_messages", "warning"),
    ("lock_timeout", "20s"),
    ("tcp_keepalives_idle", "10"),
    ("tcp_keepalives_interval", "5"),
];

/// Reads the address of a database.
pub(super) fn options(at: &PostgresAt) -> Result<PgConnectOptions, OpenError> {
    let options = PgConnectOptions::from_str(&at.url).map_err(|source| server(at, "read the address of")(source))?;
    Ok(options
        .application_name(&format!("weft {}", at.node))
        .statement_cache_capacity(STATEMENTS_KEPT)
        .disable_statement_logging())
}

/// A session as the server knows it: a process number alone may be another's by now.
#[derive(Clone, Debug)]
pub(super) struct Backend {
    process: i32,
    started_at: String,
}

const BACKEND: &str = "\
SELECT pid AS process, backend_start::text AS started_at FROM pg_stat_activity WHERE pid = pg_backend_pid()";

/// How long, in milliseconds, a session is waited for that is told to end.
const END_MS: i64 = 2_000;

/// Opens a connection of a writer, in the place of the one that the server knows as `replaced`. That may still be at work if the server or
/// the network was silent: what it has not committed by now must not come after what its successor does.
pub(super) async fn writer(
    at: &PostgresAt,
    durable: bool,
    replaced: Option<&Backend>,
) -> Result<(PgConnection, Backend), OpenError> {
    let mut conn = connect(at, options(at)?.options(SETTINGS), "connect to").await?;
    must_be_fit(&mut conn, at, durable).await?;
    if let Some(replaced) = replaced {
        end(&mut conn, replaced).await.map_err(server(at, "end a session of"))?;
    }
    let row = sqlx::query(BACKEND).fetch_one(&mut conn).await.map_err(server(at, "read the settings of"))?;
    let failed = server(at, "read the settings of");
    let backend = Backend {
        process: row.try_get("process").map_err(&failed)?,
        started_at: row.try_get("started_at").map_err(&failed)?,
    };
    Ok((conn, backend))
}

async fn end(conn: &mut PgConnection, replaced: &Backend) -> Result<(), sqlx::Error> {
    let end = "SELECT pg_terminate_backend(pid, $3) FROM pg_stat_activity WHERE pid = $1 AND backend_start::text = $2";
    let end = sqlx::query(end).bind(replaced.process).bind(&replaced.started_at).bind(END_MS);
    end.execute(conn).await.map(drop)
}

/// Opens that connection of a writer which holds the lock of the node for as long as it lives.
pub(super) async fn node_writer(
    at: &PostgresAt,
    durable: bool,
    replaced: Option<&Backend>,
) -> Result<(PgConnection, Backend), OpenError> {
    let (mut conn, backend) = writer(at, durable, replaced).await?;
    take_node(&mut conn, at).await?;
    Ok((conn, backend))
}

/// Opens the connections that read beside the writer.
pub(super) async fn readers(at: &PostgresAt, count: u32, answer_within: Duration) -> Result<PgPool, OpenError> {
    PgPoolOptions::new()
        .max_connections(count.max(1))
        .acquire_timeout(ACQUIRE_TIMEOUT.min(answer_within))
        // One that was given up in the middle of something is not waited for: its place is needed.
        .after_release(move |conn, _| {
            Box::pin(
                async move { Ok(tokio::time::timeout(answer_within, conn.ping()).await.is_ok_and(|it| it.is_ok())) },
            )
        })
        .connect_with(options(at)?.options(SETTINGS))
        .await
        .map_err(server(at, "connect to"))
}

/// The one connection that listens to other engines; made when it is needed.
pub(super) fn listener(at: &PostgresAt) -> Result<PgPool, OpenError> {
    Ok(PgPoolOptions::new().max_connections(1).acquire_timeout(ACQUIRE_TIMEOUT).connect_lazy_with(options(at)?))
}

/// Opens one connection that only reads, with the planner's own judgement.
pub(super) async fn reader(at: &PostgresAt) -> Result<PgConnection, OpenError> {
    connect(at, options(at)?, "connect to").await
}

async fn connect(at: &PostgresAt, options: PgConnectOptions, doing: &'static str) -> Result<PgConnection, OpenError> {
    match tokio::time::timeout(CONNECT_TIMEOUT, options.connect()).await {
        Ok(connected) => connected.map_err(server(at, doing)),
        Err(_) => Err(server(at, doing)(sqlx::Error::Io(std::io::Error::new(
            std::io::ErrorKind::TimedOut,
            format!("no answer within {} s", CONNECT_TIMEOUT.as_secs()),
        )))),
    }
}

const FITNESS: &str = "\
SELECT
    current_setting('server_version_num')::integer AS version, pg_is_in_recovery() AS standby,
    current_setting('transaction_read_only') = 'on' AS read_only, current_setting('fsync') = 'on' AS fsync,
    current_setting('synchronous_commit') <> 'off' AS waits";

/// Makes sure that this server can be written to and keeps what it has said it keeps.
pub(super) async fn must_be_fit(conn: &mut PgConnection, at: &PostgresAt, durable: bool) -> Result<(), OpenError> {
    let row = sqlx::query(FITNESS).fetch_one(conn).await.map_err(server(at, "read the settings of"))?;
    let is = |column| row.try_get::<bool, _>(column).map_err(server(at, "read the settings of"));
    let version: i32 = row.try_get("version").map_err(server(at, "read the settings of"))?;
    let reason = if version < VERSION_MIN {
        format!("it is Postgres {}, and 14 is needed at least", version / 10_000)
    } else if is("standby")? {
        "it is a standby, which only reads: give the address of the primary".to_owned()
    } else if is("read_only")? {
        "its sessions only read (default_transaction_read_only): give a database or a role that can write".to_owned()
    } else if durable && !is("fsync")? {
        "its setting fsync is off, so that a power cut can take back what Weft has acknowledged: switch it on"
            .to_owned()
    } else if durable && !is("waits")? {
        "its setting synchronous_commit is off, so that a crash can take back what Weft has acknowledged: switch it on, \
         or set it for this role with ALTER ROLE"
            .to_owned()
    } else {
        return Ok(());
    };
    Err(OpenError::Unfit { server: at.to_string(), reason })
}

/// Takes the lock of the node: one engine to a name. A session that has just ended, or whose process has been killed, is given a
/// moment to let go of it.
async fn take_node(conn: &mut PgConnection, at: &PostgresAt) -> Result<(), OpenError> {
    for _ in 0..NODE_TRIES {
        let taken: bool = sqlx::query_scalar("SELECT pg_try_advisory_lock($1, hashtext($2))")
            .bind(NODE_LOCK)
            .bind(at.node.as_str())
            .fetch_one(&mut *conn)
            .await
            .map_err(server(at, "take the lock of this node in"))?;
        if taken {
            return Ok(());
        }
        tokio::time::sleep(NODE_PAUSE).await;
    }
    Err(OpenError::NodeTaken { server: at.to_string(), node: at.node.clone() })
}

/// Brings the tables up to date; only ever forward, and one engine at a time.
pub(super) async fn migrate(conn: &mut PgConnection, at: &PostgresAt) -> Result<(), OpenError> {
    migrator().run(conn).await.map_err(|source| OpenError::Migrate { store: at.to_string(), source })
}

/// What makes the tables of this program, or brings them up to date.
pub(crate) fn migrator() -> Migrator {
    let migrations = MIGRATIONS.iter().map(|&(version, description, sql)| {
        Migration::new(version, Cow::Borrowed(description), MigrationType::Simple, sql.into_sql_str(), false)
    });
    let mut migrator = Migrator::with_migrations(migrations.collect());
    migrator.set_locking(true);
    migrator
}

/// An engine must not work with a part of a store.
pub(super) async fn refuse_half_moved(conn: &mut PgConnection, at: &PostgresAt) -> Result<(), OpenError> {
    let half: bool = sqlx::query_scalar("SELECT to_regclass('store_move') IS NOT NULL")
        .fetch_one(conn)
        .await
        .map_err(server(at, "look into"))?;
    if half { Err(OpenError::HalfMoved { store: at.to_string() }) } else { Ok(()) }
}

/// Makes sure that a database has this program's layout, without changing it.
pub(super) async fn must_be_migrated(conn: &mut PgConnection, at: &PostgresAt) -> Result<(), OpenError> {
    let known: bool = sqlx::query_scalar("SELECT to_regclass('_sqlx_migrations') IS NOT NULL")
        .fetch_one(&mut *conn)
        .await
        .map_err(server(at, "read the layout of"))?;
    let found: i64 = if known {
        sqlx::query_scalar("SELECT coalesce(max(version), 0) FROM _sqlx_migrations")
            .fetch_one(conn)
            .await
            .map_err(server(at, "read the layout of"))?
    } else {
        0
    };
    let wanted = MIGRATIONS.last().map_or(0, |&(version, ..)| version);
    if found == wanted {
        return Ok(());
    }
    let reason = match found {
        0 => "there is no store of Weft in this database".to_owned(),
        _ => format!(
            "its layout is number {found}, and this program's is {wanted}: start an engine of this version on it"
        ),
    };
    Err(OpenError::Unfit { server: at.to_string(), reason })
}

/// The migrations of this program, in order. A released one never changes.
pub(super) const MIGRATIONS: &[(i64, &str, &str)] = &[
    (1, "first", include_str!("../../migrations/postgres/0001_first.sql")),
    (2, "order", include_str!("../../migrations/postgres/0002_order.sql")),
    (3, "pause", include_str!("../../migrations/postgres/0003_pause.sql")),
    (4, "kv", include_str!("../../migrations/postgres/0004_kv.sql")),
];

/// Makes an [`OpenError`] of what the server said.
pub(super) fn server(at: &PostgresAt, doing: &'static str) -> impl Fn(sqlx::Error) -> OpenError + use<> {
    let server = at.to_string();
    move |source| OpenError::Server { doing, server: server.clone(), source }
}

/// The name under which a database and its node are shown: never the password.
pub(crate) fn shown(url: &str, node: &Name) -> String {
    match PgConnectOptions::from_str(url) {
        Ok(options) => format!(
            "{}:{}/{} (node {node})",
            options.get_host(),
            options.get_port(),
            options.get_database().unwrap_or_else(|| options.get_username())
        ),
        Err(_) => format!("postgres (node {node})"),
    }
}
