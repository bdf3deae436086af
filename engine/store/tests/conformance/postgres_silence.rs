//! A server that still takes what it is sent and answers nothing, as behind a cut cable: nobody waits for ever, and what it stored
//! without saying so is found again.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use weft_store::work::{Finished, FirstWay, Ingested, KeepEvent, NewDelivery, PassEnd, PassKey};
use weft_store::{PostgresAt, Store, StoreAt, StoreError, StoreOptions};

use super::Scene;
use crate::engine::{Engine as _, OnPostgres};
use crate::scene::{at, declaration, delivery, event, finished, kept, waiting};

/// How long these stores wait for an answer: long for a server on this machine.
const ANSWER_WITHIN: Duration = Duration::from_millis(500);

/// After which a listener that has not come back never will: it tries every second.
const PATIENCE: Duration = Duration::from_secs(30);

/// Calls that a store may fail once its server answers again: its writers and its readers each have connections to replace.
const TRIES_MAX: u32 = 20;

/// What stands between a store and its server.
struct Cable {
    address: SocketAddr,
    /// Whether answers come through; what is sent always does.
    answers: watch::Sender<bool>,
}

impl Cable {
    async fn to(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its address");
        let (answers, come_through) = watch::channel(true);
        let server = server.to_owned();
        tokio::spawn(async move {
            while let Ok((store, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect(&server).await else { continue };
                let ((from_store, to_store), (from_server, to_server)) = (store.into_split(), server.into_split());
                let (_, always) = watch::channel(true);
                tokio::spawn(carry(from_store, to_server, always));
                tokio::spawn(carry(from_server, to_store, come_through.clone()));
            }
        });
        Self { address, answers }
    }

    fn is_cut(&self, is_cut: bool) {
        self.answers.send_replace(!is_cut);
    }
}

/// Carries what is read, while it is let through.
async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut open: watch::Receiver<bool>) {
    let mut bytes = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        // A channel whose sender is gone stays as it is.
        let is_open = *open.borrow() || open.wait_for(|is_open| *is_open).await.is_ok();
        if !is_open || to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}

/// A scene whose store is at the other end of a cable.
async fn scene() -> (Scene, Cable) {
    let engine = Arc::new(OnPostgres::fresh());
    let options = engine.options(at(0));
    let StoreAt::Postgres(PostgresAt { url, node }) = &options.at else { panic!("it is on Postgres") };
    let (_, behind) = url.split_once('@').expect("a user");
    let (server, _) = behind.split_once('/').expect("a database");
    let cable = Cable::to(server).await;
    let url = url.replace(server, &cable.address.to_string());
    let at_cable = StoreAt::Postgres(PostgresAt { url, node: node.clone() });
    let options = StoreOptions { at: at_cable, answer_within: ANSWER_WITHIN, ..options };
    let store = Store::open(&options).await.expect("the store opens");
    store.declare(declaration(), at(0)).await.expect("the catalog");
    (Scene { store, engine }, cable)
}

fn is_unavailable<T: std::fmt::Debug>(answer: Result<T, StoreError>) {
    let error = answer.expect_err("nobody answers");
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
}

/// Says that the engine is alive until both writers can.
async fn is_back(scene: &Scene) {
    let mut said = String::new();
    for _ in 0..TRIES_MAX {
        match scene.store.keep_alive(at(0)).await {
            Ok(()) => return,
            Err(error) => said = format!("{error:?}"),
        }
    }
    panic!("the store did not come back: {said}");
}

/// Events of which one goes on from memory as a pass and one as a delivery to `a`.
fn in_memory(scene: &Scene, n: u128) -> Vec<KeepEvent> {
    let lease = Some(scene.lease(at(0)));
    let planned = NewDelivery { lease, ..delivery(n, 1) };
    vec![kept(event(n), FirstWay::Routed(vec![planned])), kept(event(n + 1), FirstWay::Pass { lease })]
}

