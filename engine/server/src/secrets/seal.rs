//! Secrets sealed in the store: XChaCha20-Poly1305 under one key.
//!
//! A sealed secret is a version byte, the nonce of 24 bytes, and the ciphertext with its tag of 16 bytes. Whom it was sealed
//! for is authenticated with it: a row that is copied to another owner does not open.

use std::fmt;
use std::io;
use std::path::Path;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::private_file::{PrivateFileError, read_or_make};
use super::text::SecretText;

/// The file of the seal key in the data folder, if the configuration names no other place.
pub const SEAL_KEY_FILE: &str = "seal.key";
/// The layout that this engine writes; others are refused by number.
const VERSION: u8 = 1;
/// Bytes of a nonce: long enough to be thrown by dice without ever repeating.
const NONCE_BYTES: usize = 24;

const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// The key that seals the secrets in the store: 32 bytes, wiped when dropped. Its `Debug` shows nothing.
#[derive(Clone)]
pub struct SealKey(Zeroizing<[u8; 32]>);

/// Whom a secret is sealed for; it opens for the same only.
#[derive(Clone, Copy, Debug)]
pub struct SealedFor<'a> {
    /// Whose it is, e.g. a tenant's id.
    pub owner: &'a str,
    /// What it belongs to there, e.g. a destination's id.
    pub name: &'a str,
}

/// Why a text is not a [`SealKey`]. It never quotes the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a seal key is 32 bytes as 64 hexadecimal digits or as base64; make one with `openssl rand -base64 32`")]
pub struct InvalidSealKey;

/// Why a sealed secret does not open.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// It is cut short.
    #[error("the sealed secret of {owner} {name} is cut short; restore the store from a backup")]
    Short {
        /// Whose.
        owner: String,
        /// Of what.
        name: String,
    },
    /// It was written by an engine that knows more.
    #[error(
        "the sealed secret of {owner} {name} has layout {version}, this engine knows {VERSION}; use a later engine"
    )]
    Version {
        /// Whose.
        owner: String,
        /// Of what.
        name: String,
        /// Its layout.
        version: u8,
    },
    /// The tag does not match, which does not tell why.
    #[error(
        "the sealed secret of {owner} {name} does not open: either the seal key is not the one it was sealed with (see seal.key \
         in the configuration, or {SEAL_KEY_FILE} in the data folder), or the stored bytes were changed; bring back the right \
         key, or give it another secret"
    )]
    Refused {
        /// Whose.
        owner: String,
        /// Of what.
        name: String,
    },
}

impl SealKey {
    /// The key that these bytes are.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// A key for another purpose, from which nobody finds this one.
    pub fn derive(&self, purpose: &str) -> [u8; 32] {
        let mac = Hmac::<Sha256>::new_from_slice(&*self.0).expect("a key of any length will do");
        mac.chain_update(purpose).finalize().into_bytes().into()
    }

    /// Reads a key: 64 hexadecimal digits, or base64 of 32 bytes in either alphabet, padded or not.
    ///
    /// # Errors
    /// [`InvalidSealKey`] for anything else.
    pub fn parse(text: &SecretText) -> Result<Self, InvalidSealKey> {
        let text = text.as_str();
        let mut key = Zeroizing::new([0; 32]);
        let bytes = if text.len() == 64 {
            hex::decode(text).map(Zeroizing::new).map_err(|_| InvalidSealKey)?
        } else {
            STANDARD.decode(text).or_else(|_| URL_SAFE.decode(text)).map(Zeroizing::new).map_err(|_| InvalidSealKey)?
        };
        if bytes.len() != key.len() {
            return Err(InvalidSealKey);
        }
        key.copy_from_slice(&bytes);
        Ok(Self(key))
    }

    /// Reads the key from the data folder; at the first start it is made there, for its owner only.
    ///
    /// `random` gives the bytes of a key that must be made.
    ///
    /// # Errors
    /// [`PrivateFileError`]: it cannot be read or written, others can read it, or it holds something else.
    pub fn in_folder(data: &Path, random: impl FnOnce() -> io::Result<[u8; 32]>) -> Result<Self, PrivateFileError> {
        let path = data.join(SEAL_KEY_FILE);
        let text = read_or_make(&path, || {
            let bytes = Zeroizing::new(random()?);
            let mut text = Zeroizing::new(STANDARD.encode(*bytes));
            text.push('\n');
            Ok(text)
        })?;
        Self::parse(&text).map_err(|InvalidSealKey| PrivateFileError::Content { path, wanted: "a seal key" })
    }

    /// Seals `plain` for one owner; `nonce` must be random, and never used before with this key.
    pub fn seal(&self, whom: SealedFor<'_>, plain: &[u8], nonce: [u8; NONCE_BYTES]) -> Vec<u8> {
        let payload = Payload { msg: plain, aad: &whom.authenticated() };
        let ciphertext = self.cipher().encrypt(&XNonce::from(nonce), payload);
        let ciphertext = ciphertext.expect("only 256 GiB would be too long, and a secret has 64 bytes");
        [&[VERSION][..], &nonce, &ciphertext].concat()
    }

