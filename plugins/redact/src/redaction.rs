//! Finds what the rules are about, in one pass over a text that is known to be JSON.
//!
//! Nothing is parsed into values: the walk follows the rules into objects and arrays, skips what no rule leads to, and
//! collects ranges of bytes. Every member of a name counts, however the name is spelt, and however often it is there: which
//! of two a receiver takes is the receiver's choice.

use std::borrow::Cow;
use std::fmt::Write as _;

use weft_plugin::json::{self, RawValue, Value};
use weft_plugin::secrets::{self, Refusal};

use crate::edit::{Edits, Siblings};
use crate::level::{self, Level, Rules};
use crate::settings::{Action, Redact, Rule};

/// What stands in the place of a masked value, before what is kept of it.
const MASK: &str = "****";
/// What a hash begins with.
const HASH: &str = "hmac-sha256:";

/// What the rules make of one text.
#[derive(Debug)]
pub(crate) struct Redaction<'t> {
    text: &'t str,
    rules: &'t [Rule],
    levels: Vec<Level<'t>>,
    /// How far the text is read.
    at: usize,
    edits: Edits<'t>,
    /// Those rules whose field is missing, in one place at least.
    missing: Rules,
    /// The secret under which values are hashed.
    secret: &'t str,
    /// Why one could not be hashed.
    unhashed: Option<Refusal>,
}

impl<'t> Redaction<'t> {
    /// Redacts `text`, which is one JSON value.
    pub(crate) fn of(text: &'t str, Redact { rules, secret }: &'t Redact) -> Self {
        let levels = Level::all(rules);
        let edits = Edits::of(text);
        let secret = secret.as_deref().unwrap_or_default();
        let mut redaction = Self { text, rules, levels, at: 0, edits, missing: 0, secret, unhashed: None };
        redaction.skip_spaces();
        redaction.follow(level::all_of(rules), 0);
        redaction
    }

    /// The first required rule whose field is missing, with its place.
    pub(crate) fn first_missing(&self) -> Option<(usize, &'t Rule)> {
        self.rules.iter().enumerate().find(|(place, rule)| rule.required && self.missing >> place & 1 == 1)
    }

    /// Why a value could not be hashed, if one could not.
    pub(crate) fn unhashed(&self) -> Option<&Refusal> {
        self.unhashed.as_ref()
    }

    /// The text without what is redacted; `None` if nothing is.
    pub(crate) fn into_text(self) -> Option<String> {
        self.edits.finish()
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
        let every = self.levels[depth].every & active;
        let mut found = every;
        let mut siblings = Siblings::default();
        self.at += 1;
        while self.next_sibling() {
            let start = self.at;
            let name = self.read_name();
            let below = every | self.levels[depth].named(&name) & active;
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
        let every = self.levels[depth].every & active;
        let mut found = every;
        let mut siblings = Siblings::default();
        let mut index = 0;
        self.at += 1;
        while self.next_sibling() {
            let below = every | self.levels[depth].placed(index) & active;
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
                let masked = &self.text[value..self.at];
                self.edits.replace(value..self.at, |out| push_mask(out, masked, keep_last));
                false
            }
            Some(Action::Hash) => {
                self.skip_value();
                self.hash(value);
                false
            }
        };
        siblings.finish_one(start..self.at, is_removed, &mut self.edits);
    }

    /// Puts a hash in the place of the value that begins at `start` and has just been read.
    fn hash(&mut self, start: usize) {
        let written = &self.text[start..self.at];
        let raw: Option<&RawValue> = serde_json::from_str(written).ok();
        let value = raw.map(Value::of);
        // A string is its text, however it is spelt: what is the same must stay the same.
        let hashed = value.as_ref().and_then(Value::as_str).unwrap_or(written);
        match secrets::hmac_sha256(self.secret, hashed.as_bytes()) {
            Ok(mac) => self.edits.replace(start..self.at, |out| push_hash(out, &mac)),
            Err(refused) => self.unhashed = Some(refused),
        }
    }

    /// What is to be done to a value by the rules that end at it, the strictest of them.
    fn action_at(&self, below: Rules, depth: usize) -> Option<Action> {
        let ending = below & self.levels[depth].ending;
        if ending == 0 {
            return None;
        }
        let rules = self.rules.iter().enumerate().filter(|(place, _)| ending >> place & 1 == 1);
        rules.map(|(_, rule)| rule.action).reduce(Action::stricter)
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

/// Writes what stands in the place of a hashed value.
fn push_hash(out: &mut String, mac: &[u8]) {
    out.push('"');
    out.push_str(HASH);
    for byte in mac {
        // Writing into a string cannot fail.
        let _ = write!(out, "{byte:02x}");
    }
    out.push('"');
}

/// Writes what stands in the place of `value`: a string with the last characters of a string or a number, at most half of
/// them.
fn push_mask(out: &mut String, value: &str, keep_last: usize) {
    out.push('"');
    out.push_str(MASK);
    if keep_last > 0 {
        let shown = match value.as_bytes().first() {
            // Without an escape a string stands as its text, and its end needs no escape either.
            Some(b'"') if !value.contains('\\') => Some(&value[1..value.len() - 1]),
            Some(b'-' | b'0'..=b'9') => Some(value),
            _ => None,
        };
        match shown {
            Some(shown) => out.push_str(end_of(shown, keep_last)),
            None => push_end_of_escaped(out, value, keep_last),
        }
    }
    out.push('"');
}

/// The same for a string with escapes; of other values nothing is shown.
fn push_end_of_escaped(out: &mut String, value: &str, keep_last: usize) {
    let raw: Option<&RawValue> = serde_json::from_str(value).ok();
    let value = raw.map(Value::of);
    if let Some(text) = value.as_ref().and_then(Value::as_str) {
        let mut quoted = String::new();
        json::push_string(&mut quoted, end_of(text, keep_last));
        out.push_str(&quoted[1..quoted.len() - 1]);
    }
}

/// The last characters of `text`, at most half of all.
fn end_of(text: &str, keep_last: usize) -> &str {
    let kept = keep_last.min(text.chars().count() / 2);
    let start = text.char_indices().rev().take(kept).last().map_or(text.len(), |(at, _)| at);
    &text[start..]
}
