//! A secret by reference: the name of an environment variable, or a file.

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::PathBuf;

use zeroize::Zeroizing;

use super::text::SecretText;

/// Largest file that is read as a secret: a private key in PEM has 4 KiB.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// Where a secret's text is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretRef {
    /// In the environment variable of this name.
    Env(String),
    /// In this file, whole, white space around it left out.
    File(PathBuf),
}

/// Why a secret could not be read. It names the variable or the file, never the value.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The variable does not exist.
    #[error("the environment variable {0} is not set; set it for the engine's process")]
    Unset(String),
    /// The variable is no text.
    #[error("the environment variable {0} is not UTF-8 text")]
    VariableText(String),
    /// The file could not be read.
    #[error("the file {} cannot be read", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is no text.
    #[error("the file {} is not UTF-8 text", .0.display())]
    FileText(PathBuf),
    /// The file is too large to be a secret.
    #[error("the file {} is larger than {FILE_BYTES_MAX} bytes; a secret is shorter", .0.display())]
    FileSize(PathBuf),
    /// There is nothing but white space.
    #[error("{0} is empty")]
    Empty(SecretRef),
}

impl SecretRef {
    /// Reads the secret.
    ///
    /// # Errors
    /// One variant of [`SecretError`] for each way in which a variable or a file can fail.
    pub fn resolve(&self) -> Result<SecretText, SecretError> {
        self.resolve_from(&|name| env::var_os(name))
    }

    /// The same with another environment.
    pub(crate) fn resolve_from(
        &self,
        environment: &dyn Fn(&str) -> Option<OsString>,
    ) -> Result<SecretText, SecretError> {
        let text = match self {
            Self::Env(name) => environment(name)
                .ok_or_else(|| SecretError::Unset(name.clone()))?
                .into_string()
                .map_err(|_| SecretError::VariableText(name.clone()))?,
            Self::File(path) => read_file(path)?,
        };
        let text = SecretText::new(text);
        if text.as_str().is_empty() { Err(SecretError::Empty(self.clone())) } else { Ok(text) }
    }

    /// Says so if every user of the machine can read the file. A variable, or a file that cannot be looked at, says nothing.
    #[cfg(unix)]
    pub fn exposure(&self) -> Option<String> {
        use std::os::unix::fs::PermissionsExt as _;
        let Self::File(path) = self else { return None };
        let mode = fs::metadata(path).ok()?.permissions().mode();
        let path = path.display();
        (mode & 0o004 != 0).then(|| format!("every user of this machine can read {path}; chmod 600 {path}"))
    }

    /// Says so if every user of the machine can read the file; file modes are known on Unix only.
    #[cfg(not(unix))]
    pub fn exposure(&self) -> Option<String> {
        None
    }
}

fn read_file(path: &PathBuf) -> Result<String, SecretError> {
    let failed = |source| SecretError::File { path: path.clone(), source };
    let mut bytes = Zeroizing::new(Vec::new());
    File::open(path).and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)).map_err(failed)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(SecretError::FileSize(path.clone()));
    }
    std::str::from_utf8(&bytes).map(str::to_owned).map_err(|_| SecretError::FileText(path.clone()))
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "the environment variable {name}"),
            Self::File(path) => write!(f, "the file {}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_file(text: &[u8]) -> (tempfile::TempDir, SecretRef) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("secret");
        fs::write(&path, text).expect("a file");
        (folder, SecretRef::File(path))
    }

    #[test]
    fn a_secret_is_read_from_a_variable_or_a_file_without_its_line_break() {
        let variable = SecretRef::Env("SHOP_KEY".to_owned());
        let text = variable.resolve_from(&|name| (name == "SHOP_KEY").then(|| "abc".into())).expect("a secret");
        assert_eq!(text.as_str(), "abc");
        let (_folder, file) = in_file(b"abc\r\n");
        assert_eq!(file.resolve().expect("a secret").as_str(), "abc");
    }

    #[test]
    fn promise_8_an_error_names_the_place_of_a_secret_and_never_its_text() {
        let missing = SecretRef::Env("WEFT_TEST_NEVER_SET".to_owned()).resolve().expect_err("not set");
        assert!(missing.to_string().contains("WEFT_TEST_NEVER_SET"), "{missing}");

        let (_folder, file) = in_file(b"hunter2\xff");
        let error = file.resolve().expect_err("no text");
        assert!(error.to_string().ends_with("secret is not UTF-8 text"), "{error}");
        assert!(!format!("{error:?}").contains("hunter2"));

        let (_folder, file) = in_file(b" \n");
        assert!(matches!(file.resolve(), Err(SecretError::Empty(_))));
        let (_folder, file) = in_file(&vec![b'a'; 65_537]);
        assert!(matches!(file.resolve(), Err(SecretError::FileSize(_))));
        let text = SecretText::new("hunter2".to_owned());
        assert_eq!(format!("{text:?}"), "SecretText(…)");
    }

    #[cfg(unix)]
    #[test]
    fn promise_8_a_file_that_every_user_can_read_is_pointed_out() {
        use std::os::unix::fs::PermissionsExt as _;
        let (_folder, file) = in_file(b"abc");
        let SecretRef::File(path) = &file else { unreachable!("made above") };
        let set = |mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("own file");
        set(0o644);
        assert!(file.exposure().expect("a warning").contains("chmod 600"));
        set(0o640);
        assert_eq!(file.exposure(), None);
    }
}
