//! What Weft has given up on, and asking for it to be done again.

use serde::{Deserialize, Serialize};
use weft_core::time::Timestamp;

/// What kind of thing is dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeadLetterKind {
    /// An event.
    Event,
    /// A delivery.
    Delivery,
}

impl DeadLetterKind {
    /// The word for this kind.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Delivery => "delivery",
        }
    }
}

/// Which dead letters are meant; what is absent does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeadLetterFilter {
    /// Of the destination of this name; leaves events out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination: Option<String>,
    /// Events or deliveries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<DeadLetterKind>,
    /// With exactly this reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Given up at this time or later.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "super::time::optional")]
    pub since: Option<Timestamp>,
    /// Given up before this time.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "super::time::optional")]
    pub until: Option<Timestamp>,
}

/// The query of `GET /v1/dead-letters`.
///
/// It has the fields of [`DeadLetterFilter`] once more, because query strings know no nesting.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeadLetterQuery {
    /// Of the destination of this name; leaves events out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination: Option<String>,
    /// Events or deliveries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<DeadLetterKind>,
    /// With exactly this reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Given up at this time or later.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "super::time::optional")]
    pub since: Option<Timestamp>,
    /// Given up before this time.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "super::time::optional")]
    pub until: Option<Timestamp>,
    /// Whether those that a replay has taken over are wanted as well.
    #[serde(default)]
    pub include_replayed: bool,
    /// At most this many, 1 to 1000; 100 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Where to go on: `next_cursor` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

impl DeadLetterQuery {
    /// Which dead letters are meant, without the paging.
    pub fn filter(&self) -> DeadLetterFilter {
        DeadLetterFilter {
            destination: self.destination.clone(),
            kind: self.kind,
            reason: self.reason.clone(),
            since: self.since,
            until: self.until,
        }
    }

    /// The pairs of the query string.
    pub fn pairs(&self) -> Vec<(&'static str, String)> {
        let text = |name, value: &Option<String>| value.clone().map(|value| (name, value));
        let time = |name, value: Option<Timestamp>| value.map(|value| (name, value.to_string()));
        [
            text("destination", &self.destination),
            self.kind.map(|kind| ("kind", kind.as_str().to_owned())),
            text("reason", &self.reason),
            time("since", self.since),
            time("until", self.until),
            self.include_replayed.then(|| ("include_replayed", "true".to_owned())),
            self.limit.map(|limit| ("limit", limit.to_string())),
            text("cursor", &self.cursor),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// A part of the list of dead letters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetterPage {
    /// Newest first.
    pub letters: Vec<DeadLetter>,
    /// Where the list goes on, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// Something that Weft has given up on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// `evt_…` or `dlv_…`: what a replay names.
    pub id: String,
    /// An event or a delivery.
    pub kind: DeadLetterKind,
    /// The name of the tenant.
    pub tenant: String,
    /// The event, or the event of the delivery.
    pub event_id: String,
    /// The event's type.
    pub event_type: String,
    /// The name of the destination, of a delivery.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination: Option<String>,
    /// 0, or the place of the output after a split; of a delivery.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<u32>,
    /// How many attempts it had, of a delivery.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u32>,
    /// The step that gave up, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// Why.
    pub reason: String,
    /// Since when.
    #[serde(with = "super::time")]
    pub at: Timestamp,
    /// The replay that took it over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replayed_by: Option<String>,
}

/// A wish for replays: either ids, or `all` that the filter means.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplayRequest {
    /// `evt_…` and `dlv_…`, at most 1000.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ids: Vec<String>,
    /// Everything that `filter` means, which must then not be said by ids.
    #[serde(default)]
    pub all: bool,
    /// Which dead letters; only with `all`.
    #[serde(default)]
    pub filter: DeadLetterFilter,
    /// Where to go on: `next_cursor` of the report before; only with `all`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Only count.
    #[serde(default)]
    pub dry_run: bool,
}

/// What became of a wish for replays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplayReport {
    /// How many were meant.
    pub matched: u64,
    /// How many replays are stored and wait to be done; 0 of a dry run.
    pub started: u64,
    /// One for each that was meant, in the order of the ids or newest first; empty of a dry run.
    pub results: Vec<ReplayResult>,
    /// Where to go on, if the filter means more than one request takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// What became of one wish for a replay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplayResult {
    /// What was to be replayed.
    pub id: String,
    /// What became of it.
    #[serde(flatten)]
    pub verdict: ReplayVerdict,
}

/// What became of one wish for a replay, in a word.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "kebab-case")]
pub enum ReplayVerdict {
    /// It is stored, and waits to be done.
    Started {
        /// `rpl_…`
        replay: String,
    },
    /// There is no such event or delivery.
    NotFound,
    /// Only what is dead can be replayed.
    NotDead {
        /// The state that it is in.
        state: String,
    },
    /// An earlier replay has taken it over.
    AlreadyReplayed {
        /// That replay.
        replay: String,
    },
}
