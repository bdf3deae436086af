//! Versions of plugins: which is active, who may change it, and the way back.

use bytes::Bytes;
use weft_core::contract::Role;
use weft_core::digest::Digest;
use weft_core::id::PluginId;
use weft_store::StoreError;
use weft_store::plugin::{
    Activated, ActivatedBy, Activation, NewPlugin, NewRefusal, NewVersion, PluginMode, RolledBack, VersionState,
};

use super::Scene;
use crate::scene::{at, tenant, uuid};

fn plugin() -> PluginId {
    PluginId::from_uuid(uuid(500))
}

fn digest(text: &str) -> Digest {
    Digest::of(text.as_bytes())
}

fn file() -> ActivatedBy {
    ActivatedBy::File { folder: "plugins".to_owned(), name: "filter.wasm".to_owned() }
}

/// A scene with one plugin of the operator and the versions `a`, `b`, `c`, none active.
async fn scene() -> Scene {
    let scene = Scene::new().await;
    let new = NewPlugin { fresh: plugin(), tenant: None, name: "filter".parse().expect("a name") };
    scene.store.plugin(new, at(0)).await.expect("plugin");
    for text in ["a", "b", "c"] {
        let component = Bytes::copy_from_slice(text.as_bytes());
        let roles = vec![Role::Filter, Role::Route];
        let version = NewVersion { plugin: plugin(), digest: digest(text), component, roles };
        scene.store.save_version(version, at(1)).await.expect("save");
    }
    scene
}

async fn active(scene: &Scene) -> Option<Digest> {
    scene.store.plugins().await.expect("plugins")[0].active
}

/// Asks for a version, with the right belief about the active one.
async fn activate(scene: &Scene, text: &str, by: ActivatedBy) -> Activated {
    let expected = active(scene).await;
    let activation = Activation { plugin: plugin(), digest: digest(text), by, expected, mode: None };
    scene.store.activate(activation, at(2)).await.expect("activate")
}

fn done(previous: Option<&str>) -> Activated {
    Activated::Done { previous: previous.map(digest) }
}

#[tokio::test]
async fn a_plugin_is_found_by_owner_and_name_and_made_once() {
    let scene = scene().await;
    let new = |tenant, fresh| NewPlugin {
        fresh: PluginId::from_uuid(uuid(fresh)),
        tenant,
        name: "filter".parse().expect("a name"),
    };
    let again = scene.store.plugin(new(None, 501), at(0)).await.expect("plugin");
    assert_eq!((again.id, again.mode, again.active), (plugin(), PluginMode::Following, None));
    let own = scene.store.plugin(new(Some(tenant(1)), 502), at(0)).await.expect("plugin");
    assert_eq!((own.id, own.tenant), (PluginId::from_uuid(uuid(502)), Some(tenant(1))));
    let owners: Vec<_> = scene.store.plugins().await.expect("plugins").iter().map(|it| it.tenant).collect();
    assert_eq!(owners, [None, Some(tenant(1))]);
    let nobody = scene.store.plugin(new(Some(tenant(9)), 503), at(0)).await;
    assert!(matches!(nobody, Err(StoreError::Unknown { noun: "tenant", .. })));
}

#[tokio::test]
async fn promise_6_a_refused_version_is_never_active_and_its_reason_is_kept() {
    let scene = scene().await;
    let refusal = |text: &str, reason: &str| NewRefusal {
        plugin: plugin(),
        digest: digest(text),
        component_bytes: 7,
        reason: reason.to_owned(),
    };
    scene.store.save_refusal(refusal("bad", "no export"), at(1)).await.expect("refusal");
    scene.store.save_refusal(refusal("bad", "not a component"), at(2)).await.expect("refusal");
    scene.store.save_refusal(refusal("a", "late"), at(2)).await.expect("refusal");
    assert_eq!(activate(&scene, "bad", ActivatedBy::Person).await, Activated::NotReady);
    assert_eq!(activate(&scene, "never seen", file()).await, Activated::NotReady);
    let versions = scene.store.versions(plugin()).await.expect("versions");
    let refused = VersionState::Refused { reason: "not a component".to_owned() };
    assert_eq!((versions[0].digest, &versions[0].state, versions[0].component_bytes), (digest("bad"), &refused, 7));
    let ready = VersionState::Ready { roles: vec![Role::Filter, Role::Route] };
    assert!(versions[1..].iter().all(|it| it.state == ready), "what is ready stays so");
    assert_eq!(scene.store.component(digest("a")).await.expect("component"), Some(Bytes::from_static(b"a")));
    assert_eq!(scene.store.component(digest("bad")).await.expect("component"), None);
}

