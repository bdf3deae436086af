//! Paging through dead letters: what a cursor looks like outside.

use weft_core::time::Timestamp;
use weft_store::dead_letter::DeadLetterCursor;

use super::refusal::{INVALID_PARAMETER, Refusal, shortened};

/// The cursor as a caller gets it: nothing that it should read, only hand back.
pub(super) fn shown(cursor: &DeadLetterCursor) -> String {
    format!("{}_{}", cursor.at.as_ms(), hex::encode(cursor.id))
}

/// Reads what [`shown`] wrote.
pub(super) fn read(text: &str) -> Result<DeadLetterCursor, Refusal> {
    let cursor = text.split_once('_').and_then(|(at, id)| {
        let mut bytes = [0; 16];
        hex::decode_to_slice(id, &mut bytes).ok()?;
        Some(DeadLetterCursor { at: Timestamp::from_ms(at.parse().ok()?), id: bytes })
    });
    cursor.ok_or_else(|| {
        let detail = format!("cursor is {:?}: hand back next_cursor of the page before, untouched", shortened(text));
        Refusal::new(&INVALID_PARAMETER, detail).key("cursor")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_as_it_was_shown() {
        let cursor = DeadLetterCursor { at: Timestamp::from_ms(-5), id: [7; 16] };
        assert_eq!(read(&shown(&cursor)).expect("our own"), cursor);
        for bad in ["", "_", "5", "5_00", "x_07070707070707070707070707070707", "5_0707070707070707070707070707070707"]
        {
            assert!(read(bad).is_err(), "{bad:?}");
        }
    }
}
