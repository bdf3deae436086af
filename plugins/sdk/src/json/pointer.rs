//! JSON pointers (RFC 6901).

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer, Error};

/// A JSON pointer: empty for the whole document, else `/` and a member's name or an element's place for each level.
///
/// In a name `~1` stands for `/` and `~0` for `~`. Places count from 0 and have no leading zeros.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pointer(String);

/// Levels of a pointer: each is a frame on a stack of 64 KiB while it is followed.
pub const POINTER_TOKENS_MAX: usize = 32;

/// Why a text is not a [`Pointer`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidPointer {
    text: String,
    rule: &'static str,
}

impl fmt::Display for InvalidPointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is not a JSON pointer: {}", self.text, self.rule)
    }
}

impl std::error::Error for InvalidPointer {}

impl Pointer {
    /// The pointer to the whole document.
    pub const fn whole() -> Self {
        Self(String::new())
    }

    /// The pointer as written, with its escapes.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its levels from the outside in.
    pub fn tokens(&self) -> impl Iterator<Item = Token<'_>> {
        self.0.split('/').skip(1).map(Token)
    }

    /// Whether `other` is this pointer or points into what it points to.
    pub fn covers(&self, other: &Self) -> bool {
        other.0.strip_prefix(&self.0).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

impl FromStr for Pointer {
    type Err = InvalidPointer;

    fn from_str(text: &str) -> Result<Self, InvalidPointer> {
        let invalid = |rule| Err(InvalidPointer { text: text.chars().take(160).collect(), rule });
        if !text.is_empty() && !text.starts_with('/') {
            return invalid("it starts with '/', like /data/amount, or is empty for the whole payload");
        }
        if text.split('~').skip(1).any(|after| !after.starts_with(['0', '1'])) {
            return invalid("'~' is written ~0 and a '/' within a name ~1");
        }
        if text.split('/').count() > POINTER_TOKENS_MAX + 1 {
            return invalid("it has more than 32 levels");
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Pointer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// One level of a pointer.
#[derive(Clone, Copy, Debug)]
pub struct Token<'a>(pub(super) &'a str);

impl<'a> Token<'a> {
    /// The name of the member that it names.
    pub fn name(self) -> Cow<'a, str> {
        if self.0.contains('~') {
            Cow::Owned(self.0.replace("~1", "/").replace("~0", "~"))
        } else {
            Cow::Borrowed(self.0)
        }
    }

    /// Whether it names the member `name`.
    pub fn names(self, name: &str) -> bool {
        let mut rest = name;
        let mut parts = self.0.split('~');
        let first = parts.next().unwrap_or_default();
        let Some(after) = rest.strip_prefix(first) else { return false };
        rest = after;
        for part in parts {
            let (escaped, literal) = part.split_at(1);
            let unescaped = if escaped == "0" { '~' } else { '/' };
            match rest.strip_prefix(unescaped).and_then(|rest| rest.strip_prefix(literal)) {
                Some(after) => rest = after,
                None => return false,
            }
        }
        rest.is_empty()
    }

    /// The place of an element that it names, if it is one.
    pub fn place(self) -> Option<usize> {
        let digits = !self.0.is_empty() && self.0.bytes().all(|b| b.is_ascii_digit());
        let leading_zero = self.0.len() > 1 && self.0.starts_with('0');
        if digits && !leading_zero { self.0.parse().ok() } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pointer(text: &str) -> Pointer {
        text.parse().expect(text)
    }

    #[test]
    fn escapes_stand_for_tilde_and_slash() {
        let cases = [("/a~1b", "a/b"), ("/m~0n", "m~n"), ("/~01", "~1"), ("/", ""), ("/é 日", "é 日"), ("/~1~0", "/~")];
        for (text, name) in cases {
            let pointer = pointer(text);
            let token = pointer.tokens().next().expect("one level");
            assert!(token.names(name), "{text} names {name}");
            assert_eq!(token.name(), name);
            assert!(!token.names("x") && !token.names(&format!("{name}x")), "{text}");
        }
        assert_eq!(pointer("").tokens().count(), 0);
    }

    #[test]
    fn a_place_has_no_sign_and_no_leading_zero() {
        let place = |text: &str| pointer(text).tokens().next().expect("one level").place();
        assert_eq!(place("/0"), Some(0));
        assert_eq!(place("/12"), Some(12));
        for none in ["/01", "/-1", "/-", "/", "/1a", "/99999999999999999999999"] {
            assert_eq!(place(none), None, "{none}");
        }
    }

    #[test]
    fn what_is_no_pointer_is_refused_with_the_rule() {
        for (bad, rule) in [("a", "starts with '/'"), ("/a~2", "~0"), ("/a~", "~0"), ("#/a", "starts with '/'")] {
            let error = bad.parse::<Pointer>().expect_err(bad).to_string();
            assert!(error.contains(rule), "{error}");
        }
        assert!("/a".repeat(POINTER_TOKENS_MAX).parse::<Pointer>().is_ok());
        assert!("/a".repeat(POINTER_TOKENS_MAX + 1).parse::<Pointer>().is_err());
    }

    #[test]
    fn a_pointer_covers_itself_and_what_lies_below() {
        assert!(pointer("/a").covers(&pointer("/a")) && pointer("/a").covers(&pointer("/a/0")));
        assert!(pointer("").covers(&pointer("/a")));
        assert!(!pointer("/a").covers(&pointer("/ab")) && !pointer("/a/b").covers(&pointer("/a")));
    }
}
