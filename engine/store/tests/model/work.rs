//! The steps that do work: events in, passes and attempts done, things given back, given up and done again.

use weft_core::attempt::Attempt;
use weft_core::decide::NextStep;
use weft_core::delivery::RequestParts;
use weft_core::id::{DeliveryId, DestinationId, EventId, ReplayId};
use weft_core::kv::KvTouch;
use weft_core::plan::BodyRef;
use weft_core::time::Timestamp;
use weft_core::trace::PassTrace;
use weft_store::StoreError;
use weft_store::history::{DeliveryState, EventState, PassRecord, PassResult};
use weft_store::replay::{NewDeliveryReplay, NewEventReplay, Replayed};
use weft_store::work::{
    Behind, Finished, FinishedAttempt, FinishedPass, FirstWay, Ingested, KeepEvent, LaneNews, Lease, NewDelivery,
    PassEnd, PassKey, Want,
};

use crate::ground::Ground;
use crate::lanes::BEHIND;
use crate::model::{Line, Model, ModelDelivery, ModelEvent, ModelReplay, Sending};
use crate::scenery::{self, DESTINATIONS, destination, tenant};
use crate::walk::{HeldDelivery, HeldPass, Walk};

impl<G: Ground> Walk<G> {
    pub(crate) async fn keep(&mut self) {
        let lease = self.lease();
        let mut events = Vec::new();
        for _ in 0..self.dice.between(1, 5) {
            let owner = u128::from(self.dice.between(1, 2));
            let new = scenery::event(&mut self.dice, &mut self.ids, owner, self.now);
            let way = match self.dice.below(10) {
                0..4 => FirstWay::Pass { lease: self.dice.chance(60).then_some(lease) },
                9 => FirstWay::NoDestination,
                _ => FirstWay::Routed(scenery::deliveries(&mut self.dice, &mut self.ids, owner, self.now, 0, lease)),
            };
            events.push(KeepEvent { new, way });
        }
        let keys: Vec<_> = events.iter().map(|it| it.new.dedupe.as_ref().map(|it| it.key.clone())).collect();
        self.note(&format!("keep {} events with keys {keys:?}", events.len()));
        let answers = self.store.keep(events.clone(), self.now).await.expect("keep");
        assert_eq!(answers.len(), events.len());
        for (keep, answer) in events.into_iter().zip(answers) {
            let dedupe = keep.new.dedupe.clone();
            let expected = match self.model.answer(&keep.new, self.now) {
                Ingested::New => self.kept(keep),
                known @ (Ingested::Behind(_) | Ingested::Duplicate(_) | Ingested::Conflict(_)) => known,
            };
            assert_eq!(answer, expected, "{dedupe:?}");
        }
    }

    fn kept(&mut self, keep: KeepEvent) -> Ingested {
        let event = keep.new.event;
        let id = event.id;
        self.touched.push(id);
        let place = event.ordering_key.is_some().then(|| self.model.place());
        if event.ordering_key.as_ref().is_some_and(|key| self.model.has_pass(event.tenant, key)) {
            let line = Line::Waiting { due: event.received_at, owner: BEHIND };
            self.model.events.push(ModelEvent { event, line, place, passes: Vec::new(), replayed_by: None });
            return Ingested::Behind(Behind::Pass);
        }
        let nobody = || Line::Dropped { at: self.now, step: None, reason: "no-destination".to_owned() };
        let line = match &keep.way {
            FirstWay::Pass { lease: None } => Line::Waiting { due: event.received_at, owner: 0 },
            FirstWay::Pass { lease: Some(lease) } => Line::Waiting { due: lease.until, owner: lease.owner },
            FirstWay::Routed(planned) if !planned.is_empty() => {
                Line::Routed { at: self.now, planned: u32::try_from(planned.len()).expect("few") }
            }
            FirstWay::Routed(_) | FirstWay::NoDestination => nobody(),
        };
        if let FirstWay::Pass { lease: Some(lease) } = keep.way {
            let key = PassKey { event: id, replay: None };
            self.hold_pass(HeldPass { key, tenant: event.tenant, number: 1, lease, began: self.now, kv: Vec::new() });
        }
        self.model.events.push(ModelEvent { event, line, place, passes: Vec::new(), replayed_by: None });
        let FirstWay::Routed(planned) = keep.way else { return Ingested::New };
        let behind = self.planned(PassKey { event: id, replay: None }, 0, &planned, &[]);
        if behind.is_empty() { Ingested::New } else { Ingested::Behind(Behind::Deliveries(behind)) }
    }

