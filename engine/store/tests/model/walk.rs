//! A walk: one step after the other, each done by the store and by the model, and both compared.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use weft_core::destination::{DestinationStatus, DisabledReason};
use weft_core::id::{DeliveryId, EventId, TenantId};
use weft_core::kv::KvTouch;
use weft_core::time::Timestamp;
use weft_store::upkeep::Pruned;
use weft_store::work::{Lease, PassKey};
use weft_store::{Store, StoreError};

use crate::dice::Dice;
use crate::ground::Ground;
use crate::model::{Model, ModelStatus};
use crate::scenery::{BEGINNING, DESTINATIONS, Ids, LEASE, declaration, destination};

/// Steps between two looks at everything.
const EVERYTHING_EVERY: u64 = 250;

/// What was done last, for whoever reads about a failure.
const REMEMBERED: usize = 12;

/// Work that was handed out, as those who do it remember it: it may have been lost since.
const HANDS: usize = 60;

/// Calls that an engine may fail before it has found its server again: the first one meets the broken connection.
const TRIES_MAX: u32 = 5;

/// A pass in somebody's hands.
#[derive(Clone, Debug)]
pub(crate) struct HeldPass {
    pub(crate) key: PassKey,
    pub(crate) tenant: TenantId,
    pub(crate) number: u32,
    pub(crate) lease: Lease,
    pub(crate) began: Timestamp,
    /// What it has found under keys.
    pub(crate) kv: Vec<KvTouch>,
}

/// A delivery in somebody's hands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeldDelivery {
    pub(crate) id: DeliveryId,
    pub(crate) number: u32,
    pub(crate) lease: Lease,
}

pub(crate) struct Walk<G> {
    pub(crate) ground: G,
    /// The engine that is asked at present.
    pub(crate) store: Store,
    node: usize,
    /// The others, with their nodes.
    pub(crate) others: Vec<(usize, Store)>,
    pub(crate) model: Model,
    pub(crate) dice: Dice,
    pub(crate) ids: Ids,
    pub(crate) now: Timestamp,
    pub(crate) passes: VecDeque<HeldPass>,
    pub(crate) deliveries: VecDeque<HeldDelivery>,
    /// Events that this step has changed.
    pub(crate) touched: Vec<EventId>,
    /// When entries of plugins expire, all that there ever were.
    pub(crate) expiries: HashSet<Timestamp>,
    diary: Diary,
}

/// Says what led to a failure.
struct Diary {
    seed: u64,
    step: u64,
    last: VecDeque<String>,
}

impl Drop for Diary {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let last: Vec<_> = self.last.iter().map(String::as_str).collect();
            let (seed, step) = (self.seed, self.step);
            eprintln!(
                "WEFT_MODEL_SEED={seed} WEFT_MODEL_STEPS={} fails; the last steps:\n{}",
                step + 1,
                last.join("\n")
            );
        }
    }
}

impl<G: Ground> Walk<G> {
    pub(crate) async fn begin(seed: u64, ground: G) -> Self {
        println!("WEFT_MODEL_SEED={seed}");
        let now = Timestamp::from_ms(BEGINNING);
        let store = ground.open(0, now).await;
        store.declare(declaration(|_| true), now).await.expect("the catalog");
        let statuses = DESTINATIONS
            .map(|(n, ..)| (destination(n), ModelStatus { declared: true, disabled: None, paused: false }))
            .into();
        let mut others = Vec::new();
        for node in 1..ground.nodes() {
            others.push((node, ground.open(node, now).await));
        }
        let mut walk = Self {
            ground,
            store,
            node: 0,
            others,
            model: Model { statuses, ..Model::default() },
            dice: Dice::new(seed),
            ids: Ids::default(),
            now,
            passes: VecDeque::new(),
            deliveries: VecDeque::new(),
            touched: Vec::new(),
            expiries: HashSet::new(),
            diary: Diary { seed, step: 0, last: VecDeque::new() },
        };
        walk.model.start = walk.store.start_number();
        let starts: Vec<_> = walk.others.iter().map(|(_, store)| store.start_number()).collect();
        starts.into_iter().chain([walk.model.start]).for_each(|start| walk.heard_of(start));
        walk
    }

    /// Takes `steps` steps, and looks at everything now and then and at the end.
    pub(crate) async fn go(mut self, steps: u64) {
        for step in 0..steps {
            self.diary.step = step;
            self.pass_time();
            self.turn_to_another();
            self.step().await;
            self.compare_step().await;
            if step % EVERYTHING_EVERY == EVERYTHING_EVERY - 1 {
                self.compare_everything().await;
            }
        }
        self.compare_everything().await;
        self.store.close().await;
        for (_, store) in self.others {
            store.close().await;
        }
    }

