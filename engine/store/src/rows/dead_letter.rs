//! Rows of dead letters, and the order in which ranges of them become a page.

use weft_core::id::DeliveryId;
use weft_core::time::Timestamp;

use super::Cells;
use crate::dead_letter::{
    DeadDeliveryLetter, DeadLetter, DeadLetterCursor, DeadLetterFilter, DeadLetterKind, DeadLetterPage,
};
use crate::error::StoreError;

/// A letter with its place in the list.
#[derive(Debug)]
pub(crate) struct Placed {
    at: Timestamp,
    id: [u8; 16],
    letter: DeadLetter,
}

/// Dead letters that lie together in an index.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Range {
    pub(crate) kind: DeadLetterKind,
    /// Whether a replay has taken them over.
    pub(crate) replayed: bool,
}

impl Range {
    /// The ranges that a filter lets through.
    pub(crate) fn all(filter: &DeadLetterFilter) -> impl Iterator<Item = Self> {
        let wanted = |kind| {
            let of_destination = kind == DeadLetterKind::Event && filter.destination.is_some();
            !of_destination && filter.kind.is_none_or(|wanted| wanted == kind)
        };
        let replayed = if filter.include_replayed { &[false, true][..] } else { &[false] };
        let kinds = [DeadLetterKind::Event, DeadLetterKind::Delivery].into_iter().filter(move |kind| wanted(*kind));
        kinds.flat_map(|kind| replayed.iter().map(move |replayed| Self { kind, replayed: *replayed }))
    }

    /// The table that it lies in.
    pub(crate) const fn table(self) -> &'static str {
        match self.kind {
            DeadLetterKind::Event => "events",
            DeadLetterKind::Delivery => "deliveries",
        }
    }
}

/// The place before which a page begins: without a cursor the filter's end, with one whatever is further on.
pub(crate) fn place(filter: &DeadLetterFilter, cursor: Option<DeadLetterCursor>) -> (Timestamp, [u8; 16]) {
    let until = filter.until.map(|until| (until, [0; 16]));
    let from = cursor.map(|cursor| (cursor.at, cursor.id));
    [until, from].into_iter().flatten().min().unwrap_or((Timestamp::from_ms(i64::MAX), [0xff; 16]))
}

pub(crate) fn placed(cells: &Cells<'_>, kind: DeadLetterKind) -> Result<Placed, StoreError> {
    let delivery = match kind {
        DeadLetterKind::Event => None,
        DeadLetterKind::Delivery => Some(DeadDeliveryLetter {
            id: cells.id::<_>("id").map(|id: DeliveryId| id)?,
            destination: cells.id("destination")?,
            output: cells.number("output")?,
            attempts: cells.number("attempts")?,
        }),
    };
    let at = cells.time_of_state("ended_at")?;
    let letter = DeadLetter {
        tenant: cells.id("tenant")?,
        event: cells.id("event")?,
        event_type: cells.parsed("type")?,
        delivery,
        step: cells.maybe_text("step")?,
        reason: cells.maybe_text("reason")?.unwrap_or_default(),
        at,
        replayed_by: cells.maybe_id("replayed_by")?,
    };
    Ok(Placed { at, id: cells.uuid("id")?.into_bytes(), letter })
}

/// The newest `limit` of all ranges, and where the next page begins. Each range has one more than that, if there are more.
pub(crate) fn page(mut letters: Vec<Placed>, limit: u32) -> DeadLetterPage {
    letters.sort_by_key(|placed| std::cmp::Reverse((placed.at, placed.id)));
    let more = letters.len() > limit as usize;
    letters.truncate(limit as usize);
    let next = letters.last().filter(|_| more).map(|last| DeadLetterCursor { at: last.at, id: last.id });
    DeadLetterPage { letters: letters.into_iter().map(|placed| placed.letter).collect(), next }
}