    /// Writes deliveries down that were made for an event or a replay, with the bodies that its pass made; answers those that wait behind
    /// others.
    fn planned(
        &mut self,
        key: PassKey,
        pass: u32,
        planned: &[NewDelivery],
        bodies: &[bytes::Bytes],
    ) -> Vec<DeliveryId> {
        let mut all_behind = Vec::new();
        let body = self.model.event(key.event).expect("its event").event.body.clone();
        let first = self.model.bodies_made;
        self.model.bodies_made += bodies.len() as u64;
        for new in planned {
            let (body, made) = match new.body {
                BodyRef::Event => (body.clone(), None),
                BodyRef::New(place) => (bodies[place].clone(), Some(first + place as u64)),
            };
            let order = new.ordering_key.as_ref();
            let is_behind = order.is_some_and(|key| self.model.has_delivery(new.destination, key));
            if is_behind {
                all_behind.push(new.id);
            }
            let sending = match new.lease {
                _ if is_behind => Sending::Pending { due: new.due_at, owner: BEHIND },
                Some(lease) => Sending::Pending { due: lease.until, owner: lease.owner },
                None => Sending::Pending { due: new.due_at, owner: 0 },
            };
            let place = order.map(|_| self.model.place());
            if let Some(lease) = new.lease.filter(|_| !is_behind) {
                self.hold_delivery(HeldDelivery { id: new.id, number: 1, lease });
            }
            self.model.deliveries.push(ModelDelivery {
                id: new.id,
                event: key.event,
                replay: key.replay,
                pass,
                output: new.output,
                destination: new.destination,
                body,
                made,
                request: new.request.clone(),
                ordering_key: new.ordering_key.clone(),
                place,
                planned_at: new.planned_at,
                ends_at: new.ends_at,
                sending,
                attempts: Vec::new(),
                replayed_by: None,
            });
        }
        all_behind
    }

    pub(crate) async fn claim_passes(&mut self) {
        let limit = if self.dice.chance(70) { self.dice.between(0, 4) as u32 } else { 100 };
        let lease = self.lease();
        self.note(&format!("claim {limit} passes until {}", lease.until));
        let claimable = self.model.claimable_passes(self.now);
        let works = self.store.claim_passes(limit, lease, self.now).await.expect("claim passes");
        assert_eq!(works.len(), claimable.len().min(limit as usize), "of {claimable:?}");
        let mut taken = Vec::new();
        for work in works {
            let key = PassKey { event: work.event.id, replay: work.replay };
            let (_, passes) = self.model.line(key).expect("a pass of the model");
            assert!(claimable.iter().any(|(it, ..)| *it == key), "{key:?} was nobody's to take");
            assert_eq!((work.number as usize, work.lease), (passes + 1, lease), "{key:?}");
            let event = &self.model.event(key.event).expect("its event").event;
            assert_eq!(format!("{:?}", work.event), format!("{event:?}"));
            self.touched.push(key.event);
            let (tenant, number, began) = (work.event.tenant, work.number, self.now);
            self.hold_pass(HeldPass { key, tenant, number, lease, began, kv: Vec::new() });
            let (line, _) = self.model.line_mut(key).expect("a pass of the model");
            *line = Line::Waiting { due: lease.until, owner: lease.owner };
            taken.push(key);
        }
        oldest_first(&claimable, &taken);
        self.freed_passes(&claimable).await;
    }

    /// What nobody works on may be free after a claim, if it was not taken.
    async fn freed_passes(&mut self, claimable: &[(PassKey, Timestamp, i64)]) {
        for (key, due, owner) in claimable.iter().filter(|(.., owner)| *owner != 0) {
            let (line, _) = self.model.line(*key).expect("a pass of the model");
            if *line != (Line::Waiting { due: *due, owner: *owner }) {
                continue;
            }
            let shown = self.store.event(None, key.event).await.expect("read").expect("it waits");
            let (since, shown) = match key.replay {
                None => (shown.received_at, shown.state),
                Some(id) => {
                    let replay = shown.replays.into_iter().find(|it| it.id == id).expect("it waits");
                    (replay.created_at, replay.state)
                }
            };
            if matches!(shown, EventState::Received { leased: false, .. }) {
                let (line, _) = self.model.line_mut(*key).expect("a pass of the model");
                *line = Line::Waiting { due: since, owner: 0 };
            }
            self.touched.push(key.event);
        }
    }

