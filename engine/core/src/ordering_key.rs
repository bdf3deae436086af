//! What asks for order: passes and deliveries of one key go in the order in which they were accepted (promise 4).

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Longest ordering key: room for two ids with a prefix each, and for an index.
pub const ORDERING_KEY_BYTES_MAX: usize = 256;

/// A key that orders: of a customer, an order, a document. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrderingKey(Arc<str>);

/// Why a text is not an [`OrderingKey`]. What was sent is not repeated: it may name a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidOrderingKey {
    /// It is empty.
    #[error("an ordering key is not empty: leave it out where no order is needed")]
    Empty,
    /// It is too long.
    #[error("an ordering key has at most {ORDERING_KEY_BYTES_MAX} bytes, and this one has {0}")]
    TooLong(usize),
    /// It holds a control character.
    #[error("an ordering key holds no control characters, and this one has one at byte {0}")]
    Control(usize),
}

impl OrderingKey {
    /// The rule, in a few words.
    pub const RULE: &'static str = "1 to 256 bytes without control characters";

    /// The text of the key.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for OrderingKey {
    type Err = InvalidOrderingKey;

    fn from_str(text: &str) -> Result<Self, InvalidOrderingKey> {
        if text.is_empty() {
            return Err(InvalidOrderingKey::Empty);
        }
        if text.len() > ORDERING_KEY_BYTES_MAX {
            return Err(InvalidOrderingKey::TooLong(text.len()));
        }
        match text.char_indices().find(|(_, character)| character.is_control()) {
            Some((at, _)) => Err(InvalidOrderingKey::Control(at)),
            None => Ok(Self(text.into())),
        }
    }
}

impl fmt::Display for OrderingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn promise_4_a_bad_key_is_refused_by_the_rule_that_it_breaks() {
        let of = |text: &str| text.parse::<OrderingKey>();
        assert_eq!(of(""), Err(InvalidOrderingKey::Empty));
        assert_eq!(of(&"k".repeat(257)), Err(InvalidOrderingKey::TooLong(257)));
        assert_eq!(of("a\u{7}b"), Err(InvalidOrderingKey::Control(1)));
        assert_eq!(of("ü\u{85}"), Err(InvalidOrderingKey::Control(2)));
        for good in ["order-7", "customer 4711/ä", &"k".repeat(256)] {
            assert_eq!(of(good).expect(good).as_str(), good);
        }
        assert!(OrderingKey::RULE.contains(&ORDERING_KEY_BYTES_MAX.to_string()));
    }
}
