//! Promise 1, acknowledged is stored: a 2xx from ingest is sent only after the commit is on disk.

mod failpoints;
mod kills;
mod system_calls;