    /// Hands in passes, of which some come late, twice or under another lease.
    pub(crate) async fn finish_passes(&mut self) {
        let lease = self.lease();
        let mut finished = Vec::new();
        for _ in 0..self.dice.between(1, 4) {
            let Some(held) = self.some_pass() else { break };
            let owner = if held.tenant == tenant(1) { 1 } else { 2 };
            let end = scenery::end(&mut self.dice, &mut self.ids, owner, self.now, lease);
            let kv = self.touched_keys(&held).await;
            finished.push(self.finished(&held, kv, end));
        }
        let handed_in: Vec<_> = finished.iter().map(|it| (it.key, it.number, &it.kv, &it.end)).collect();
        self.note(&format!("finish {handed_in:?}"));
        let answers = self.store.finish_passes(finished.clone()).await.expect("finish");
        assert_eq!(answers.len(), finished.len());
        let mut seen = Vec::new();
        for (pass, answer) in finished.into_iter().zip(answers) {
            // The second of two in one commit comes late.
            let is_first = !seen.contains(&pass.key);
            seen.push(pass.key);
            assert_eq!(answer, self.finish_in_model(pass, is_first));
        }
    }

    fn finished(&mut self, held: &HeldPass, kv: Vec<KvTouch>, end: PassEnd) -> FinishedPass {
        FinishedPass {
            key: held.key,
            tenant: held.tenant,
            ordering_key: self.model.event(held.key.event).and_then(|it| it.event.ordering_key.clone()),
            number: held.number,
            lease: held.lease,
            started_at: held.began,
            ended_at: self.now,
            trace: PassTrace { steps: Vec::new(), notes: vec![format!("note {}", self.dice.below(100))] },
            kv,
            end,
        }
    }

    /// A pass that somebody believes to hold, at times with a mistake in it.
    fn some_pass(&mut self) -> Option<HeldPass> {
        if self.passes.is_empty() {
            return None;
        }
        let place = self.dice.place(self.passes.len());
        let keeps = self.dice.chance(20);
        let mut held = if keeps { self.passes.get(place).cloned() } else { self.passes.remove(place) }?;
        match self.dice.below(30) {
            0 => held.number += 1,
            1 => held.lease.until = held.lease.until.plus(std::time::Duration::from_millis(1)),
            2 => held.lease.owner += 1,
            _ => {}
        }
        Some(held)
    }

    fn finish_in_model(&mut self, pass: FinishedPass, is_first: bool) -> Finished {
        let replay = pass.key.replay;
        let Some((line, passes)) = self.model.line(pass.key) else { return Finished::LeaseLost };
        let Line::Waiting { due, owner } = *line else { return Finished::LeaseLost };
        if !is_first || !Model::holds(pass.lease, due, owner) || passes + 1 != pass.number as usize {
            return Finished::LeaseLost;
        }
        self.touched.push(pass.key.event);
        if !self.model.reading_holds(&pass) {
            self.model.put_back(pass.key);
            return Finished::Conflict;
        }
        self.model.leave(&pass);
        let at = pass.ended_at;
        let (new_line, result) = match &pass.end {
            PassEnd::Routed { deliveries, .. } if deliveries.is_empty() => {
                (Line::Dropped { at, step: None, reason: "no-destination".to_owned() }, PassResult::Dropped)
            }
            PassEnd::Routed { deliveries, .. } => {
                (Line::Routed { at, planned: u32::try_from(deliveries.len()).expect("few") }, PassResult::Routed)
            }
            PassEnd::Dropped { step, reason } => {
                (Line::Dropped { at, step: step.clone(), reason: reason.clone() }, PassResult::Dropped)
            }
            PassEnd::Dead { step, reason } => {
                (Line::Dead { at, step: step.clone(), reason: reason.clone() }, PassResult::Dead)
            }
            PassEnd::Retry { at } => (Line::Waiting { due: *at, owner: 0 }, PassResult::Retry),
        };
        let (line, passes) = self.model.line_mut(pass.key).expect("it waits");
        *line = new_line;
        let FinishedPass { key, tenant, ordering_key, number, started_at, ended_at, trace, end, .. } = pass;
        passes.push(PassRecord { replay, number, started_at, ended_at, result, trace });
        if let (PassResult::Dead, Some(replay)) = (result, replay) {
            let of = self.model.events.iter_mut().filter(|it| it.event.id == key.event);
            of.filter(|it| it.replayed_by == Some(replay)).for_each(|it| it.replayed_by = None);
        }
        let opened = match &ordering_key {
            Some(ordering_key) if result != PassResult::Retry => self.model.open_pass(tenant, ordering_key),
            _ => None,
        };
        let behind = match end {
            PassEnd::Routed { bodies, deliveries } => self.planned(key, number, &deliveries, &bodies),
            PassEnd::Dropped { .. } | PassEnd::Dead { .. } | PassEnd::Retry { .. } => Vec::new(),
        };
        news(LaneNews { opened, behind })
    }

