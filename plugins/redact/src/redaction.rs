//! Finds what the rules are about, in one pass over a text that is known to be JSON.
//!
//! Nothing is parsed into values: the walk follows the rules into objects and arrays, skips what no rule leads to, and
//! collects ranges of bytes. Every member of a name counts, however the name is spelt, and however often it is there: which
//! of two a receiver takes is the receiver's choice.

use std::borrow::Cow;

use weft_plugin::json::{self, RawValue, Value};

use crate::edit::{Edits, Siblings};
use crate::settings::{Action, Rule, Step};

/// A set of rules, one for each bit by its place. All rules of a set have come the same number of levels down.
type Rules = u64;

/// What stands in the place of a masked value, before what is kept of it.
const MASK: &str = "****";

/// What the rules make of one text.
#[derive(Debug)]
pub(crate) struct Redaction<'t> {
    text: &'t str,
    rules: &'t [Rule],
    /// How far the text is read.
    at: usize,
    edits: Edits,
    /// Those rules whose field is missing, in one place at least.
    missing: Rules,
}

impl<'t> Redaction<'t> {
    /// Redacts `text`, which is one JSON value.
    pub(crate) fn of(text: &'t str, rules: &'t [Rule]) -> Self {
        let mut redaction = Self { text, rules, at: 0, edits: Edits::default(), missing: 0 };
        let all = rules.iter().enumerate().fold(0, |all, (place, _)| all | (1 << place));
        redaction.skip_spaces();
        redaction.follow(all, 0);
        redaction
    }

    /// The first required rule whose field is missing, with its place.
    pub(crate) fn first_missing(&self) -> Option<(usize, &'t Rule)> {
        self.rules.iter().enumerate().find(|(place, rule)| rule.required && self.missing >> place & 1 == 1)
    }

    /// The text without what is redacted; `None` if nothing is.
    pub(crate) fn text(&self) -> Option<String> {
        if self.edits.is_empty() { None } else { Some(self.edits.apply(self.text)) }
    }

    /// Reads a value into which rules lead, all of them further than to the value itself.
    fn follow(&mut self, active: Rules, depth: usize) {
        match self.byte() {
            b'{' => self.follow_object(active, depth),
            b'[' => self.follow_array(active, depth),
            _ => {
                self.missing |= active;
                self.skip_value();
            }
        }
    }

    fn follow_object(&mut self, active: Rules, depth: usize) {
        // Every member of an object without one is redacted.
        let mut found = self.select(active, depth, |step| matches!(step, Step::Every));
        let mut siblings = Siblings::default();
        self.at += 1;
        while self.next_sibling() {
            let start = self.at;
            let name = self.read_name();
            let below = self.select(active, depth, |step| match step {
                Step::Every => true,
                Step::One { name: wanted, .. } => *wanted == name,
            });
            found |= below;
            self.skip_spaces();
            self.at += 1;
            self.skip_spaces();
            self.read_sibling(start, below, depth + 1, &mut siblings);
        }
        self.at += 1;
        siblings.finish(&mut self.edits);
        self.missing |= active & !found;
    }

    fn follow_array(&mut self, active: Rules, depth: usize) {
        let mut found = self.select(active, depth, |step| matches!(step, Step::Every));
        let mut siblings = Siblings::default();
        let mut index = 0;
        self.at += 1;
        while self.next_sibling() {
            let below = self.select(active, depth, |step| match step {
                Step::Every => true,
                Step::One { place, .. } => *place == Some(index),
            });
            found |= below;
            self.read_sibling(self.at, below, depth + 1, &mut siblings);
            index += 1;
        }
        self.at += 1;
        siblings.finish(&mut self.edits);
        self.missing |= active & !found;
    }

    /// Reads the value of the member or element that begins at `start`, to which the rules `below` lead.
    fn read_sibling(&mut self, start: usize, below: Rules, depth: usize, siblings: &mut Siblings) {
        siblings.begin(start, &mut self.edits);
        let value = self.at;
        let is_removed = match self.action_at(below, depth) {
            None if below == 0 => {
                self.skip_value();
                false
            }
            None => {
                self.follow(below, depth);
                false
            }
            Some(Action::Remove) => {
                self.skip_value();
                true
            }
            Some(Action::Mask { keep_last }) => {
                self.skip_value();
                let masked = mask(&self.text[value..self.at], keep_last);
                self.edits.replace(value..self.at, masked);
                false
            }
        };
        siblings.finish_one(start..self.at, is_removed, &mut self.edits);
    }

