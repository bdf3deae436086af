//! Secrets: how they are read, made, kept and compared (promise 8).
//!
//! A secret's text lives in [`SecretText`], which shows nothing and is wiped. It comes from the environment or a file
//! ([`SecretRef`]), or lies sealed in the store ([`SealKey`]). API keys are kept as hashes ([`KeyHash`]). No error and no
//! `Debug` here holds a secret.

mod api_key;
mod chance;
mod private_file;
mod reference;
mod seal;
mod step_secret;
mod text;

pub use api_key::{InvalidKey, KeyHash, OPERATOR_KEY_FILE, operator_key};
pub use chance::{fill_random, random_bytes};
pub use private_file::PrivateFileError;
pub use reference::{SecretError, SecretRef};
pub use seal::{InvalidSealKey, OpenError, SEAL_KEY_FILE, SealKey, SealedFor};
pub use step_secret::{StepSecret, StepSecrets};
pub use text::SecretText;
