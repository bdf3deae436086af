//! The text of a part: the element within what stands around it, every other byte as the sender wrote it.

use weft_plugin::json::{Pointer, RawValue, Token, Value, elements, members};

/// What stands before and after the element in each part; nothing where the part is the element alone.
#[derive(Debug, Default)]
pub(crate) struct Frame {
    before: String,
    after: String,
}

impl Frame {
    /// The whole event with a gap in the place of `array`, a part of its text.
    pub(crate) fn in_place(text: &str, array: &RawValue) -> Self {
        let array = array.get();
        let start = array.as_ptr().addr() - text.as_ptr().addr();
        Self { before: text[..start].to_owned(), after: text[start + array.len()..].to_owned() }
    }

    /// The whole event without what stands at `removed`, with a gap at `place`: the last member of its object.
    ///
    /// `None` if the parent of `place` is missing or no object.
    pub(crate) fn placed(text: &str, removed: &Pointer, place: &Pointer) -> Option<Self> {
        let whole: &RawValue = serde_json::from_str(text).ok()?;
        let removed: Vec<_> = removed.tokens().collect();
        let place: Vec<_> = place.tokens().collect();
        let mut draft = Draft { text: String::with_capacity(text.len()), gap: None };
        draft.write(whole, Some(&removed), Some(&place))?;
        let after = draft.text.split_off(draft.gap?);
        Some(Self { before: draft.text, after })
    }

    /// The text of the part that holds `element`.
    pub(crate) fn around(&self, element: &RawValue) -> String {
        let element = element.get();
        let mut text = String::with_capacity(self.before.len() + element.len() + self.after.len());
        text.push_str(&self.before);
        text.push_str(element);
        text.push_str(&self.after);
        text
    }
}

/// A frame that is being written.
struct Draft {
    text: String,
    gap: Option<usize>,
}

/// The rest of a pointer from the value that is being written on, never empty; `None` if the value is not on its way.
type Way<'w, 'p> = Option<&'w [Token<'p>]>;

impl Draft {
    /// Writes `value`, into which the two ways lead. Where none does, its text is copied.
    fn write(&mut self, value: &RawValue, removed: Way<'_, '_>, place: Way<'_, '_>) -> Option<()> {
        if removed.is_none() && place.is_none() {
            self.text.push_str(value.get());
            return Some(());
        }
        match members(value) {
            Some(members) => self.write_object(&members, removed, place),
            None => self.write_array(&elements(value)?, removed, place),
        }
    }

    fn write_object(
        &mut self,
        members: &[(&RawValue, &RawValue)],
        removed: Way<'_, '_>,
        place: Way<'_, '_>,
    ) -> Option<()> {
        let is_named =
            |name: &RawValue, token: Token<'_>| Value::of(name).as_str().is_some_and(|name| token.names(name));
        // Of members with one name the last one counts.
        let on_the_way = place.and_then(|way| members.iter().rposition(|(name, _)| is_named(name, way[0])));
        self.text.push('{');
        let mut is_first = true;
        for (position, (name, value)) in members.iter().enumerate() {
            let removed = removed.filter(|way| is_named(name, way[0])).map(|way| &way[1..]);
            let is_replaced = place.is_some_and(|way| way.len() == 1 && is_named(name, way[0]));
            if is_replaced || removed.is_some_and(<[_]>::is_empty) {
                continue;
            }
            self.separate(&mut is_first);
            self.text.push_str(name.get());
            self.text.push(':');
            let place = place.filter(|_| on_the_way == Some(position)).map(|way| &way[1..]);
            self.write(value, removed, place)?;
        }
        match place {
            Some([last]) => {
                self.separate(&mut is_first);
                self.text.push_str(&serde_json::to_string(&last.name()).ok()?);
                self.text.push(':');
                self.gap = Some(self.text.len());
            }
            Some(_) if on_the_way.is_none() => return None,
            Some(_) | None => {}
        }
        self.text.push('}');
        Some(())
    }

    fn write_array(&mut self, elements: &[&RawValue], removed: Way<'_, '_>, place: Way<'_, '_>) -> Option<()> {
        if place.is_some_and(|way| way.len() == 1 || way[0].place().is_none_or(|index| index >= elements.len())) {
            return None;
        }
        self.text.push('[');
        let mut is_first = true;
        for (index, element) in elements.iter().enumerate() {
            let below = |way: &&[Token<'_>]| way[0].place() == Some(index);
            let removed = removed.filter(below).map(|way| &way[1..]);
            if removed.is_some_and(<[_]>::is_empty) {
                continue;
            }
            self.separate(&mut is_first);
            self.write(element, removed, place.filter(below).map(|way| &way[1..]))?;
        }
        self.text.push(']');
        Some(())
    }

    fn separate(&mut self, is_first: &mut bool) {
        if !std::mem::take(is_first) {
            self.text.push(',');
        }
    }
}