    /// Those of the rules `active` whose next level `is_wanted`.
    fn select(&self, active: Rules, depth: usize, is_wanted: impl Fn(&Step) -> bool) -> Rules {
        let selected = self.active(active).filter(|(_, rule)| rule.steps.get(depth).is_some_and(&is_wanted));
        selected.fold(0, |all, (place, _)| all | (1 << place))
    }

    /// What is to be done to a value by the rules that end at it, the strictest of them.
    fn action_at(&self, active: Rules, depth: usize) -> Option<Action> {
        let ending = self.active(active).filter(|(_, rule)| rule.steps.len() == depth);
        ending.map(|(_, rule)| rule.action).reduce(Action::stricter)
    }

    fn active(&self, active: Rules) -> impl Iterator<Item = (usize, &'t Rule)> {
        self.rules.iter().enumerate().filter(move |(place, _)| active >> place & 1 == 1)
    }

    /// Goes on to the next member or element, or to the bracket behind the last.
    fn next_sibling(&mut self) -> bool {
        self.skip_spaces();
        if self.byte() == b',' {
            self.at += 1;
            self.skip_spaces();
        }
        !matches!(self.byte(), b'}' | b']' | END)
    }

    /// Reads a member's name, its escapes resolved.
    fn read_name(&mut self) -> Cow<'t, str> {
        let start = self.at;
        self.skip_string();
        let quoted = &self.text[start..self.at];
        if quoted.contains('\\')
            && let Ok(name) = serde_json::from_str(quoted)
        {
            return Cow::Owned(name);
        }
        Cow::Borrowed(&quoted[1..quoted.len() - 1])
    }

    fn byte(&self) -> u8 {
        self.text.as_bytes().get(self.at).copied().unwrap_or(END)
    }

    fn skip_spaces(&mut self) {
        while matches!(self.byte(), b' ' | b'\t' | b'\n' | b'\r') {
            self.at += 1;
        }
    }

    fn skip_string(&mut self) {
        self.at += 1;
        loop {
            match self.byte() {
                b'\\' => self.at += 2,
                b'"' | END => break,
                _ => self.at += 1,
            }
        }
        self.at += 1;
    }

    /// Skips a value without recursion, however deep it is.
    fn skip_value(&mut self) {
        let mut levels = 0_usize;
        loop {
            match self.byte() {
                b'"' => self.skip_string(),
                b'{' | b'[' => {
                    levels += 1;
                    self.at += 1;
                }
                b'}' | b']' => {
                    levels = levels.saturating_sub(1);
                    self.at += 1;
                }
                END => return,
                _ if levels == 0 => self.skip_plain(),
                _ => self.at += 1,
            }
            if levels == 0 {
                return;
            }
        }
    }

    /// Skips a number, `true`, `false` or `null`.
    fn skip_plain(&mut self) {
        while !matches!(self.byte(), b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r' | END) {
            self.at += 1;
        }
    }
}

/// Read behind the end of the text; no byte of JSON.
const END: u8 = 0;

/// What stands in the place of `value`, as JSON: the last characters of a string or a number, at most half of them.
fn mask(value: &str, keep_last: usize) -> String {
    let raw: Option<&RawValue> = serde_json::from_str(value).ok();
    let shown = match raw.map(Value::of) {
        Some(Value::String(text)) => text,
        Some(Value::Number(_)) => Cow::Borrowed(value),
        _ => Cow::Borrowed(""),
    };
    let count = shown.chars().count();
    let hidden = count - keep_last.min(count / 2);
    let text: String = MASK.chars().chain(shown.chars().skip(hidden)).collect();
    let mut masked = String::with_capacity(text.len() + 2);
    json::push_string(&mut masked, &text);
    masked
}
