//! Standard Webhooks signatures, version `v1a`: ed25519 over `id.timestamp.body`. Whoever verifies needs no secret.
//!
//! Source: the Standard Webhooks specification 1.0.0, "Signature scheme".

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{Ed25519KeyPair, KeyPair as _};

/// What a secret key starts with, in text.
const SECRET_PREFIX: &str = "whsk_";
/// What a public key starts with, in text.
const PUBLIC_PREFIX: &str = "whpk_";

/// Bytes of the seed that a key is made of.
pub const SEED_BYTES: usize = 32;

/// An ed25519 key. Its `Debug` shows nothing.
#[derive(Clone)]
pub struct SigningKey(Arc<Ed25519KeyPair>);

/// Why a text is not a [`SigningKey`]. It never quotes the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKey {
    /// The prefix is missing.
    #[error("an ed25519 signing key starts with \"{SECRET_PREFIX}\"")]
    Prefix,
    /// What follows the prefix is not base64.
    #[error("what follows \"{SECRET_PREFIX}\" must be base64 with its padding")]
    Base64,
    /// It is neither a seed nor a seed and its public key.
    #[error("an ed25519 signing key holds 32 bytes (the seed) or 64 (the seed and its public key), this one holds {0}")]
    Length(usize),
    /// Its halves are of two keys.
    #[error("the second half of the ed25519 signing key is not the public key of the first")]
    Halves,
}

impl SigningKey {
    /// The key of these random bytes.
    ///
    /// # Errors
    /// [`InvalidKey::Length`] for another number of bytes.
    pub fn from_seed(seed: &[u8]) -> Result<Self, InvalidKey> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| InvalidKey::Length(seed.len()))?;
        Ok(Self(Arc::new(pair)))
    }

    /// What receivers verify with: `whpk_…`.
    pub fn public(&self) -> String {
        format!("{PUBLIC_PREFIX}{}", STANDARD.encode(self.0.public_key()))
    }

    /// The `v1a,…` token for one attempt; `signed` is `id.timestamp.body`.
    pub(crate) fn token(&self, signed: &[u8]) -> String {
        format!("v1a,{}", STANDARD.encode(self.0.sign(signed)))
    }
}

impl FromStr for SigningKey {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        let encoded = text.trim().strip_prefix(SECRET_PREFIX).ok_or(InvalidKey::Prefix)?;
        let bytes = STANDARD.decode(encoded).map_err(|_| InvalidKey::Base64)?;
        match bytes.split_at_checked(SEED_BYTES) {
            Some((seed, [])) => Self::from_seed(seed),
            Some((seed, public)) if public.len() == SEED_BYTES => {
                let pair = Ed25519KeyPair::from_seed_and_public_key(seed, public).map_err(|_| InvalidKey::Halves)?;
                Ok(Self(Arc::new(pair)))
            }
            Some(_) | None => Err(InvalidKey::Length(bytes.len())),
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==";

    /// The vector of Svix's own tests.
    #[test]
    fn promise_3_an_asymmetric_signature_matches_the_published_vector() {
        let key: SigningKey = KEY.parse().expect("the key of the vector");
        assert_eq!(key.public(), "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=");
        assert_eq!(
            key.token(b"msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{\"test\": 2432232314}"),
            "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg=="
        );
        let seed = STANDARD.decode(&KEY[5..]).expect("base64");
        let alone = SigningKey::from_seed(&seed[..SEED_BYTES]).expect("a seed");
        assert_eq!(alone.public(), key.public());
    }

    #[test]
    fn promise_8_a_bad_key_is_refused_without_being_quoted() {
        let odd = format!("whsk_{}", STANDARD.encode([7; 63]));
        for (bad, why) in [
            ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", InvalidKey::Prefix),
            ("whsk_!", InvalidKey::Base64),
            ("whsk_aGk=", InvalidKey::Length(2)),
            (odd.as_str(), InvalidKey::Length(63)),
            (&KEY.replace("VKIDij2", "VKIDij3"), InvalidKey::Halves),
        ] {
            assert_eq!(bad.parse::<SigningKey>().map(|_| ()), Err(why));
        }
        assert_eq!(format!("{:?}", KEY.parse::<SigningKey>()), "Ok(SigningKey(…))");
    }
}
