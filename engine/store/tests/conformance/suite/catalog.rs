//! Tenants, keys, destinations and what is sealed for them.

use bytes::Bytes;
use weft_core::destination::{DestinationStatus, DisabledReason};
use weft_core::id::{DestinationId, KeyId, TenantId};
use weft_core::name::Name;
use weft_store::StoreError;
use weft_store::catalog::{Catalog, Declaration};

use super::Scene;
use crate::scene::{at, declaration, destination, routed, status_of, tenant, uuid};

const ACTIVE: DestinationStatus = DestinationStatus::Active;
const UNDECLARED: DestinationStatus = DestinationStatus::Disabled(DisabledReason::Undeclared);
const GONE: DestinationStatus = DestinationStatus::Disabled(DisabledReason::Gone);

fn name(text: &str) -> Name {
    text.parse().expect("a name")
}

async fn declared(scene: &Scene, declaration: Declaration, ms: i64) -> Catalog {
    scene.store.declare(declaration, at(ms)).await.expect("declare")
}

/// The scene's declaration without acme's destination `b`.
fn without_b() -> Declaration {
    let mut smaller = declaration();
    smaller.tenants[0].destinations.retain(|it| it.name.as_str() != "b");
    smaller
}

#[tokio::test]
async fn what_was_declared_reads_back_with_its_hashes() {
    let scene = Scene::new().await;
    let catalog = scene.store.catalog().await.expect("catalog");
    let names: Vec<_> = catalog.tenants.iter().map(|it| (it.name.as_str(), it.id, it.declared)).collect();
    assert_eq!(names, [("acme", tenant(1), true), ("globex", tenant(2), true)]);
    assert_eq!(catalog.tenants[0].keys[0].hash, [1; 32]);
    assert_eq!((catalog.operator_keys[0].hash, catalog.operator_keys[0].name.as_str()), ([3; 32], "operator"));
    assert_eq!(catalog.tenants[0].destinations.len(), 3);
    assert_eq!(status_of(&catalog, "a"), ACTIVE);
}

#[tokio::test]
async fn a_name_keeps_its_id_whatever_fresh_one_comes_with_it() {
    let scene = Scene::new().await;
    let mut again = declaration();
    again.tenants[0].fresh = TenantId::from_uuid(uuid(900));
    again.tenants[0].destinations[0].fresh = DestinationId::from_uuid(uuid(901));
    again.tenants[0].keys[0].fresh = KeyId::from_uuid(uuid(902));
    again.tenants[0].keys[0].hash = [9; 32];
    let catalog = declared(&scene, again, 5).await;
    assert_eq!(catalog.tenants[0].id, tenant(1));
    assert_eq!(catalog.tenants[0].destinations[0].id, destination(1));
    assert_eq!(catalog.tenants[0].keys[0].id, KeyId::from_uuid(uuid(1)));
    assert_eq!(catalog.tenants[0].keys[0].hash, [9; 32], "the key behind a name may change");
}

#[tokio::test]
async fn a_destination_that_leaves_the_file_is_held_and_comes_back_as_it_was() {
    let scene = Scene::new().await;
    scene.keep(vec![routed(10, &[2])]).await;
    let catalog = declared(&scene, without_b(), 5).await;
    assert_eq!(status_of(&catalog, "b"), UNDECLARED);
    assert_eq!(catalog.tenants[0].destinations[1].status_since, at(5));
    assert_eq!(scene.store.waiting(at(5)).await.expect("waiting").len(), 1, "its deliveries still wait");
    let catalog = declared(&scene, declaration(), 6).await;
    assert_eq!(status_of(&catalog, "b"), ACTIVE);
    assert_eq!(catalog.tenants[0].destinations[1].id, destination(2));
    assert_eq!(catalog.tenants[0].destinations[1].status_since, at(6));
    assert_eq!(catalog.tenants[0].destinations[0].status_since, at(0), "nothing happened to the others");
}

#[tokio::test]
async fn what_a_receiver_or_a_person_disabled_stays_disabled_when_it_is_declared_again() {
    let scene = Scene::new().await;
    let set = async |status| scene.store.set_destination_status(destination(2), status, at(5)).await.expect("set");
    assert_eq!(set(GONE).await, Some(GONE));
    declared(&scene, without_b(), 6).await;
    assert_eq!(set(ACTIVE).await, Some(UNDECLARED), "the file outweighs the person");
    assert_eq!(set(GONE).await, Some(UNDECLARED));
    assert_eq!(status_of(&declared(&scene, declaration(), 7).await, "b"), GONE);
    assert_eq!(set(ACTIVE).await, Some(ACTIVE));
    assert_eq!(scene.store.set_destination_status(destination(99), ACTIVE, at(8)).await.expect("set"), None);
}

#[tokio::test]
async fn a_pause_outlasts_the_file_and_is_outweighed_by_what_disables() {
    let scene = Scene::new().await;
    let paused = DestinationStatus::Paused;
    let set = async |status| scene.store.set_destination_status(destination(2), status, at(5)).await.expect("set");
    assert_eq!(set(paused).await, Some(paused));
    declared(&scene, without_b(), 6).await;
    assert_eq!(status_of(&declared(&scene, declaration(), 7).await, "b"), paused);
    assert_eq!(set(GONE).await, Some(GONE));
    assert_eq!(set(paused).await, Some(paused), "what a person says last holds");
    assert_eq!(set(ACTIVE).await, Some(ACTIVE));
    assert_eq!(status_of(&scene.store.catalog().await.expect("catalog"), "b"), ACTIVE);
}

#[tokio::test]
async fn a_tenant_that_leaves_the_file_takes_its_keys_and_destinations_with_it() {
    let scene = Scene::new().await;
    let mut smaller = declaration();
    smaller.tenants.remove(1);
    smaller.operator_keys.clear();
    let catalog = declared(&scene, smaller, 5).await;
    let globex = &catalog.tenants[1];
    assert!(!globex.declared && !globex.keys[0].declared && !catalog.operator_keys[0].declared);
    assert_eq!(status_of(&catalog, "x"), UNDECLARED);
    let catalog = declared(&scene, declaration(), 6).await;
    assert!(catalog.tenants[1].declared && catalog.tenants[1].keys[0].declared);
}

#[tokio::test]
async fn a_sealed_secret_replaces_one_of_the_same_name() {
    let scene = Scene::new().await;
    let put = async |text: &str, sealed: &'static [u8], ms| {
        scene.store.put_sealed(destination(1), name(text), Bytes::from_static(sealed), at(ms)).await.expect("put");
    };
    put("first", b"1", 1).await;
    put("second", b"2", 2).await;
    put("first", b"3", 3).await;
    let sealed = scene.store.sealed(destination(1)).await.expect("sealed");
    let is = |text, sealed: &'static [u8]| (name(text), Bytes::from_static(sealed));
    assert_eq!(sealed, [is("first", b"3"), is("second", b"2")], "newest first");
    assert!(scene.store.sealed(destination(2)).await.expect("sealed").is_empty());
    let nowhere = scene.store.put_sealed(destination(99), name("x"), Bytes::new(), at(1)).await;
    assert!(matches!(nowhere, Err(StoreError::Unknown { noun: "destination", .. })));
}
