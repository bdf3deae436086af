//! What is cut out of a text and what is put into it, written in the order of the text.

use std::ops::Range;

/// A text that is written again with changes, each behind the one before.
#[derive(Debug)]
pub(crate) struct Edits<'t> {
    text: &'t str,
    /// How much of the text is written or left out.
    done: usize,
    /// What is written; nothing is as long as nothing has changed.
    edited: Option<String>,
}

impl<'t> Edits<'t> {
    pub(crate) fn of(text: &'t str) -> Self {
        Self { text, done: 0, edited: None }
    }

    /// Leaves out what stands at `range`, and lets `write` put something in its place.
    pub(crate) fn replace(&mut self, range: Range<usize>, write: impl FnOnce(&mut String)) {
        let edited = self.edited.get_or_insert_with(|| String::with_capacity(self.text.len()));
        edited.push_str(&self.text[self.done..range.start]);
        write(edited);
        self.done = range.end;
    }

    fn cut(&mut self, range: Range<usize>) {
        self.replace(range, |_| {});
    }

    /// The text as it is after the changes; `None` if there were none.
    pub(crate) fn finish(self) -> Option<String> {
        let mut edited = self.edited?;
        edited.push_str(&self.text[self.done..]);
        Some(edited)
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
    pub(crate) fn begin(&mut self, start: usize, edits: &mut Edits<'_>) {
        if let Some(open) = self.open.take() {
            edits.cut(open..start);
        }
    }

    /// The one that has begun ends, and stands at `range`.
    pub(crate) fn finish_one(&mut self, range: Range<usize>, is_removed: bool, edits: &mut Edits<'_>) {
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
    pub(crate) fn finish(self, edits: &mut Edits<'_>) {
        if let Some(open) = self.open {
            edits.cut(open..self.end);
        }
    }
}