    pub(crate) async fn claim_deliveries(&mut self) {
        let wants: Vec<_> = (0..self.dice.between(1, 5))
            .map(|_| Want {
                destination: destination(DESTINATIONS[self.dice.place(DESTINATIONS.len())].0),
                count: if self.dice.chance(70) { self.dice.between(0, 4) as u32 } else { 100 },
            })
            .collect();
        let lease = self.lease();
        self.note(&format!("claim {wants:?} until {}", lease.until));
        let claimable: Vec<_> = DESTINATIONS.map(|(n, ..)| self.model.claimable(destination(n), self.now)).into();
        let mut asked = false;
        let works = self.store.claim_deliveries(wants.clone(), lease, self.now).await.expect("claim deliveries");
        let mut taken = Vec::new();
        for work in works {
            let it = self.model.delivery(work.id).expect("a delivery of the model").clone();
            let event = self.model.event(it.event).expect("its event").event.clone();
            assert_eq!((work.event, work.tenant, work.destination), (it.event, event.tenant, it.destination));
            assert_eq!((work.output, &work.request, &work.body), (it.output, &it.request, &it.body), "{}", it.id);
            assert_eq!(work.ordering_key, it.ordering_key);
            let event_type = it.request.event_type.clone().unwrap_or_else(|| event.event_type.as_str().to_owned());
            let content_type = it.request.content_type.clone().unwrap_or_else(|| event.content_type.clone());
            assert_eq!((&work.event_type, &work.content_type), (&event_type, &content_type));
            assert_eq!((work.number as usize, work.ends_at, work.lease), (it.attempts.len() + 1, it.ends_at, lease));
            taken.push((work.destination, work.id));
            self.touched.push(it.event);
            self.hold_delivery(HeldDelivery { id: work.id, number: work.number, lease });
            let it = self.model.delivery_mut(work.id).expect("a delivery of the model");
            it.sending = Sending::Pending { due: lease.until, owner: lease.owner };
        }
        let all = claimable.iter().flatten();
        for ((n, ..), claimable) in DESTINATIONS.into_iter().zip(&claimable) {
            let of = |id: DestinationId| id == destination(n);
            let wanted: usize = wants.iter().filter(|it| of(it.destination)).map(|it| it.count as usize).sum();
            asked |= wanted > 0 && !claimable.is_empty();
            let taken: Vec<_> = taken.iter().filter(|(to, _)| of(*to)).map(|(_, id)| *id).collect();
            // What others have left may have to be freed first, and as much of it as is asked for is: of any destination.
            let free = claimable.iter().filter(|(.., owner)| *owner == 0).count();
            let others = all.clone().filter(|(id, _, owner)| *owner != 0 && !claimable.iter().any(|(it, ..)| it == id));
            let sure = if others.count() == 0 { claimable.len() } else { free };
            let range = sure.min(wanted)..=claimable.len().min(wanted);
            assert!(range.contains(&taken.len()), "{taken:?} for destination {n}, of {claimable:?}");
            assert!(taken.iter().all(|id| claimable.iter().any(|(it, ..)| it == id)), "{taken:?} of {claimable:?}");
            oldest_first(claimable, &taken);
        }
        let all: Vec<_> = all.copied().collect();
        let freed = self.freed_deliveries(&all).await;
        assert!(!asked || freed + taken.len() > 0, "of {all:?} nothing was taken, nor freed for the next to take");
    }

