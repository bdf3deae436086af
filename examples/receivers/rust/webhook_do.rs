//! Verifies a body of the format webhook-do by the signature that stands last in it. Needs the crates base64, hmac and sha2.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

const MARK: &str = ",\"signature\":\"sha256=";

/// Whether `body` was made with `secret` (`whsec_…`).
pub fn is_verified(body: &str, secret: &str) -> bool {
    let Some((signed, rest)) = body.rsplit_once(MARK) else { return false };
    let Some(given) = rest.strip_suffix("\"}").and_then(from_hex) else { return false };
    let Ok(key) = STANDARD.decode(secret.trim_start_matches("whsec_")) else { return false };
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&key) else { return false };
    mac.update(signed.as_bytes());
    mac.update(b"}");
    // Takes as long whatever is wrong.
    mac.verify_slice(&given).is_ok()
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    if !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}
