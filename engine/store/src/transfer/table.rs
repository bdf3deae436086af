//! What both engines can say of every table: rows whose references are ids, in an order in which each can be written.
//!
//! What one row says of another that is written later comes last, in tables of pairs. Of a body that a pass made, the name
//! is the id of the first delivery that sends it; an event's body stands in its row.

use serde::{Deserialize, Serialize};
use weft_core::digest::Digest;

/// What a column holds. Truth is a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Id,
    Int,
    Text,
    Bytes,
}

/// One table, or the pairs of one.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) name: &'static str,
    pub(super) columns: &'static [Kind],
}

/// One value. Every column may be empty as far as this knows; the engines' own constraints know better.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Cell {
    Empty,
    Id([u8; 16]),
    Int(i64),
    Text(String),
    Bytes(Vec<u8>),
}

/// One row, column by column.
pub(super) type Row = Vec<Cell>;

const fn table(name: &'static str, columns: &'static [Kind]) -> Table {
    Table { name, columns }
}

/// The tables, by their places in `tables`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name {
    EngineStarts,
    Tenants,
    ApiKeys,
    Destinations,
    SealedSecrets,
    Components,
    Plugins,
    PluginVersions,
    PluginActivations,
    PluginFiles,
    Events,
    Replays,
    Bodies,
    Deliveries,
    Passes,
    Attempts,
    Responses,
    ReplayedEvents,
    ReplayedDeliveries,
    ReplaysOfDeliveries,
    Dedupe,
    Kv,
    KvUsage,
    Ledger,
}

use Kind::{Bytes, Id, Int, Text};
use Name::{
    ApiKeys, Attempts, Bodies, Components, Dedupe, Deliveries, Destinations, EngineStarts, Events, Kv, KvUsage, Ledger,
    Passes, PluginActivations, PluginFiles, PluginVersions, Plugins, ReplayedDeliveries, ReplayedEvents, Replays,
    ReplaysOfDeliveries, Responses, SealedSecrets, Tenants,
};

/// All of them, in the order in which they are written.
pub(super) const NAMES: [Name; 24] = [
    EngineStarts,
    Tenants,
    ApiKeys,
    Destinations,
    SealedSecrets,
    Components,
    Plugins,
    PluginVersions,
    PluginActivations,
    PluginFiles,
    Events,
    Replays,
    Bodies,
    Deliveries,
    Passes,
    Attempts,
    Responses,
    ReplayedEvents,
    ReplayedDeliveries,
    ReplaysOfDeliveries,
    Dedupe,
    Kv,
    KvUsage,
    Ledger,
];

impl Name {
    /// What the table is called and what it holds.
    pub(super) const fn table(self) -> Table {
        match self {
            // Number, started.
            EngineStarts => table("engine_starts", &[Int, Int]),
            // Id, name, declared, created.
            Tenants => table("tenants", &[Id, Text, Int, Int]),
            // Id, tenant, name, hash, declared, created.
            ApiKeys => table("api_keys", &[Id, Id, Text, Bytes, Int, Int]),
            // Id, tenant, name, declared, disabled, status since, created, paused.
            Destinations => table("destinations", &[Id, Id, Text, Int, Text, Int, Int, Int]),
            // Destination, name, sealed, created.
            SealedSecrets => table("sealed_secrets", &[Id, Text, Bytes, Int]),
            // Digest, bytes.
            Components => table("components", &[Bytes, Bytes]),
            // Id, tenant, name, mode, active, created.
            Plugins => table("plugins", &[Id, Id, Text, Text, Bytes, Int]),
            // Plugin, digest, length, roles, refusal, rolled back, first seen, state.
            PluginVersions => table("plugin_versions", &[Id, Bytes, Int, Text, Text, Int, Int, Text]),
            // Plugin, digest, previous, by, folder, file, at.
            PluginActivations => table("plugin_activations", &[Id, Bytes, Bytes, Text, Text, Text, Int]),
            // Folder, name, plugin, activated.
            PluginFiles => table("plugin_files", &[Text, Text, Id, Bytes]),
            // Id, tenant, source, external id, type, content type, headers, body, received, state, passes, planned, due,
            // lease owner, ended, step, reason, ordering key, place.
            Events => table(
                "events",
                &[
                    Id, Id, Text, Text, Text, Text, Text, Bytes, Int, Text, Int, Int, Int, Int, Int, Text, Text, Text,
                    Int,
                ],
            ),
            // Id, tenant, event, created, state, passes, planned, due, lease owner, ended, step, reason, ordering key, place.
            Replays => table("replays", &[Id, Id, Id, Int, Text, Int, Int, Int, Int, Int, Text, Text, Text, Int]),
            // Name, bytes.
            Bodies => table("bodies", &[Id, Bytes]),
            // Id, tenant, event, replay, pass, output, destination, body, request, planned, ends, state, attempts, due,
            // lease owner, ended, reason, ordering key, place.
            Deliveries => table(
                "deliveries",
                &[Id, Id, Id, Id, Int, Int, Id, Id, Text, Int, Int, Text, Int, Int, Int, Int, Text, Text, Int],
            ),
            // Event, replay (zero for the event's own), number, started, ended, result, planned, trace.
            Passes => table("passes", &[Id, Id, Int, Int, Int, Text, Int, Text]),
            // Delivery, number, started, took, outcome, status, retry after, detail.
            Attempts => table("attempts", &[Id, Int, Int, Int, Text, Int, Int, Text]),
            // Delivery, number, headers, body.
            Responses => table("responses", &[Id, Int, Text, Bytes]),
            // Event, the replay that took it over.
            ReplayedEvents => table("replayed events", &[Id, Id]),
            // Delivery, the replay that took it over.
            ReplayedDeliveries => table("replayed deliveries", &[Id, Id]),
            // Replay, the delivery that it repeats.
            ReplaysOfDeliveries => table("replays of deliveries", &[Id, Id]),
            // Tenant, source, key, body digest, event, expires.
            Dedupe => table("dedupe", &[Id, Text, Text, Bytes, Id, Int]),
            // Tenant, plugin, key, value, expires.
            Kv => table("kv", &[Id, Text, Bytes, Bytes, Int]),
            // Tenant, plugin, entries, bytes.
            KvUsage => table("kv_usage", &[Id, Text, Int, Int]),
            // Tenant, day, and the thirteen counts in the order of the table.
            Ledger => table("ledger", &[Id, Int, Int, Int, Int, Int, Int, Int, Int, Int, Int, Int, Int, Int, Int]),
        }
    }
}