    /// Half of the steps are another engine's, if there is one.
    fn turn_to_another(&mut self) {
        if self.others.is_empty() || self.dice.chance(50) {
            return;
        }
        let place = self.dice.place(self.others.len());
        let (node, store) = std::mem::replace(&mut self.others[place], (self.node, self.store.clone()));
        (self.node, self.store) = (node, store);
        self.model.start = self.store.start_number();
    }

    /// Writes down what is about to be done.
    pub(crate) fn note(&mut self, what: &str) {
        self.diary.last.push_back(format!(
            "step {} at +{} ms, start {}: {what}",
            self.diary.step,
            self.now.as_ms() - BEGINNING,
            self.model.start
        ));
        if self.diary.last.len() > REMEMBERED {
            self.diary.last.pop_front();
        }
    }

    pub(crate) fn lease(&mut self) -> Lease {
        // Two claims at one time by one start would have one name: a lease is told from another by its end.
        self.now = self.now.plus(Duration::from_millis(1));
        Lease { owner: self.store.start_number(), until: self.now.plus(LEASE) }
    }

    pub(crate) fn hold_pass(&mut self, held: HeldPass) {
        self.passes.push_back(held);
        if self.passes.len() > HANDS {
            self.passes.pop_front();
        }
    }

    pub(crate) fn hold_delivery(&mut self, held: HeldDelivery) {
        self.deliveries.push_back(held);
        if self.deliveries.len() > HANDS {
            self.deliveries.pop_front();
        }
    }

    /// Mostly moments pass, at times enough for leases to end, seldom enough for keys and lifetimes.
    fn pass_time(&mut self) {
        let longest = match self.dice.below(1000) {
            0..600 => 2_000,
            600..850 => 30_000,
            850..970 => 300_000,
            970..996 => 3_600_000,
            _ => 3 * 24 * 3_600_000,
        };
        self.now = self.now.plus(Duration::from_millis(self.dice.below(longest)));
    }

    async fn step(&mut self) {
        match self.dice.below(124) {
            0..18 => self.keep().await,
            18..30 => self.claim_passes().await,
            30..47 => self.finish_passes().await,
            47..62 => self.claim_deliveries().await,
            62..82 => self.record().await,
            82..85 => self.release_passes().await,
            85..88 => self.release_deliveries().await,
            88..90 => self.expire().await,
            90..94 => self.replay_deliveries().await,
            94..98 => self.replay_events().await,
            98..100 => self.change_status().await,
            100 => self.declare().await,
            101..104 => self.prune().await,
            104..106 => self.ask_for_the_unknown().await,
            106..108 => self.rivals().await,
            108 => self.restart().await,
            109 => self.die().await,
            110 => self.lose_connections().await,
            111 => self.move_elsewhere().await,
            112..121 => self.look_at_keys().await,
            _ => self.keep_alive().await,
        }
    }

    async fn restart(&mut self) {
        self.note("restart");
        self.store.close().await;
        self.store = self.ground.open(self.node, self.now).await;
        self.started();
    }

    async fn die(&mut self) {
        self.note("die");
        self.store = self.ground.die(&self.store, self.node, self.now).await;
        self.started();
    }

    /// Everything goes to another place, and the engines after it.
    async fn move_elsewhere(&mut self) {
        self.note("move");
        self.store.close().await;
        for (_, store) in &self.others {
            store.close().await;
        }
        self.ground.move_elsewhere(self.now).await;
        // Their starts are over, and what those have leased is void.
        self.model.alive.clear();
        for place in 0..self.others.len() {
            let store = self.ground.open(self.others[place].0, self.now).await;
            self.heard_of(store.start_number());
            self.others[place].1 = store;
        }
        self.store = self.ground.open(self.node, self.now).await;
        self.started();
    }

    fn started(&mut self) {
        assert!(self.store.start_number() > self.model.start, "starts are counted");
        self.model.alive.remove(&self.model.start);
        self.model.start = self.store.start_number();
        self.heard_of(self.model.start);
    }

    fn heard_of(&mut self, start: i64) {
        let until = G::ALIVE_FOR.map_or(Timestamp::from_ms(i64::MAX), |alive_for| self.now.plus(alive_for));
        self.model.alive.insert(start, until);
    }

