//! The secrets that the step names, without their being in its configuration.

use std::fmt;

/// Why a secret is of no use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The step names no secret of this name.
    Unknown(String),
    /// The step lets it be used, and not be read.
    Hidden(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(name) => {
                write!(f, "the step names no secret {name:?}: add secrets = {{ {name} = {{ env = \"…\" }} }} to it")
            }
            Self::Hidden(name) => write!(f, "the step does not let the secret {name:?} be read: reveal = true would"),
        }
    }
}

impl std::error::Error for Refusal {}

/// HMAC with SHA-256 of `data` under the secret `name`, which stays with the host.
///
/// # Errors
/// [`Refusal::Unknown`].
pub fn hmac_sha256(name: &str, data: &[u8]) -> Result<Vec<u8>, Refusal> {
    host::hmac_sha256(name, data)
}

/// The text of the secret `name`. What a plugin knows it can send away.
///
/// # Errors
/// [`Refusal`].
pub fn reveal(name: &str) -> Result<String, Refusal> {
    host::reveal(name)
}

#[cfg(target_family = "wasm")]
mod host {
    use super::Refusal;
    use crate::bindings::secrets;

    pub(super) fn hmac_sha256(name: &str, data: &[u8]) -> Result<Vec<u8>, Refusal> {
        secrets::hmac_sha256(name, data).map_err(|why| refusal(why, name))
    }

    pub(super) fn reveal(name: &str) -> Result<String, Refusal> {
        secrets::reveal(name).map_err(|why| refusal(why, name))
    }

    fn refusal(why: secrets::Refusal, name: &str) -> Refusal {
        match why {
            secrets::Refusal::Unknown => Refusal::Unknown(name.to_owned()),
            secrets::Refusal::Hidden => Refusal::Hidden(name.to_owned()),
        }
    }
}

/// Outside a host, as in native tests: [`crate::testing::Granted`].
#[cfg(not(target_family = "wasm"))]
mod host {
    use hmac::{Hmac, KeyInit as _, Mac as _};
    use sha2::Sha256;

    use super::Refusal;
    use crate::testing::granted;

    pub(super) fn hmac_sha256(name: &str, data: &[u8]) -> Result<Vec<u8>, Refusal> {
        let secret = granted(|host| host.secrets.get(name).cloned());
        let (text, _) = secret.ok_or_else(|| Refusal::Unknown(name.to_owned()))?;
        let mut mac = Hmac::<Sha256>::new_from_slice(text.as_bytes()).expect("HMAC takes keys of every length");
        mac.update(data);
        Ok(mac.finalize().into_bytes().to_vec())
    }

    pub(super) fn reveal(name: &str) -> Result<String, Refusal> {
        match granted(|host| host.secrets.get(name).cloned()) {
            Some((text, true)) => Ok(text),
            Some((_, false)) => Err(Refusal::Hidden(name.to_owned())),
            None => Err(Refusal::Unknown(name.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::granted;

    #[test]
    fn a_secret_is_used_and_read_as_the_step_lets_it() {
        granted(|host| host.secrets.insert("pepper".to_owned(), ("key".to_owned(), false)));
        let mac = hmac_sha256("pepper", b"The quick brown fox jumps over the lazy dog").expect("a secret");
        assert_eq!(mac[..4], [0xf7, 0xbc, 0x83, 0xf4]);
        assert_eq!(reveal("pepper"), Err(Refusal::Hidden("pepper".to_owned())));
        assert!(reveal("other").expect_err("unknown").to_string().contains("secrets = { other = { env"));
    }
}
