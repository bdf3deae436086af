//! Payloads as bytes and as text.

use crate::Payload;

impl Payload {
    /// The bytes, whatever the content type promises.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }

    /// The text; for a binary payload, if its bytes are valid UTF-8.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Binary(bytes) => std::str::from_utf8(bytes).ok(),
        }
    }
}
