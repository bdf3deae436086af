//! Every named point lies where its name says: on the way of its operation, around the commit.

use std::sync::{Arc, Mutex};

use fail::FailScenario;
use uuid::Uuid;
use weft_core::id::PluginId;
use weft_core::time::Timestamp;
use weft_store::plugin::NewPlugin;
use weft_store::work::Lease;
use weft_store::{FAILPOINTS, Store, StoreOptions};

const NOW: Timestamp = Timestamp::from_ms(1_760_000_000_000);

#[tokio::test(flavor = "multi_thread")]
async fn promise_1_every_point_is_reached_before_and_after_its_commit() {
    let scenario = FailScenario::setup();
    let reached = Arc::new(Mutex::new(Vec::new()));
    for name in FAILPOINTS {
        let reached = Arc::clone(&reached);
        fail::cfg_callback(*name, move || reached.lock().expect("no panic holds it").push(*name)).expect("a point");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::open(&StoreOptions::new(folder.path().join("weft.db"), NOW)).await.expect("the store opens");
    let lease = Lease { owner: store.start_number(), until: NOW };
    let plugin = NewPlugin {
        fresh: PluginId::from_uuid(Uuid::from_u128(1)),
        tenant: None,
        name: "filter".parse().expect("a name"),
    };
    store.keep(Vec::new(), NOW).await.expect("keep");
    store.claim_passes(1, lease, NOW).await.expect("claim passes");
    store.finish_passes(Vec::new()).await.expect("finish passes");
    store.claim_deliveries(Vec::new(), lease, NOW).await.expect("claim deliveries");
    store.record(Vec::new()).await.expect("record");
    store.release_deliveries(Vec::new()).await.expect("release");
    store.plugin(plugin, NOW).await.expect("plugin");
    store.close().await;
    assert_eq!(*reached.lock().expect("no panic holds it"), FAILPOINTS);
    scenario.teardown();
}
