//! What `check` finds on Postgres only: no foreign key is enforced where traffic grows, so each reference is a rule of its
//! own, and the ledger lies in shards.

use weft_core::id::EventId;

use super::Scene;
use crate::engine::Engine;
use crate::scene::{delivery, event, replay_id, uuid};

/// An id that no row has.
const NOBODY: &str = "'00000000-0000-7000-8000-0000000000ff'";

fn bare(id: uuid::Uuid) -> String {
    id.simple().to_string()
}

#[tokio::test]
async fn an_orphan_body_is_found() {
    let scene = Scene::with_every_row().await;
    let said = scene.said(&format!("INSERT INTO bodies VALUES ({NOBODY}, '')")).await;
    assert_eq!(said, ["body 000000000000700080000000000000ff belongs to no event and to no delivery"]);
}

#[tokio::test]
async fn promise_2_rows_that_point_nowhere_are_found() {
    let (first, replay) = (bare(delivery(10, 1).id.uuid()), bare(replay_id(70).uuid()));
    let (event_11, event_12) = (bare(event(11).id.uuid()), bare(event(12).id.uuid()));
    let replayed = bare(delivery(11, 1).id.uuid());
    let cases = [
        ("UPDATE events SET tenant = 99 WHERE state = 'received'", "events", &event_12, "tenants"),
        ("UPDATE events SET replayed_by = NOBODY WHERE state = 'dead'", "events", &event_11, "replays"),
        ("UPDATE replays SET tenant = 99", "replays", &replay, "tenants"),
        ("UPDATE replays SET event = NOBODY", "replays", &replay, "events"),
        ("UPDATE replays SET delivery = NOBODY", "replays", &replay, "deliveries"),
        ("DELETE FROM events WHERE state = 'dead'", "passes", &event_11, "events"),
        ("UPDATE deliveries SET tenant = 99 WHERE replay IS NOT NULL", "deliveries", &replayed, "tenants"),
        ("UPDATE deliveries SET event = NOBODY WHERE replay IS NOT NULL", "deliveries", &replayed, "events"),
        ("UPDATE deliveries SET replay = NOBODY WHERE replay IS NOT NULL", "deliveries", &replayed, "replays"),
        ("UPDATE deliveries SET destination = 99 WHERE replay IS NOT NULL", "deliveries", &replayed, "destinations"),
        ("DELETE FROM bodies", "deliveries", &replayed, "bodies"),
        ("UPDATE deliveries SET replayed_by = NOBODY WHERE id = FIRST", "deliveries", &first, "replays"),
        ("DELETE FROM deliveries WHERE id = FIRST", "attempts", &first, "deliveries"),
        ("INSERT INTO responses VALUES (FIRST, 9, '[]', '')", "responses", &first, "attempts"),
    ];
    for (fault, table, row, parent) in cases {
        let fault = fault.replace("NOBODY", NOBODY).replace("FIRST", &format!("'{first}'"));
        let said = Scene::with_every_row().await.said(&fault).await;
        let wanted = format!("{table} row {row} points to a row of {parent} that is not there");
        assert!(said.contains(&wanted), "{fault}: {said:#?}");
    }
}

#[tokio::test]
async fn promise_2_the_shards_of_the_ledger_are_added_up() {
    let scene = Scene::with_every_row().await;
    let moved = "INSERT INTO ledger (tenant, day, shard, events) SELECT tenant, day, 15, 3 FROM ledger WHERE events > 3; \
                 UPDATE ledger SET events = events - 3 WHERE events > 3";
    assert!(scene.said(moved).await.is_empty(), "where a count stands is of no account");
    let said = scene.said("UPDATE ledger SET events = events + 1 WHERE events = 3").await;
    assert!(said.len() == 1 && said[0].contains("5 events were counted, 4 are there"), "{said:#?}");
}

#[tokio::test]
async fn a_row_far_from_its_week_is_read_like_any_other() {
    let scene = Scene::with_every_row().await;
    // The scene's ids are of 2024, long before any partition: all rows lie in the default ones.
    assert_eq!(scene.engine.ask("SELECT count(*) FROM events_default").await, "4");
    assert_eq!(scene.event(EventId::from_uuid(uuid(10))).await.deliveries.len(), 3);
    scene.is_sound().await;
}

#[tokio::test]
async fn promise_2_a_lease_of_a_start_that_nobody_looks_at_any_more_is_found() {
    let scene = Scene::with_every_row().await;
    let said = scene.said("UPDATE engine_starts SET alive_until = -1").await;
    assert_eq!(
        said,
        [format!("{} is pending and leased by start 1: no engine holds such a lease", delivery(10, 3).id)]
    );
}