#[tokio::test]
async fn promise_6_a_changed_file_is_activated_and_an_unchanged_one_is_not() {
    let scene = scene().await;
    assert_eq!(activate(&scene, "a", file()).await, done(None));
    assert_eq!(activate(&scene, "a", file()).await, Activated::Unchanged);
    assert_eq!(activate(&scene, "b", ActivatedBy::Person).await, done(Some("a")));
    assert_eq!(activate(&scene, "a", file()).await, Activated::FileUnchanged, "a file only proposes a digest");
    assert_eq!(activate(&scene, "c", file()).await, done(Some("b")));
    let files = scene.store.plugin_files().await.expect("files");
    assert_eq!(files.iter().map(|it| (it.plugin, it.activated)).collect::<Vec<_>>(), [(plugin(), digest("c"))]);
}

#[tokio::test]
async fn promise_6_going_back_is_one_call_and_stays_back() {
    let scene = scene().await;
    for text in ["a", "b", "c"] {
        activate(&scene, text, file()).await;
    }
    let back = async || scene.store.rollback(plugin(), at(3)).await.expect("rollback");
    assert_eq!(back().await, RolledBack::Done { from: digest("c"), to: digest("b") });
    assert_eq!(active(&scene).await, Some(digest("b")));
    assert_eq!(activate(&scene, "c", file()).await, Activated::FileUnchanged);
    let other_file = ActivatedBy::File { folder: "plugins".to_owned(), name: "copy.wasm".to_owned() };
    assert_eq!(activate(&scene, "c", other_file).await, Activated::RolledBack);
    assert_eq!(back().await, RolledBack::Done { from: digest("b"), to: digest("a") }, "further back, not to and fro");
    assert_eq!(back().await, RolledBack::NothingBefore);
    assert_eq!(activate(&scene, "c", ActivatedBy::Person).await, done(Some("a")), "a person may");
    let versions = scene.store.versions(plugin()).await.expect("versions");
    let marked: Vec<_> = versions.iter().filter(|it| it.rolled_back).map(|it| it.digest).collect();
    assert_eq!(marked, [digest("b")], "a person lifts the mark");
    let history = scene.store.activations(plugin(), 3).await.expect("history");
    let history: Vec<_> = history.into_iter().map(|it| (it.digest, it.previous, it.by)).collect();
    let entry = |digest_of: &str, previous: &str, by| (digest(digest_of), Some(digest(previous)), by);
    let wanted = [
        entry("c", "a", ActivatedBy::Person),
        entry("a", "b", ActivatedBy::Rollback),
        entry("b", "c", ActivatedBy::Rollback),
    ];
    assert_eq!(history, wanted);
}

#[tokio::test]
async fn a_pinned_plugin_does_not_follow_its_file() {
    let scene = scene().await;
    let pin = |text: &str, mode, expected| Activation {
        plugin: plugin(),
        digest: digest(text),
        by: ActivatedBy::Person,
        expected,
        mode: Some(mode),
    };
    scene.store.activate(pin("a", PluginMode::Pinned, None), at(2)).await.expect("activate");
    assert_eq!(activate(&scene, "b", file()).await, Activated::Pinned);
    let unpin = pin("a", PluginMode::Following, Some(digest("a")));
    assert_eq!(scene.store.activate(unpin, at(2)).await.expect("activate"), Activated::Unchanged);
    assert_eq!(activate(&scene, "b", file()).await, done(Some("a")));
}

#[tokio::test]
async fn of_two_that_change_the_active_version_at_once_the_second_is_told() {
    let scene = scene().await;
    let wish = |text: &str| Activation {
        plugin: plugin(),
        digest: digest(text),
        by: ActivatedBy::Person,
        expected: None,
        mode: None,
    };
    let (first, second) = tokio::join!(scene.store.activate(wish("a"), at(2)), scene.store.activate(wish("b"), at(2)));
    assert_eq!(first.expect("activate"), done(None));
    assert_eq!(second.expect("activate"), Activated::Changed { active: Some(digest("a")) });
}

#[tokio::test]
async fn a_plugin_that_is_not_there_is_named() {
    let scene = Scene::new().await;
    let error = scene.store.rollback(plugin(), at(0)).await.expect_err("no such plugin");
    assert_eq!(error.to_string(), format!("the store has no plugin {}", plugin()));
    let version = NewVersion { plugin: plugin(), digest: digest("a"), component: Bytes::new(), roles: Vec::new() };
    assert!(scene.store.save_version(version, at(0)).await.is_err());
    assert!(scene.store.versions(plugin()).await.expect("versions").is_empty());
}