/// How many rows there are and what is in them, whatever their order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sum {
    pub(super) rows: u64,
    /// Digests of the rows, added up: two tables with the same rows have the same sum, and no others are ever seen to.
    digests: [u64; 4],
}

impl Sum {
    /// Adds a row.
    pub(super) fn add(&mut self, row: &Row) {
        let digest = Digest::of(&bytes(row));
        self.rows += 1;
        for (sum, part) in self.digests.iter_mut().zip(digest.as_bytes().chunks_exact(8)) {
            let part = part.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
            *sum = sum.wrapping_add(part);
        }
    }
}

/// A row as bytes, so that no two different rows have the same.
fn bytes(row: &Row) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(row.iter().map(Cell::weight).sum());
    let mut put = |kind: u8, content: &[u8]| {
        bytes.push(kind);
        bytes.extend((content.len() as u64).to_be_bytes());
        bytes.extend(content);
    };
    for cell in row {
        match cell {
            Cell::Empty => put(0, &[]),
            Cell::Id(id) => put(1, id),
            Cell::Int(number) => put(2, &number.to_be_bytes()),
            Cell::Text(text) => put(3, text.as_bytes()),
            Cell::Bytes(content) => put(4, content),
        }
    }
    bytes
}

impl Cell {
    /// About how many bytes it takes.
    pub(super) fn weight(&self) -> usize {
        let content = match self {
            Self::Empty | Self::Id(_) | Self::Int(_) => 16,
            Self::Text(text) => text.len(),
            Self::Bytes(bytes) => bytes.len(),
        };
        content + 9
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(rows: &[Row]) -> Sum {
        let mut sum = Sum::default();
        rows.iter().for_each(|row| sum.add(row));
        sum
    }

    #[test]
    fn a_sum_knows_rows_but_not_their_order() {
        let text = |text: &str| Cell::Text(text.to_owned());
        let (a, b) = (vec![text("a"), Cell::Int(1)], vec![text("b"), Cell::Empty]);
        assert_eq!(sum(&[a.clone(), b.clone()]), sum(&[b.clone(), a.clone()]));
        assert_ne!(sum(&[a.clone(), b.clone()]), sum(&[a.clone(), a.clone()]));
        assert_ne!(sum(std::slice::from_ref(&a)), sum(&[vec![text("a"), Cell::Int(2)]]));
        assert_ne!(sum(&[vec![text("ab"), text("c")]]), sum(&[vec![text("a"), text("bc")]]));
        assert_ne!(sum(&[vec![text("")]]), sum(&[vec![Cell::Empty]]));
    }

    #[test]
    fn every_table_is_written_once_and_has_its_place() {
        for (place, name) in NAMES.into_iter().enumerate() {
            assert_eq!(name as usize, place, "{}", name.table().name);
        }
    }
}
