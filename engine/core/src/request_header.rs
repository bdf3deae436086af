//! Headers of an outgoing request that others than the host set: plugins, and a destination's own configuration.

use std::fmt;

use crate::event::Header;

/// Bytes of a name.
pub const NAME_BYTES_MAX: usize = 256;
/// Bytes of a value: what common servers accept.
pub const VALUE_BYTES_MAX: usize = 8 * 1024;

/// Headers that belong to the host.
const OF_THE_HOST: &[&str] = &[
    "host",
    "content-length",
    "content-type",
    "authorization",
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "expect",
    "user-agent",
];
/// Beginnings of headers that belong to the host.
const PREFIXES_OF_THE_HOST: &[&str] = &["webhook-", "weft-"];

/// Why a text cannot be the name of such a header.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// It is no token of HTTP.
    #[error("{0:?} is no header name")]
    Token(String),
    /// The host alone sets it.
    #[error("{0:?} belongs to the host")]
    OfTheHost(String),
}

/// Why a text cannot be the value of a header. It never quotes the text, which may be a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidValue {
    /// It is too long.
    #[error("a value of {bytes} bytes, at most {max}")]
    Length {
        /// How long it is.
        bytes: usize,
        /// How long it may be.
        max: usize,
    },
    /// It holds what no header can carry.
    #[error("a header's value holds printable ASCII only")]
    Characters,
}

/// Checks a name, and answers it in lower case.
///
/// # Errors
/// [`InvalidName`] quotes the beginning of the text.
pub fn checked_name(text: &str) -> Result<String, InvalidName> {
    const QUOTED_CHARS_MAX: usize = 80;
    let name = text.to_ascii_lowercase();
    let is_token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.bytes().all(is_token) {
        return Err(InvalidName::Token(text.chars().take(QUOTED_CHARS_MAX).collect()));
    }
    if OF_THE_HOST.contains(&name.as_str()) || PREFIXES_OF_THE_HOST.iter().any(|prefix| name.starts_with(prefix)) {
        return Err(InvalidName::OfTheHost(name));
    }
    Ok(name)
}

/// Checks a value of at most `max` bytes.
///
/// # Errors
/// [`InvalidValue`] says which rule it breaks.
pub fn check_value(value: &str, max: usize) -> Result<(), InvalidValue> {
    if value.len() > max {
        return Err(InvalidValue::Length { bytes: value.len(), max });
    }
    if value.bytes().any(|b| b.is_ascii_control() && b != b'\t') || !value.is_ascii() {
        return Err(InvalidValue::Characters);
    }
    Ok(())
}

/// A header that a destination's configuration sets on each of its requests. Its value may be a secret, so its `Debug` shows the name.
#[derive(Clone, PartialEq, Eq)]
pub struct OwnHeader(Header);

impl OwnHeader {
    /// A header of these, which have been checked.
    pub const fn new(name: String, value: String) -> Self {
        Self(Header { name, value })
    }

    /// Lower case.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// What the receiver is told, and nobody else.
    pub fn value(&self) -> &str {
        &self.0.value
    }
}

impl fmt::Debug for OwnHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OwnHeader({}: …)", self.0.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn promise_8_what_belongs_to_the_host_is_set_by_nobody_else() {
        for name in ["webhook-signature", "Host", "CONTENT-LENGTH", "authorization", "te", "weft-event-type"] {
            assert!(matches!(checked_name(name), Err(InvalidName::OfTheHost(_))), "{name}");
        }
        for name in ["", "a b", "x:", "ü", &"x".repeat(257)] {
            assert!(matches!(checked_name(name), Err(InvalidName::Token(_))), "{name}");
        }
        assert_eq!(checked_name("X-Api-Key").as_deref(), Ok("x-api-key"));
    }

    #[test]
    fn promise_8_a_value_is_one_line_of_ascii_and_is_never_shown() {
        for value in ["1\r\nhost: b", "1\n", "\0", "é"] {
            assert_eq!(check_value(value, 99), Err(InvalidValue::Characters), "{value:?}");
        }
        assert_eq!(check_value("12345", 4), Err(InvalidValue::Length { bytes: 5, max: 4 }));
        assert_eq!(check_value("a\tb", 4), Ok(()));
        let header = OwnHeader::new("x-api-key".to_owned(), "hunter2".to_owned());
        assert_eq!(format!("{header:?}"), "OwnHeader(x-api-key: …)");
    }
}
