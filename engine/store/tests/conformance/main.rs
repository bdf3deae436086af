//! What a store must do, whatever the database behind it.
//!
//! Each file of `suite/` is about one operation, and is compiled once for every engine: `super::Scene` is that engine's. The
//! scene (`scene.rs`) opens a real store in a place of its own; time is a number. What only one engine does stands in
//! the files that carry its name.

#![expect(clippy::duplicate_mod, reason = "the suite is compiled once for every engine")]

mod engine;
mod scene;
mod sqlite_backup;
mod sqlite_check;
mod sqlite_file;
mod sqlite_stats;
mod transfer;
mod transfer_order;

#[path = "suite"]
mod on_sqlite {
    type Scene = crate::scene::Scene<crate::engine::OnSqlite>;

    mod catalog;
    mod check;
    mod claim;
    mod dead_letters;
    mod dedupe;
    mod failure;
    mod finish;
    mod keep;
    mod kv;
    mod order;
    mod plugins;
    mod prune;
    mod record;
    mod replay;
}

#[path = "suite"]
mod on_postgres {
    type Scene = crate::scene::Scene<crate::engine::OnPostgres>;

    mod catalog;
    mod check;
    mod claim;
    mod dead_letters;
    mod dedupe;
    mod failure;
    mod finish;
    mod keep;
    mod kv;
    mod order;
    mod plugins;
    mod prune;
    mod record;
    mod replay;

    #[path = "../postgres_kv.rs"]
    mod kv_of_nodes;
    #[path = "../postgres_nodes.rs"]
    mod nodes;
    #[path = "../postgres_order.rs"]
    mod nodes_in_lanes;
    #[path = "../postgres_check.rs"]
    mod references;
    #[path = "../postgres_server.rs"]
    mod server;
    #[path = "../postgres_silence.rs"]
    mod silence;
}