    /// What nobody works on may be free after a claim, if it was not taken; answers how much of it is.
    async fn freed_deliveries(&mut self, claimable: &[(DeliveryId, Timestamp, i64)]) -> usize {
        let mut freed = 0;
        for (id, due, owner) in claimable.iter().filter(|(.., owner)| *owner != 0) {
            let it = self.model.delivery(*id).expect("a delivery of the model");
            if it.sending != (Sending::Pending { due: *due, owner: *owner }) {
                continue;
            }
            let (event, planned_at) = (it.event, it.planned_at);
            let record = self.store.event(None, event).await.expect("read").expect("it waits");
            let shown = record.deliveries.into_iter().find(|it| it.id == *id).expect("it waits").state;
            if matches!(shown, DeliveryState::Pending { leased: false, .. }) {
                let it = self.model.delivery_mut(*id).expect("a delivery of the model");
                it.sending = Sending::Pending { due: planned_at, owner: 0 };
                freed += 1;
            }
            self.touched.push(event);
        }
        freed
    }

    /// Hands in attempts, of which some come late, twice or under another lease.
    pub(crate) async fn record(&mut self) {
        let mut attempts = Vec::new();
        for _ in 0..self.dice.between(1, 6) {
            let Some(held) = self.some_delivery() else { break };
            let (attempt, next) = scenery::attempt(&mut self.dice, held.number, self.now);
            attempts.push(self.made(held, attempt, next));
        }
        self.note(&format!("record {:?}", attempts.iter().map(|it| (it.delivery, &it.next)).collect::<Vec<_>>()));
        let answers = self.store.record(attempts.clone()).await.expect("record");
        assert_eq!(answers.len(), attempts.len());
        let mut seen = Vec::new();
        for (made, answer) in attempts.into_iter().zip(answers) {
            let is_first = !seen.contains(&made.delivery);
            seen.push(made.delivery);
            assert_eq!(answer, self.record_in_model(made, is_first));
        }
    }

    fn made(&self, held: HeldDelivery, attempt: Attempt, next: NextStep) -> FinishedAttempt {
        // What has been pruned was sent to anywhere.
        let (destination, ordering_key) = match self.model.delivery(held.id) {
            Some(it) => (it.destination, it.ordering_key.clone()),
            None => (destination(1), None),
        };
        FinishedAttempt { delivery: held.id, destination, ordering_key, lease: held.lease, attempt, next }
    }

    fn some_delivery(&mut self) -> Option<HeldDelivery> {
        if self.deliveries.is_empty() {
            return None;
        }
        let place = self.dice.place(self.deliveries.len());
        let keeps = self.dice.chance(20);
        let mut held = if keeps { self.deliveries.get(place).copied() } else { self.deliveries.remove(place) }?;
        match self.dice.below(30) {
            0 => held.number += 1,
            1 => held.lease.until = held.lease.until.plus(std::time::Duration::from_millis(1)),
            2 => held.lease.owner += 1,
            _ => {}
        }
        Some(held)
    }

    fn record_in_model(&mut self, made: FinishedAttempt, is_first: bool) -> Finished {
        let Some(it) = self.model.delivery_mut(made.delivery) else { return Finished::LeaseLost };
        let Sending::Pending { due, owner } = it.sending else { return Finished::LeaseLost };
        if !is_first || !Model::holds(made.lease, due, owner) || it.attempts.len() + 1 != made.attempt.number as usize {
            return Finished::LeaseLost;
        }
        let mut attempt = made.attempt;
        let at = attempt.started_at.plus(attempt.took);
        it.sending = match made.next {
            NextStep::Delivered => {
                // What came back is kept for failures.
                attempt.response = None;
                Sending::Delivered { at }
            }
            NextStep::Retry(due) => Sending::Pending { due, owner: 0 },
            NextStep::Dead(why) => Sending::Dead { at, reason: why.as_str() },
        };
        it.attempts.push(attempt);
        let event = it.event;
        let is_over = !matches!(it.sending, Sending::Pending { .. });
        self.touched.push(event);
        let opened = made.ordering_key.filter(|_| is_over).and_then(|key| {
            let opened = self.model.open_delivery(made.destination, &key);
            self.touched.extend(
                self.model.deliveries.iter().filter(|it| it.ordering_key.as_ref() == Some(&key)).map(|it| it.event),
            );
            opened
        });
        news(LaneNews { opened, behind: Vec::new() })
    }