#[tokio::test]
async fn promise_2_events_that_a_silent_server_has_stored_are_worked_on_as_soon_as_it_answers() {
    let (scene, cable) = scene().await;
    // What has been prepared once is sent and stored without an answer in between.
    scene.keep(in_memory(&scene, 10)).await;
    cable.is_cut(true);
    is_unavailable(scene.store.keep(in_memory(&scene, 20), at(0)).await);
    assert_eq!(scene.rows(&["events"]).await, 4, "the server has it");
    cable.is_cut(false);
    is_back(&scene).await;
    let delivery = scene.claim(1, at(1)).await;
    assert_eq!(delivery.iter().map(|work| work.event).collect::<Vec<_>>(), [event(20).id], "nobody has it in memory");
    let pass = scene.claim_passes(9, at(1)).await;
    assert_eq!(pass.iter().map(|work| work.event.id).collect::<Vec<_>>(), [event(21).id]);
    assert_eq!(scene.keep(vec![waiting(30)]).await, [Ingested::New]);
    scene.is_sound().await;
}

#[tokio::test]
async fn promise_2_what_a_silent_server_has_not_been_told_to_commit_is_done_by_who_asks_again() {
    let (scene, cable) = scene().await;
    scene.keep(vec![waiting(10)]).await;
    let pass = scene.claim_passes(1, at(0)).await.remove(0);
    let planned = NewDelivery { lease: Some(scene.lease(at(0))), ..delivery(10, 1) };
    let routed = finished(&pass, PassEnd::Routed { bodies: Vec::new(), deliveries: vec![planned] }, at(0));
    cable.is_cut(true);
    is_unavailable(scene.store.finish_passes(vec![routed.clone()]).await);
    cable.is_cut(false);
    is_back(&scene).await;
    assert_eq!(scene.finish(routed).await, Finished::Done);
    assert!(scene.claim(1, at(0)).await.is_empty(), "it goes on from memory");
    scene.is_sound().await;
}

#[tokio::test]
async fn promise_2_what_cannot_be_given_back_while_the_server_is_silent_is_free_as_soon_as_it_answers() {
    let (scene, cable) = scene().await;
    let lease = scene.lease(at(0));
    scene.keep(in_memory(&scene, 10)).await;
    cable.is_cut(true);
    is_unavailable(scene.store.release_deliveries(vec![(delivery(10, 1).id, lease)]).await);
    let pass = PassKey { event: event(11).id, replay: None };
    is_unavailable(scene.store.release_passes(vec![(pass, lease)]).await);
    cable.is_cut(false);
    is_back(&scene).await;
    assert_eq!(scene.claim(1, at(1)).await.len(), 1, "nobody has it in memory");
    assert_eq!(scene.claim_passes(9, at(1)).await.len(), 1);
    scene.is_sound().await;
}

#[tokio::test]
async fn promise_2_after_a_silence_other_engines_are_heard_on_another_connection() {
    let (scene, cable) = scene().await;
    let mut wakes = scene.store.wakes();
    // Its own words say nothing to an engine, so this is the first look, which every connection begins with.
    wakes.changed().await.expect("it listens");
    cable.is_cut(true);
    is_unavailable(scene.store.keep_alive(at(0)).await);
    cable.is_cut(false);
    is_back(&scene).await;
    let heard = tokio::time::timeout(PATIENCE, wakes.changed()).await;
    heard.expect("it listens anew").expect("it listens");
}

#[tokio::test]
async fn promise_2_other_engines_are_heard_again_when_the_server_has_ended_that_connection() {
    let scene = Scene::new().await;
    let mut wakes = scene.store.wakes();
    wakes.changed().await.expect("it listens");
    let ended = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                 WHERE datname = current_database() AND query LIKE 'LISTEN%'";
    assert_eq!(scene.engine.ask(ended).await, "1");
    let heard = tokio::time::timeout(PATIENCE, wakes.changed()).await;
    heard.expect("it listens anew").expect("it listens");
}

#[tokio::test]
async fn promise_2_whoever_reads_from_a_silent_server_is_told_and_reads_again_when_it_answers() {
    let (scene, cable) = scene().await;
    scene.keep(vec![waiting(10)]).await;
    cable.is_cut(true);
    for _ in 0..3 {
        is_unavailable(scene.store.event(None, event(10).id).await);
    }
    is_unavailable(scene.store.keep_alive(at(0)).await);
    cable.is_cut(false);
    is_back(&scene).await;
    for _ in 0..TRIES_MAX {
        if scene.store.event(None, event(10).id).await.is_ok_and(|found| found.is_some()) {
            return scene.is_sound().await;
        }
    }
    panic!("it cannot be read");
}
