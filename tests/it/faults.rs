//! What breaks under an engine: nothing acknowledged is lost, the sender is told, and the engine goes on by itself.

mod backlog;
mod failpoints;
mod mounts;
mod moves;
mod on_postgres;
mod orders;
mod two_engines;