    pub(crate) async fn release_passes(&mut self) {
        let given: Vec<(PassKey, Lease)> =
            (0..self.dice.between(1, 3)).filter_map(|_| self.some_pass()).map(|it| (it.key, it.lease)).collect();
        self.note(&format!("release {given:?}"));
        self.store.release_passes(given.clone()).await.expect("release");
        for (key, lease) in given {
            self.touched.push(key.event);
            let Some((line, _)) = self.model.line(key) else { continue };
            match *line {
                Line::Waiting { due, owner } if Model::holds(lease, due, owner) => self.model.put_back(key),
                Line::Waiting { .. } | Line::Routed { .. } | Line::Dropped { .. } | Line::Dead { .. } => {}
            }
        }
    }

    pub(crate) async fn release_deliveries(&mut self) {
        let given: Vec<(DeliveryId, Lease)> =
            (0..self.dice.between(1, 3)).filter_map(|_| self.some_delivery()).map(|it| (it.id, it.lease)).collect();
        self.note(&format!("release {given:?}"));
        self.store.release_deliveries(given.clone()).await.expect("release");
        for (id, lease) in given {
            let Some(it) = self.model.delivery_mut(id) else { continue };
            match it.sending {
                Sending::Pending { due, owner } if Model::holds(lease, due, owner) => {
                    it.sending = Sending::Pending { due: it.planned_at, owner: 0 };
                }
                Sending::Pending { .. } | Sending::Delivered { .. } | Sending::Dead { .. } => {}
            }
            let event = it.event;
            self.touched.push(event);
        }
    }

    pub(crate) async fn expire(&mut self) {
        let limit = if self.dice.chance(70) { 1000 } else { 1 };
        self.note(&format!("expire {limit}"));
        let over = self.model.expired(self.now);
        let count = self.store.expire_deliveries(limit, self.now).await.expect("expire");
        assert_eq!(count as usize, over.len().min(limit as usize), "of {over:?}");
        let mut ended = 0;
        for id in over.clone() {
            let it = self.model.delivery_mut(id).expect("it waited");
            let event = it.event;
            let record = self.store.event(None, event).await.expect("read").expect("it is there");
            let shown = record.deliveries.into_iter().find(|it| it.id == id).expect("it is there").state;
            if matches!(shown, DeliveryState::Dead { .. }) {
                it.sending = Sending::Dead { at: self.now, reason: "lifetime" };
                ended += 1;
            }
            self.touched.push(event);
        }
        assert_eq!(ended, count, "what has ended is what was counted");
        for id in over {
            self.open_lane_of(id);
        }
    }

    /// Opens what is first in the lane of a delivery that has ended or has just come.
    fn open_lane_of(&mut self, id: DeliveryId) {
        let it = self.model.delivery(id).expect("a delivery of the model");
        let (to, key) = (it.destination, it.ordering_key.clone());
        if let Some(key) = key {
            self.model.open_delivery(to, &key);
        }
    }

    pub(crate) async fn replay_deliveries(&mut self) {
        let mut replays = Vec::new();
        for _ in 0..self.dice.between(1, 3) {
            let dead: Vec<_> =
                self.model.deliveries.iter().filter(|it| matches!(it.sending, Sending::Dead { .. })).collect();
            let of_all = || self.model.deliveries.len().checked_sub(1).map(|_| &self.model.deliveries[..]);
            let wanted = match (self.dice.chance(80), of_all()) {
                (true, _) => self.dice.one(&dead).map(|it| it.id),
                (false, Some(all)) => self.dice.one(all).map(|it| it.id),
                (false, None) => None,
            };
            let strange = DeliveryId::from_uuid(self.ids.fresh(self.now));
            replays.push(NewDeliveryReplay {
                replay: ReplayId::from_uuid(self.ids.fresh(self.now)),
                delivery: wanted.unwrap_or(strange),
                new_delivery: DeliveryId::from_uuid(self.ids.fresh(self.now)),
                tenant: self.dice.chance(50).then(|| tenant(u128::from(self.dice.between(1, 2)))),
                planned_at: self.now,
            });
        }
        self.note(&format!("replay {:?}", replays.iter().map(|it| it.delivery).collect::<Vec<_>>()));
        let answers = self.store.replay_deliveries(replays.clone()).await.expect("replay");
        for (new, answer) in replays.into_iter().zip(answers) {
            assert_eq!(answer, self.replay_delivery_in_model(&new), "{new:?}");
        }
    }

