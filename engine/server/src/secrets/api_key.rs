//! Keys of the HTTP API: the operator's, which is made at the first start, and the tenants', which are hashed.

use std::fmt;
use std::io;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::private_file::{PrivateFileError, read_or_make};
use super::text::SecretText;

/// The file of the operator's key in the data folder.
pub const OPERATOR_KEY_FILE: &str = "operator.key";
/// What the operator's key starts with, so that scanners and people recognise one that has leaked.
const OPERATOR_PREFIX: &str = "weft_op_";
/// Fewest characters of a key: 32 hexadecimal digits are 128 bits.
const KEY_CHARS_MIN: usize = 32;
/// Most characters of a key; it travels in a header.
const KEY_CHARS_MAX: usize = 256;
/// Fewest different characters: 32 random hexadecimal digits have fewer less than once in a million.
const KEY_CHARS_DIFFERENT_MIN: usize = 8;

/// What is kept of a key: its SHA-256.
///
/// A slow hash protects passwords, which can be guessed. A key holds at least 128 random bits, which no speed of guessing
/// reaches, and it is hashed for every request.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyHash([u8; 32]);

/// Why a text will not do as a key. It never quotes the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKey {
    /// It is too short or too long.
    #[error(
        "a key has {KEY_CHARS_MIN} to {KEY_CHARS_MAX} characters, this one has {0}; make one with `openssl rand -base64 32`"
    )]
    Length(usize),
    /// It holds something that a header cannot carry.
    #[error("a key is made of visible ASCII characters without spaces")]
    Characters,
    /// It is not random.
    #[error("a key must be random, this one repeats itself; make one with `openssl rand -base64 32`")]
    Guessable,
}

impl KeyHash {
    /// The hash of whatever a request gave as its key.
    pub fn of(key: &str) -> Self {
        Self(Sha256::digest(key.as_bytes()).into())
    }

    /// The hash of a tenant's key, which must be long and varied enough for a fast hash.
    ///
    /// # Errors
    /// [`InvalidKey`] says which rule the text breaks.
    pub fn of_tenant_key(key: &SecretText) -> Result<Self, InvalidKey> {
        let key = key.as_str();
        if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(InvalidKey::Characters);
        }
        if !(KEY_CHARS_MIN..=KEY_CHARS_MAX).contains(&key.len()) {
            return Err(InvalidKey::Length(key.len()));
        }
        let different = key.bytes().collect::<std::collections::BTreeSet<_>>().len();
        if different < KEY_CHARS_DIFFERENT_MIN {
            return Err(InvalidKey::Guessable);
        }
        Ok(Self::of(key))
    }

    /// A hash that was kept.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes, as the tables keep them.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyHash(…)")
    }
}

/// Reads the operator's key from the data folder; at the first start it is made there, for its owner only.
///
/// `random` gives the bytes of a key that must be made.
///
/// # Errors
/// [`PrivateFileError`]: it cannot be read or written, others can read it, or it holds something else.
pub fn operator_key(
    data: &Path,
    random: impl FnOnce() -> io::Result<[u8; 32]>,
) -> Result<SecretText, PrivateFileError> {
    let path = data.join(OPERATOR_KEY_FILE);
    let key = read_or_make(&path, || {
        let bytes = Zeroizing::new(random()?);
        Ok(Zeroizing::new(format!("{OPERATOR_PREFIX}{}\n", Zeroizing::new(URL_SAFE_NO_PAD.encode(*bytes)).as_str())))
    })?;
    let bytes = key.as_str().strip_prefix(OPERATOR_PREFIX).and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
    if bytes.map(Zeroizing::new).is_none_or(|bytes| bytes.len() != 32) {
        return Err(PrivateFileError::Content { path, wanted: "an operator's key (weft_op_…)" });
    }
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn hash(key: &str) -> Result<KeyHash, InvalidKey> {
        KeyHash::of_tenant_key(&SecretText::new(key.to_owned()))
    }

    #[test]
    fn a_tenants_key_is_kept_as_its_sha_256() {
        let key = "0123456789abcdef0123456789abcdef";
        assert_eq!(hash(key), Ok(KeyHash::of(key)));
        let known = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
        let hex: String = KeyHash::of("secret").as_bytes().iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(hex, known);
    }

    #[test]
    fn promise_8_a_key_that_could_be_guessed_is_refused_without_being_quoted() {
        for (bad, why) in [
            ("hunter2", InvalidKey::Length(7)),
            ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", InvalidKey::Guessable),
            ("0123456789abcdef 0123456789abcdef", InvalidKey::Characters),
            ("ä0123456789abcdef0123456789abcdef", InvalidKey::Characters),
        ] {
            let error = hash(bad).expect_err("must be refused");
            assert_eq!(error, why);
            assert!(!error.to_string().contains(bad));
        }
        assert_eq!(hash(&"0123456789abcdef".repeat(17)), Err(InvalidKey::Length(272)));
    }

    #[test]
    fn the_operators_key_is_made_once_and_read_afterwards() {
        let data = tempfile::tempdir().expect("a folder");
        let made = operator_key(data.path(), || Ok([7; 32])).expect("made");
        assert_eq!(made.as_str(), "weft_op_BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc");
        let read = operator_key(data.path(), || panic!("it is there")).expect("read");
        assert_eq!(read.as_str(), made.as_str());
    }

    #[test]
    fn an_operator_file_that_holds_something_else_is_never_overwritten() {
        let data = tempfile::tempdir().expect("a folder");
        operator_key(data.path(), || Ok([7; 32])).expect("made");
        fs::write(data.path().join(OPERATOR_KEY_FILE), "weft_op_short").expect("own file");
        let error = operator_key(data.path(), || Ok([8; 32])).expect_err("must be refused");
        assert!(
            error.to_string().ends_with("does not hold an operator's key (weft_op_…); restore it from a backup"),
            "{error}"
        );
        assert!(!error.to_string().contains("short"));
    }

    #[test]
    fn a_data_folder_that_is_missing_is_named() {
        let error = operator_key(Path::new("/nowhere/at/all"), || Ok([7; 32])).expect_err("no folder");
        assert!(matches!(&error, PrivateFileError::Write { .. }), "{error}");
        assert!(error.to_string().contains("/nowhere/at/all/operator.key"));
    }

    #[cfg(unix)]
    #[test]
    fn promise_8_the_operators_key_is_for_its_owner_only() {
        use std::os::unix::fs::PermissionsExt as _;
        let data = tempfile::tempdir().expect("a folder");
        operator_key(data.path(), || Ok([7; 32])).expect("made");
        let path = data.path().join(OPERATOR_KEY_FILE);
        assert_eq!(fs::metadata(&path).expect("it is there").permissions().mode() & 0o777, 0o600);

        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("own file");
        let error = operator_key(data.path(), || Ok([8; 32])).expect_err("must be refused");
        assert!(matches!(&error, PrivateFileError::Exposed { mode: 0o640, .. }));
        assert!(error.to_string().contains("chmod 600"), "{error}");
    }
}