    /// Opens what [`Self::seal`] made for the same owner.
    ///
    /// # Errors
    /// [`OpenError`] says what to do.
    pub fn open(&self, whom: SealedFor<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let (owner, name) = (whom.owner.to_owned(), whom.name.to_owned());
        let Some((version, rest)) = sealed.split_first() else { return Err(OpenError::Short { owner, name }) };
        if *version != VERSION {
            return Err(OpenError::Version { owner, name, version: *version });
        }
        let Some((nonce, ciphertext)) = rest.split_first_chunk::<NONCE_BYTES>() else {
            return Err(OpenError::Short { owner, name });
        };
        let payload = Payload { msg: ciphertext, aad: &whom.authenticated() };
        match self.cipher().decrypt(&XNonce::from(*nonce), payload) {
            Ok(plain) => Ok(Zeroizing::new(plain)),
            Err(chacha20poly1305::Error) => Err(OpenError::Refused { owner, name }),
        }
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new((&*self.0).into())
    }
}

impl SealedFor<'_> {
    /// What is authenticated: the layout, and both names with the length of the first, so that no two pairs look alike.
    fn authenticated(self) -> Vec<u8> {
        let length = self.owner.len() as u64;
        [&[VERSION][..], &length.to_be_bytes(), self.owner.as_bytes(), self.name.as_bytes()].concat()
    }
}

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CRM: SealedFor<'_> = SealedFor { owner: "shop", name: "crm" };
    const NONCE: [u8; NONCE_BYTES] = [9; NONCE_BYTES];

    fn key(byte: u8) -> SealKey {
        SealKey::from_bytes([byte; 32])
    }

    fn parse(text: &str) -> Result<[u8; 32], InvalidSealKey> {
        SealKey::parse(&SecretText::new(text.to_owned())).map(|key| *key.0)
    }

    #[test]
    fn promise_8_a_secret_opens_only_with_its_key_for_its_owner_and_unchanged() {
        let sealed = key(1).seal(CRM, b"whsec_plain", NONCE);
        assert!(!sealed.windows(11).any(|window| window == b"whsec_plain"), "it lies there in the clear");
        assert_eq!(key(1).open(CRM, &sealed).expect("opens").as_slice(), b"whsec_plain");

        let refused = Err(OpenError::Refused { owner: "shop".to_owned(), name: "crm".to_owned() });
        assert_eq!(key(2).open(CRM, &sealed), refused);
        for at in 1..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(key(1).open(CRM, &changed), refused, "byte {at}");
        }
        for whom in [SealedFor { owner: "other", name: "crm" }, SealedFor { owner: "shopc", name: "rm" }] {
            assert!(matches!(key(1).open(whom, &sealed), Err(OpenError::Refused { .. })), "{whom:?}");
        }
    }

    #[test]
    fn a_secret_that_does_not_open_says_what_to_do() {
        let sealed = key(1).seal(CRM, b"plain", NONCE);
        assert_eq!(
            key(2).open(CRM, &sealed).expect_err("another key").to_string(),
            "the sealed secret of shop crm does not open: either the seal key is not the one it was sealed with (see seal.key in \
             the configuration, or seal.key in the data folder), or the stored bytes were changed; bring back the right key, or \
             give it another secret"
        );
        assert!(matches!(key(1).open(CRM, &[]), Err(OpenError::Short { .. })));
        assert!(matches!(key(1).open(CRM, &sealed[..20]), Err(OpenError::Short { .. })));
        assert!(matches!(key(1).open(CRM, &[2; 60]), Err(OpenError::Version { version: 2, .. })));
    }

    /// The vector of draft-irtf-cfrg-xchacha-03, appendix A.3.1, cut to what the layout adds: the cipher is the published one.
    #[test]
    fn the_cipher_is_xchacha20_poly1305() {
        let key: [u8; 32] = std::array::from_fn(|at| 0x80 + u8::try_from(at).expect("below 32"));
        let nonce: [u8; 24] = std::array::from_fn(|at| 0x40 + u8::try_from(at).expect("below 24"));
        let aad = [0x50, 0x51, 0x52, 0x53, 0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7];
        let msg = b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.";
        let sealed =
            SealKey::from_bytes(key).cipher().encrypt(&nonce.into(), Payload { msg, aad: &aad }).expect("short");
        assert_eq!(hex::encode(&sealed[..16]), "bd6d179d3e83d43b9576579493c0e939");
        assert_eq!(hex::encode(&sealed[sealed.len() - 16..]), "c0875924c1c7987947deafd8780acf49");
    }

    #[test]
    fn a_key_reads_as_hexadecimal_digits_and_as_base64() {
        assert_eq!(parse(&"fb".repeat(32)), Ok([0xfb; 32]));
        assert_eq!(parse("+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/s="), Ok([0xfb; 32]));
        assert_eq!(parse("-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_s\n"), Ok([0xfb; 32]));
        for bad in ["", "hunter2", &"g".repeat(64), &"fb".repeat(31), &"fb".repeat(33)] {
            let error = parse(bad).expect_err("must be refused");
            assert!(bad.is_empty() || !error.to_string().contains(bad));
        }
    }

    #[test]
    fn the_key_in_the_data_folder_is_made_once_and_never_overwritten() {
        let data = tempfile::tempdir().expect("a folder");
        let made = SealKey::in_folder(data.path(), || Ok([5; 32])).expect("made");
        assert_eq!(*made.0, [5; 32]);
        let read = SealKey::in_folder(data.path(), || panic!("it is there")).expect("read");
        assert_eq!(*read.0, [5; 32]);
        assert_eq!(format!("{read:?}"), "SealKey(…)");

        std::fs::write(data.path().join(SEAL_KEY_FILE), "lost").expect("own file");
        let error = SealKey::in_folder(data.path(), || Ok([6; 32])).map(|_| ()).expect_err("must be refused");
        assert!(matches!(error, PrivateFileError::Content { .. }), "{error}");
    }
}