    fn replay_delivery_in_model(&mut self, new: &NewDeliveryReplay) -> Replayed {
        let Some(dead) = self.model.delivery(new.delivery).cloned() else { return Replayed::NotFound };
        let owner = self.model.event(dead.event).expect("its event").event.tenant;
        if new.tenant.is_some_and(|tenant| tenant != owner) {
            return Replayed::NotFound;
        }
        match (&dead.sending, dead.replayed_by) {
            (Sending::Pending { .. }, _) => return Replayed::NotDead { state: "pending".to_owned() },
            (Sending::Delivered { .. }, _) => return Replayed::NotDead { state: "delivered".to_owned() },
            (Sending::Dead { .. }, Some(earlier)) => return Replayed::AlreadyReplayed(earlier),
            (Sending::Dead { .. }, None) => {}
        }
        let event = dead.event;
        self.touched.push(event);
        self.model.delivery_mut(new.delivery).expect("it is there").replayed_by = Some(new.replay);
        self.model.replays.push(ModelReplay {
            id: new.replay,
            event,
            delivery: Some(new.delivery),
            created_at: new.planned_at,
            line: Line::Routed { at: new.planned_at, planned: 1 },
            place: None,
            passes: Vec::new(),
        });
        let place = dead.ordering_key.is_some().then(|| self.model.place());
        let owner = if place.is_some() { BEHIND } else { 0 };
        self.model.deliveries.push(ModelDelivery {
            id: new.new_delivery,
            replay: Some(new.replay),
            pass: 0,
            planned_at: new.planned_at,
            ends_at: new.planned_at.plus(dead.ends_at.since(dead.planned_at)),
            sending: Sending::Pending { due: new.planned_at, owner },
            place,
            attempts: Vec::new(),
            replayed_by: None,
            ..dead
        });
        self.open_lane_of(new.new_delivery);
        Replayed::Started
    }

    pub(crate) async fn replay_events(&mut self) {
        let mut replays = Vec::new();
        for _ in 0..self.dice.between(1, 3) {
            let dead: Vec<_> = self.model.events.iter().filter(|it| matches!(it.line, Line::Dead { .. })).collect();
            let wanted = match self.dice.chance(80) {
                true => self.dice.one(&dead).map(|it| it.event.id),
                false => self.dice.one(&self.model.events).map(|it| it.event.id),
            };
            let strange = EventId::from_uuid(self.ids.fresh(self.now));
            replays.push(NewEventReplay {
                replay: ReplayId::from_uuid(self.ids.fresh(self.now)),
                event: wanted.unwrap_or(strange),
                tenant: self.dice.chance(50).then(|| tenant(u128::from(self.dice.between(1, 2)))),
            });
        }
        self.note(&format!("replay {:?}", replays.iter().map(|it| it.event).collect::<Vec<_>>()));
        let answers = self.store.replay_events(replays.clone(), self.now).await.expect("replay");
        for (new, answer) in replays.into_iter().zip(answers) {
            assert_eq!(answer, self.replay_event_in_model(&new), "{new:?}");
        }
    }

    fn replay_event_in_model(&mut self, new: &NewEventReplay) -> Replayed {
        let now = self.now;
        let Some(it) = self.model.events.iter_mut().find(|it| it.event.id == new.event) else {
            return Replayed::NotFound;
        };
        if new.tenant.is_some_and(|tenant| tenant != it.event.tenant) {
            return Replayed::NotFound;
        }
        match (&it.line, it.replayed_by) {
            (Line::Dead { .. }, Some(earlier)) => return Replayed::AlreadyReplayed(earlier),
            (Line::Dead { .. }, None) => {}
            (other, _) => return Replayed::NotDead { state: other.word().to_owned() },
        }
        it.replayed_by = Some(new.replay);
        let (event, tenant, key) = (it.event.id, it.event.tenant, it.event.ordering_key.clone());
        self.touched.push(event);
        let place = key.is_some().then(|| self.model.place());
        let line = Line::Waiting { due: now, owner: if place.is_some() { BEHIND } else { 0 } };
        let passes = Vec::new();
        let replay = ModelReplay { id: new.replay, event, delivery: None, created_at: now, line, place, passes };
        self.model.replays.push(replay);
        if let Some(key) = key {
            self.model.open_pass(tenant, &key);
        }
        Replayed::Started
    }