    async fn keep_alive(&mut self) {
        self.note("keep alive");
        self.store.keep_alive(self.now).await.expect("a heartbeat");
        self.heard_of(self.model.start);
    }

    /// An engine whose connections are cut comes back by itself, with its node and its start.
    async fn lose_connections(&mut self) {
        self.note("lose all connections");
        if !self.ground.cut(self.node) {
            return;
        }
        // What names something unknown is refused only by a store that has been asked.
        let unknown = self.keep_for_nowhere();
        let asked = async || match self.store.keep(vec![unknown.clone()], self.now).await {
            Err(StoreError::Unknown { .. }) => Ok(()),
            other => Err(format!("{other:?}")),
        };
        comes_back(asked).await;
        let heard = async || self.store.keep_alive(self.now).await.map_err(|error| format!("{error:?}"));
        comes_back(heard).await;
        self.heard_of(self.model.start);
    }

    async fn change_status(&mut self) {
        let (n, ..) = DESTINATIONS[self.dice.place(DESTINATIONS.len())];
        let wanted = match self.dice.place(4) {
            0 => DestinationStatus::Active,
            1 => DestinationStatus::Paused,
            2 => DestinationStatus::Disabled(DisabledReason::Gone),
            _ => DestinationStatus::Disabled(DisabledReason::Operator),
        };
        self.note(&format!("set destination {n} to {wanted:?}"));
        let answer = self.store.set_destination_status(destination(n), wanted, self.now).await.expect("set");
        let status = self.model.statuses.get_mut(&destination(n)).expect("a destination of the scenery");
        match wanted {
            DestinationStatus::Disabled(reason) => status.disabled = Some(reason),
            DestinationStatus::Active | DestinationStatus::Paused => {
                (status.disabled, status.paused) = (None, wanted == DestinationStatus::Paused);
            }
        }
        assert_eq!(answer, Some(status.shown()), "the status of destination {n}");
        self.free_stopped();
    }

    /// Where there is one engine, it knows as soon as a destination is stopped that nobody will take what an earlier start had.
    fn free_stopped(&mut self) {
        if G::ALIVE_FOR.is_none() {
            self.model.free_stopped(self.now);
        }
    }

    async fn declare(&mut self) {
        let left_out = self.dice.chance(50).then(|| destination(DESTINATIONS[self.dice.place(4)].0));
        self.note(&format!("declare everything but {left_out:?}"));
        self.store.declare(declaration(|id| Some(id) != left_out), self.now).await.expect("declare");
        for (n, ..) in DESTINATIONS {
            let status = self.model.statuses.get_mut(&destination(n)).expect("a destination of the scenery");
            status.declared = Some(destination(n)) != left_out;
        }
        self.free_stopped();
    }

    /// Retention, one round or as many as it takes.
    async fn prune(&mut self) {
        let before = self.now.minus(Duration::from_secs(self.dice.below(7200)));
        let limit = if self.dice.chance(50) { 1000 } else { 1 + self.dice.below(5) as u32 };
        let rounds = if self.dice.chance(50) { 1 } else { u32::MAX };
        self.note(&format!("prune {rounds} rounds of {limit} before {before}"));
        let over = self.model.over(before);
        let (mut events, mut deliveries) = (0, 0);
        for _ in 0..rounds {
            let pruned = self.store.prune(before, limit, self.now).await.expect("prune");
            assert!(pruned.events <= u64::from(limit), "{pruned:?}");
            (events, deliveries) = (events + pruned.events, deliveries + pruned.deliveries);
            // A round that gives space back removes nothing at all.
            if pruned != (Pruned { more: pruned.more, ..Pruned::default() }) {
                assert_eq!(
                    pruned.kv,
                    self.model.forget(self.now, limit),
                    "entries that are gone, of those that had expired"
                );
            }
            if !pruned.more {
                break;
            }
        }
        let (events_before, deliveries_before) = (self.model.pruned_events, self.model.pruned_deliveries);
        for id in over {
            if self.store.event(None, id).await.expect("read").is_none() {
                self.model.prune(id);
            }
        }
        let gone = (self.model.pruned_events - events_before, self.model.pruned_deliveries - deliveries_before);
        assert_eq!((events, deliveries), gone, "events and deliveries that are gone, of those that were over");
    }
}

/// Asks an engine whose connections were cut until it answers well.
async fn comes_back(ask: impl AsyncFn() -> Result<(), String>) {
    let mut said = String::new();
    for _ in 0..TRIES_MAX {
        match ask().await {
            Ok(()) => return,
            Err(error) => said = error,
        }
    }
    panic!("the store did not come back: {said}");
}
