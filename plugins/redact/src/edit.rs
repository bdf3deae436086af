//! What is cut out of a text and what is put into it, in the order of the text.

use std::ops::Range;

/// One change: the range goes, the text comes in its place.
#[derive(Debug)]
struct Edit {
    range: Range<usize>,
    text: String,
}

/// The changes of one text, each behind the one before.
#[derive(Debug, Default)]
pub(crate) struct Edits(Vec<Edit>);

impl Edits {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn replace(&mut self, range: Range<usize>, text: String) {
        self.0.push(Edit { range, text });
    }

    fn cut(&mut self, range: Range<usize>) {
        self.replace(range, String::new());
    }

    /// The text as it is after the changes.
    pub(crate) fn apply(&self, text: &str) -> String {
        let room = self.0.iter().map(|edit| edit.text.len()).sum::<usize>() + text.len();
        let mut edited = String::with_capacity(room);
        let mut copied = 0;
        for edit in &self.0 {
            edited.push_str(&text[copied..edit.range.start]);
            edited.push_str(&edit.text);
            copied = edit.range.end;
        }
        edited.push_str(&text[copied..]);
        edited
    }
}

/// The members of one object or the elements of one array, of which some are removed: with each goes the comma before it,
/// and behind it where no member before it stays.
#[derive(Debug, Default)]
pub(crate) struct Siblings {
    /// Where the last one began that is removed without a kept one before it and is not cut yet.
    open: Option<usize>,
    /// Whether one has been kept.
    any_kept: bool,
    /// Where the last one ended.
    end: usize,
}

impl Siblings {
    /// The next one begins at `start`.
    pub(crate) fn begin(&mut self, start: usize, edits: &mut Edits) {
        if let Some(open) = self.open.take() {
            edits.cut(open..start);
        }
    }

    /// The one that has begun ends, and stands at `range`.
    pub(crate) fn finish_one(&mut self, range: Range<usize>, is_removed: bool, edits: &mut Edits) {
        if !is_removed {
            self.any_kept = true;
        } else if self.any_kept {
            edits.cut(self.end..range.end);
        } else {
            self.open = Some(range.start);
        }
        self.end = range.end;
    }

    /// There are no more.
    pub(crate) fn finish(self, edits: &mut Edits) {
        if let Some(open) = self.open {
            edits.cut(open..self.end);
        }
    }
}