    /// Two who hold the same lease hand in at the same time: one of them is late.
    pub(crate) async fn rivals(&mut self) {
        let Some(held) = self.some_delivery() else { return };
        let (attempt, next) = scenery::attempt(&mut self.dice, held.number, self.now);
        let made = self.made(held, attempt, next);
        self.note(&format!("two record {} at once", held.id));
        let another = self.others.first().map_or(&self.store, |(_, store)| store);
        let (first, second) = tokio::join!(self.store.record(vec![made.clone()]), another.record(vec![made.clone()]));
        let answers = [first.expect("record").remove(0), second.expect("record").remove(0)];
        let expected = self.record_in_model(made, true);
        let done: Vec<_> = answers.iter().filter(|it| it.is_done()).collect();
        assert_eq!(done, Vec::from_iter(Some(&expected).filter(|it| it.is_done())), "{answers:?}");
    }

    /// What names something that does not exist is refused whole.
    pub(crate) async fn ask_for_the_unknown(&mut self) {
        self.note("ask for the unknown");
        let lease = self.lease();
        let mut events: Vec<KeepEvent> = Vec::new();
        for owner in [1, 2] {
            let new = scenery::event(&mut self.dice, &mut self.ids, owner, self.now);
            let planned = scenery::deliveries(&mut self.dice, &mut self.ids, owner, self.now, 0, lease);
            events.push(KeepEvent { new, way: FirstWay::Routed(planned) });
        }
        let stranger = self.keep_for_nowhere();
        events.push(stranger);
        let refused = self.store.keep(events.clone(), self.now).await;
        assert!(matches!(refused, Err(StoreError::Unknown { noun: "destination", .. })), "{refused:?}");
        for keep in events {
            let read = self.store.event(None, keep.new.event.id).await.expect("read");
            assert!(read.is_none(), "nothing of it is stored, and no key is remembered");
        }
        let nowhere = DestinationId::from_uuid(self.ids.fresh(self.now));
        let wants = vec![Want { destination: nowhere, count: 1 }];
        let refused = self.store.claim_deliveries(wants, lease, self.now).await;
        assert!(matches!(refused, Err(StoreError::Unknown { .. })), "{refused:?}");
    }
}

impl<G: Ground> Walk<G> {
    /// An event with a delivery to a destination that there is not.
    pub(crate) fn keep_for_nowhere(&mut self) -> KeepEvent {
        let new = scenery::event(&mut self.dice, &mut self.ids, 1, self.now);
        let nowhere = DestinationId::from_uuid(self.ids.fresh(self.now));
        let planned = NewDelivery {
            id: DeliveryId::from_uuid(self.ids.fresh(self.now)),
            destination: nowhere,
            output: 0,
            body: BodyRef::Event,
            request: RequestParts::default(),
            ordering_key: None,
            planned_at: self.now,
            due_at: self.now,
            ends_at: self.now,
            lease: None,
        };
        KeepEvent { new, way: FirstWay::Routed(vec![planned]) }
    }
}

/// What a change of state answers that has done this to lanes.
fn news(news: LaneNews) -> Finished {
    if news == LaneNews::default() { Finished::Done } else { Finished::DoneInLane(news) }
}

/// Of free rows, those that were due first are taken first.
fn oldest_first<K: PartialEq + std::fmt::Debug>(claimable: &[(K, Timestamp, i64)], taken: &[K]) {
    let free = claimable.iter().filter(|(_, _, owner)| *owner == 0);
    let (took, left): (Vec<_>, Vec<_>) = free.partition(|(key, ..)| taken.contains(key));
    let (last, first) = (took.iter().map(|it| it.1).max(), left.iter().map(|it| it.1).min());
    if let (Some(last), Some(first)) = (last, first) {
        assert!(last <= first, "one due at {last} was taken before one due at {first}");
    }
}
