//! `POST /v1/dead-letters/replay`: asks for what is dead to be done again.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::Request;
use weft_client::wire::{DeadLetterFilter, ReplayReport, ReplayRequest, ReplayResult, ReplayVerdict};
use weft_core::id::ReplayId;
use weft_store::dead_letter::DeadLetter;
use weft_store::replay::{NewDeliveryReplay, NewEventReplay, Replayed};

use super::access::Access;
use super::events::{Subject, read_id};
use super::refusal::{INVALID_BODY, Refusal};
use super::{Records, SharedState, body, dead_letters, page};

/// Most ids of one request.
const IDS_MAX: usize = 1_000;
/// Most dead letters that one request with `all` takes; its answer says where to go on.
const LETTERS_MAX: u64 = 10_000;
/// Dead letters that are read, and replayed in one commit, at once.
const LETTERS_PER_COMMIT: u32 = 500;

/// Starts replays, or counts what would be replayed.
pub(super) async fn start(
    State(state): State<SharedState>,
    access: Access,
    request: Request<Body>,
) -> Result<Json<ReplayReport>, Refusal> {
    let (parts, body) = request.into_parts();
    let wanted: ReplayRequest = body::read_json(&parts.headers, body).await?;
    let report = match Wanted::of(&wanted)? {
        Wanted::All(filter) => state.records.replay_all(&access, filter, &wanted).await?,
        Wanted::Ids(subjects) => state.records.replay_ids(&access, &subjects, wanted.dry_run).await?,
    };
    if report.started > 0 {
        tracing::info!(by = access.role(), replays = report.started, "{} replays were asked for", report.started);
        state.records.claims.look_around();
    }
    Ok(Json(report))
}

/// What a request means.
enum Wanted<'a> {
    All(&'a DeadLetterFilter),
    Ids(Vec<Subject>),
}

impl<'a> Wanted<'a> {
    fn of(request: &'a ReplayRequest) -> Result<Self, Refusal> {
        const RULE: &str = "either ids, or all with a filter";
        let refused = |key, detail: String| Err(Refusal::new(&INVALID_BODY, detail).key(key).rule(RULE));
        match (request.all, request.ids.as_slice()) {
            (true, []) => Ok(Self::All(&request.filter)),
            (true, _) => refused("ids", "ids and all contradict each other: leave one of them out".to_owned()),
            (false, []) => refused("ids", "nothing is named: give ids, or \"all\": true with a filter".to_owned()),
            (false, ids) if request.filter != DeadLetterFilter::default() || request.cursor.is_some() => {
                let given = format!("{} ids are named: a filter or cursor goes with \"all\": true only", ids.len());
                refused("filter", given)
            }
            (false, ids) if ids.len() > IDS_MAX => {
                refused("ids", format!("{} ids are named: at most {IDS_MAX} at once", ids.len()))
            }
            (false, ids) => ids.iter().map(|id| read_id(id)).collect::<Result<_, _>>().map(Self::Ids),
        }
    }
}

impl Records {
    async fn replay_all(
        &self,
        access: &Access,
        wanted: &DeadLetterFilter,
        request: &ReplayRequest,
    ) -> Result<ReplayReport, Refusal> {
        let filter = dead_letters::filter(access, wanted)?;
        let mut cursor = request.cursor.as_deref().map(page::read).transpose()?;
        let mut report = ReplayReport::default();
        loop {
            let found = self.store.dead_letters(&filter, cursor, LETTERS_PER_COMMIT).await?;
            let subjects: Vec<_> = found.letters.iter().map(subject).collect();
            report.matched += subjects.len() as u64;
            if !request.dry_run {
                self.replay(access, &subjects, &mut report).await?;
            }
            cursor = found.next;
            if cursor.is_none() || report.matched >= LETTERS_MAX {
                report.next_cursor = cursor.as_ref().map(page::shown);
                return Ok(report);
            }
        }
    }

    async fn replay_ids(&self, access: &Access, subjects: &[Subject], dry_run: bool) -> Result<ReplayReport, Refusal> {
        let mut report = ReplayReport { matched: subjects.len() as u64, ..ReplayReport::default() };
        if !dry_run {
            self.replay(access, subjects, &mut report).await?;
        }
        Ok(report)
    }

    /// Replays events and deliveries, each kind in one commit; of what is named twice, the store starts one.
    async fn replay(&self, access: &Access, subjects: &[Subject], report: &mut ReplayReport) -> Result<(), Refusal> {
        let (now, tenant) = (self.clock.now(), access.scope());
        let mut replays: Vec<ReplayId> = Vec::with_capacity(subjects.len());
        let mut events = Vec::new();
        let mut deliveries = Vec::new();
        for subject in subjects {
            let replay = self.clock.fresh();
            replays.push(replay);
            match *subject {
                Subject::Event(event) => events.push(NewEventReplay { replay, event, tenant }),
                Subject::Delivery(delivery) => deliveries.push(NewDeliveryReplay {
                    replay,
                    delivery,
                    new_delivery: self.clock.fresh(),
                    tenant,
                    planned_at: now,
                }),
            }
        }
        let of_events = if events.is_empty() { Vec::new() } else { self.store.replay_events(events, now).await? };
        let of_deliveries =
            if deliveries.is_empty() { Vec::new() } else { self.store.replay_deliveries(deliveries).await? };
        let (mut of_events, mut of_deliveries) = (of_events.into_iter(), of_deliveries.into_iter());
        for (subject, replay) in subjects.iter().zip(replays) {
            let replayed = match subject {
                Subject::Event(_) => of_events.next(),
                Subject::Delivery(_) => of_deliveries.next(),
            };
            let replayed = replayed.expect("the store answers each replay, in their order");
            report.started += u64::from(replayed == Replayed::Started);
            report.results.push(result(subject, replay, replayed));
        }
        Ok(())
    }
}

fn subject(letter: &DeadLetter) -> Subject {
    letter.delivery.map_or(Subject::Event(letter.event), |delivery| Subject::Delivery(delivery.id))
}

fn result(subject: &Subject, replay: ReplayId, replayed: Replayed) -> ReplayResult {
    let id = match subject {
        Subject::Event(id) => id.to_string(),
        Subject::Delivery(id) => id.to_string(),
    };
    let verdict = match replayed {
        Replayed::Started => ReplayVerdict::Started { replay: replay.to_string() },
        Replayed::NotFound => ReplayVerdict::NotFound,
        Replayed::NotDead { state } => ReplayVerdict::NotDead { state },
        Replayed::AlreadyReplayed(earlier) => ReplayVerdict::AlreadyReplayed { replay: earlier.to_string() },
    };
    ReplayResult { id, verdict }
}
