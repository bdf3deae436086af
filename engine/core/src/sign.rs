//! Standard Webhooks signatures, version `v1`: HMAC-SHA256 over `id.timestamp.body`.
//!
//! Source: the Standard Webhooks specification 1.0.0, "Signature scheme". The body is the exact bytes that are sent.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::time::Timestamp;

/// What a symmetric secret starts with, in text.
const SECRET_PREFIX: &str = "whsec_";

/// Fewest bytes of a secret; the specification's lower bound.
pub const SECRET_BYTES_MIN: usize = 24;
/// Most bytes of a secret; the specification's upper bound.
pub const SECRET_BYTES_MAX: usize = 64;
/// Bytes of a generated secret: divisible by 3, so that its base64 needs no padding, which libraries disagree about.
pub const SECRET_BYTES_GENERATED: usize = 30;

/// A symmetric signing secret. Its `Debug` shows nothing.
#[derive(Clone)]
pub struct SigningSecret {
    bytes: Vec<u8>,
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
        Ok(Self { bytes, keyed })
    }

    /// The secret as a receiver is told it: `whsec_…`.
    pub fn reveal(&self) -> String {
        format!("{SECRET_PREFIX}{}", STANDARD.encode(&self.bytes))
    }

    /// The `v1,…` token for one attempt.
    fn token(&self, id: &str, timestamp: &str, body: &[u8]) -> String {
        let mut mac = self.keyed.clone();
        mac.update(id.as_bytes());
        mac.update(b".");
        mac.update(timestamp.as_bytes());
        mac.update(b".");
        mac.update(body);
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

/// The three headers of one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// `webhook-timestamp`: this attempt's time in Unix seconds.
    pub timestamp: String,
    /// `webhook-signature`: a token for each secret, newest first, one space between.
    pub tokens: String,
}

/// Signs the exact `body` of one attempt made at `now`, once with each secret.
pub fn sign(secrets: &[SigningSecret], id: &str, now: Timestamp, body: &[u8]) -> Signature {
    let timestamp = now.as_seconds().to_string();
    let tokens = secrets.iter().map(|secret| secret.token(id, &timestamp, body)).collect::<Vec<_>>().join(" ");
    Signature { timestamp, tokens }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed(secret: &str, id: &str, seconds: i64, body: &str) -> String {
        let secret = secret.parse::<SigningSecret>().expect("a secret of the vectors");
        sign(&[secret], id, Timestamp::from_ms(seconds * 1000 + 999), body.as_bytes()).tokens
    }

    /// The vectors of the Python, JavaScript and Rust libraries of Standard Webhooks.
    #[test]
    fn promise_3_signatures_match_the_published_vectors() {
        assert_eq!(
            signed(
                "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
                "msg_p5jXN8AQM9LWM0D4loKWxJek",
                1_614_265_330,
                r#"{"test": 2432232314}"#
            ),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
        assert_eq!(
            signed(
                "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
                "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
                1_649_367_553,
                r#"{"email":"test@example.com","username":"test_user"}"#
            ),
            "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw="
        );
    }

    #[test]
    fn every_secret_adds_a_token_after_one_space() {
        let secret = || SigningSecret::from_bytes(vec![7; 30]).expect("30 bytes");
        let both = sign(&[secret(), secret()], "evt_1", Timestamp::from_ms(0), b"x").tokens;
        let parts: Vec<_> = both.split(' ').collect();
        assert_eq!(parts.len(), 2);
        assert_eq!(parts[0], parts[1]);
    }

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
    }
}
