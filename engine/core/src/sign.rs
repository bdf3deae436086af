//! Symmetric secrets, and Standard Webhooks signatures of version `v1`: HMAC-SHA256 over `id.timestamp.body`.
//!
//! Source: the Standard Webhooks specification 1.0.0, "Signature scheme". The body is the exact bytes that are sent.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::hex::hex;

/// What a symmetric secret starts with, in text.
const SECRET_PREFIX: &str = "whsec_";

/// Fewest bytes of a secret; the specification's lower bound.
pub const SECRET_BYTES_MIN: usize = 24;
/// Most bytes of a secret; the specification's upper bound.
pub const SECRET_BYTES_MAX: usize = 64;
/// Fewest bytes of a secret that is text; what others give out is not ours to choose, but shorter ones can be guessed.
pub const TEXT_BYTES_MIN: usize = 8;
/// Most bytes of a secret that is text.
pub const TEXT_BYTES_MAX: usize = 256;
/// Bytes of a generated secret: divisible by 3, so that its base64 needs no padding, which libraries disagree about.
pub const SECRET_BYTES_GENERATED: usize = 30;

/// A symmetric signing secret. Its `Debug` shows nothing.
#[derive(Clone)]
pub struct SigningSecret {
    bytes: Vec<u8>,
    // Whether they are a text, which is no encoding of anything.
    is_text: bool,
    // Keyed once: deriving the pads costs as much as hashing a small body.
    keyed: Hmac<Sha256>,
}

/// Why a text is not a [`SigningSecret`]. It never quotes the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSecret {
    /// The prefix is missing.
    #[error("a signing secret starts with \"{SECRET_PREFIX}\"")]
    Prefix,
    /// What follows the prefix is not base64.
    #[error("what follows \"{SECRET_PREFIX}\" must be base64 with its padding")]
    Base64,
    /// It is too short or too long.
    #[error("a signing secret holds {SECRET_BYTES_MIN} to {SECRET_BYTES_MAX} bytes, this one holds {0}")]
    Length(usize),
    /// It is text, and too short or too long.
    #[error(
        "a secret of other signatures than \"v1\" holds {TEXT_BYTES_MIN} to {TEXT_BYTES_MAX} bytes, this one holds {0}"
    )]
    TextLength(usize),
}

impl SigningSecret {
    /// A secret of these bytes.
    ///
    /// # Errors
    /// [`InvalidSecret::Length`] outside 24 to 64 bytes.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, InvalidSecret> {
        if !(SECRET_BYTES_MIN..=SECRET_BYTES_MAX).contains(&bytes.len()) {
            return Err(InvalidSecret::Length(bytes.len()));
        }
        let keyed = Hmac::new_from_slice(&bytes).expect("HMAC takes keys of every length");
        Ok(Self { bytes, is_text: false, keyed })
    }

    /// A secret that somebody else has given out, in whatever form: for other signatures than `v1`.
    ///
    /// # Errors
    /// [`InvalidSecret::TextLength`] outside 8 to 256 bytes.
    pub fn from_text(text: &str) -> Result<Self, InvalidSecret> {
        if !(TEXT_BYTES_MIN..=TEXT_BYTES_MAX).contains(&text.len()) {
            return Err(InvalidSecret::TextLength(text.len()));
        }
        let keyed = Hmac::new_from_slice(text.as_bytes()).expect("HMAC takes keys of every length");
        Ok(Self { bytes: text.into(), is_text: true, keyed })
    }

    /// The secret as a receiver is told it: `whsec_…`, or the text that it is.
    pub fn reveal(&self) -> String {
        if self.is_text {
            return String::from_utf8_lossy(&self.bytes).into_owned();
        }
        format!("{SECRET_PREFIX}{}", STANDARD.encode(&self.bytes))
    }

    /// The HMAC-SHA256 of `bytes` in hexadecimal digits, keyed with the secret's decoded bytes.
    pub(crate) fn hex_hmac(&self, bytes: &[u8]) -> String {
        let mut mac = self.keyed.clone();
        mac.update(bytes);
        hex(&mac.finalize().into_bytes())
    }

    /// Whether `mac` is that of an attempt; takes as long whatever is wrong with it.
    pub(crate) fn verifies(&self, mac: &[u8], id: &str, timestamp: &str, body: &[u8]) -> bool {
        self.mac(id, timestamp, body).verify_slice(mac).is_ok()
    }

    fn mac(&self, id: &str, timestamp: &str, body: &[u8]) -> Hmac<Sha256> {
        let mut mac = self.keyed.clone();
        mac.update(id.as_bytes());
        mac.update(b".");
        mac.update(timestamp.as_bytes());
        mac.update(b".");
        mac.update(body);
        mac
    }

    /// The `v1,…` token for one attempt.
    pub(crate) fn token(&self, id: &str, timestamp: &str, body: &[u8]) -> String {
        let mac = self.mac(id, timestamp, body);
        let mut token = String::with_capacity(48);
        token.push_str("v1,");
        STANDARD.encode_string(mac.finalize().into_bytes(), &mut token);
        token
    }
}

impl FromStr for SigningSecret {
    type Err = InvalidSecret;

    fn from_str(text: &str) -> Result<Self, InvalidSecret> {
        let encoded = text.trim().strip_prefix(SECRET_PREFIX).ok_or(InvalidSecret::Prefix)?;
        Self::from_bytes(STANDARD.decode(encoded).map_err(|_| InvalidSecret::Base64)?)
    }
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningSecret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn promise_8_a_secret_is_refused_without_being_quoted() {
        for (bad, why) in [
            ("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", InvalidSecret::Prefix),
            ("whsec_", InvalidSecret::Length(0)),
            ("whsec_!!!", InvalidSecret::Base64),
            ("whsec_c2hvcnQ=", InvalidSecret::Length(5)),
        ] {
            let error = bad.parse::<SigningSecret>().map(|_| ()).expect_err("must be refused");
            assert_eq!(error, why);
            assert!(!error.to_string().contains("MfKQ"));
        }
        let secret = SigningSecret::from_bytes(vec![7; 30]).expect("30 bytes");
        assert_eq!(format!("{secret:?}"), "SigningSecret(…)");
    }

    #[test]
    fn a_secret_reads_back_as_it_was_revealed() {
        let secret = SigningSecret::from_bytes((0..30).collect()).expect("30 bytes");
        let again: SigningSecret = secret.reveal().parse().expect("what we reveal");
        assert_eq!(again.reveal(), secret.reveal());
        assert!(!secret.reveal().ends_with('='));
        let text = SigningSecret::from_text("It's a Secret").expect("13 bytes");
        assert_eq!((text.reveal().as_str(), format!("{text:?}")), ("It's a Secret", "SigningSecret(…)".to_owned()));
        assert_eq!(SigningSecret::from_text("hunter2").map(|_| ()), Err(InvalidSecret::TextLength(7)));
    }
}
