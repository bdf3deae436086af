//! Random bytes for keys, secrets and nonces.

use std::io;

/// Random bytes of the operating system, fit for keys and nonces.
///
/// # Errors
/// The operating system has no random bytes to give.
pub fn random_bytes<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    fill_random(&mut bytes)?;
    Ok(bytes)
}

/// The same into `bytes`.
///
/// # Errors
/// The operating system has no random bytes to give.
pub fn fill_random(bytes: &mut [u8]) -> io::Result<()> {
    #[expect(clippy::disallowed_methods, reason = "the one place where secrets get their chance")]
    getrandom::fill(bytes).map_err(io::Error::from)
}
