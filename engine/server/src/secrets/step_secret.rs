//! A secret that a step lets its plugin use.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use weft_core::name::Name;
use weft_plugin_host::Revealed;

use super::SecretText;

/// The secrets of a tenant's steps, by the steps' names.
pub type StepSecrets = HashMap<Name, Arc<[StepSecret]>>;

/// A secret that a step lets its plugin use, and read only where it says so.
#[derive(Clone)]
pub struct StepSecret {
    name: Name,
    text: SecretText,
    // Keyed once: a plugin may hash many values of each event.
    keyed: Hmac<Sha256>,
    reveal: bool,
}

impl StepSecret {
    /// The secret `name`, which the plugin may read if `reveal`.
    pub fn new(name: Name, text: &SecretText, reveal: bool) -> Self {
        let keyed = Hmac::new_from_slice(text.as_str().as_bytes()).expect("HMAC takes keys of every length");
        Self { name, text: text.clone(), keyed, reveal }
    }

    /// How the step calls it.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// HMAC-SHA256 of `data` under the secret.
    pub fn hmac_sha256(&self, data: &[u8]) -> [u8; 32] {
        let mut mac = self.keyed.clone();
        mac.update(data);
        mac.finalize().into_bytes().into()
    }

    /// What the plugin may know of it.
    pub fn revealed(&self) -> Revealed {
        if self.reveal { Revealed::Text(self.text.as_str().to_owned()) } else { Revealed::Hidden }
    }
}

/// Shows which it is, and nothing of it.
impl fmt::Debug for StepSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StepSecret({})", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn promise_8_a_secret_that_may_be_used_is_not_shown() {
        let secret = |reveal| {
            let text = SecretText::new("key".to_owned());
            StepSecret::new("pepper".parse().expect("a name"), &text, reveal)
        };
        // The HMAC of RFC 4231's kind: OpenSSL says the same of this key and text.
        let mac = secret(false).hmac_sha256(b"The quick brown fox jumps over the lazy dog");
        let hex: String = mac.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8");
        assert_eq!(secret(false).revealed(), Revealed::Hidden);
        assert_eq!(secret(true).revealed(), Revealed::Text("key".to_owned()));
        assert_eq!(format!("{:?}", secret(true)), "StepSecret(pepper)");
    }
}
