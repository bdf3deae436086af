//! Where the programs of Postgres are.

use std::cmp::Reverse;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::PostgresError;

/// The environment variable that names the folder of the programs, where they are in none of the usual places.
pub const BINARIES_VARIABLE: &str = "WEFT_POSTGRES_BIN";

/// Where Debian puts the programs of each major version, which it keeps out of `PATH`.
const DEBIAN: &str = "/usr/lib/postgresql";

/// The folder with the programs of one version of Postgres.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binaries(PathBuf);

impl Binaries {
    /// Finds a server: where [`BINARIES_VARIABLE`] says, on `PATH`, else the newest that Debian has installed.
    ///
    /// # Errors
    /// [`PostgresError::NotFound`] says how to get one.
    pub fn find() -> Result<Self, PostgresError> {
        let debian = versions_in(Path::new(DEBIAN));
        match env::var_os(BINARIES_VARIABLE).map(PathBuf::from) {
            Some(named) if has_server(&named) => Ok(Self(named)),
            Some(named) => Err(PostgresError::NotThere(named)),
            None => first_with_server(search_path().chain(debian)).ok_or(PostgresError::NotFound),
        }
    }

    /// A command of the program `name`, free of what the environment says about other servers, speaking English.
    pub(crate) fn command(&self, name: &str) -> Command {
        let mut command = Command::new(self.path(name));
        clean(&mut command);
        command
    }

    /// Where the program `name` is.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

/// `psql` beside a server, or alone: it is enough to speak to a server that somebody else runs.
pub(crate) fn psql() -> Command {
    let folders = search_path().chain(versions_in(Path::new(DEBIAN)));
    let beside_server = env::var_os(BINARIES_VARIABLE).map(PathBuf::from);
    let found = beside_server.into_iter().chain(folders).map(|folder| folder.join("psql")).find(|file| file.is_file());
    let mut command = Command::new(found.unwrap_or_else(|| "psql".into()));
    clean(&mut command);
    command
}

/// Takes what the environment says about other servers out of a command, and lets it speak English.
pub(crate) fn clean(command: &mut Command) {
    for (name, _) in env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"PG")) {
        command.env_remove(name);
    }
    command.env("LC_ALL", "C");
}

fn search_path() -> impl Iterator<Item = PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).collect::<Vec<_>>().into_iter()
}

fn first_with_server(folders: impl Iterator<Item = PathBuf>) -> Option<Binaries> {
    folders.into_iter().find(|folder| has_server(folder)).map(Binaries)
}

fn has_server(folder: &Path) -> bool {
    ["initdb", "postgres"].iter().all(|program| folder.join(program).is_file())
}

/// `<root>/<version>/bin` for every version, newest first.
fn versions_in(root: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(root).into_iter().flatten().flatten();
    let mut versions: Vec<(u32, PathBuf)> =
        entries.filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path()))).collect();
    versions.sort_by_key(|(version, _)| Reverse(*version));
    versions.into_iter().map(|(_, folder)| folder.join("bin")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_version_comes_first_and_other_folders_are_none() {
        let root = tempfile::tempdir().expect("a folder");
        for name in ["9", "15", "17", "common"] {
            fs::create_dir(root.path().join(name)).expect("a folder");
        }
        let expected: Vec<_> = ["17", "15", "9"].iter().map(|name| root.path().join(name).join("bin")).collect();
        assert_eq!(versions_in(root.path()), expected);
    }

    #[test]
    fn a_folder_with_clients_only_is_no_server() {
        let (clients, server) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        fs::write(clients.path().join("psql"), "").expect("a file");
        fs::write(server.path().join("initdb"), "").expect("a file");
        fs::write(server.path().join("postgres"), "").expect("a file");
        let folders = || [clients.path().to_owned(), server.path().to_owned()].into_iter();
        assert_eq!(first_with_server(folders()), Some(Binaries(server.path().to_owned())));
        assert_eq!(first_with_server(folders().take(1)), None);
    }

    #[test]
    fn the_words_without_postgres_name_the_ways_out() {
        let words = PostgresError::NotFound.to_string();
        assert!(words.starts_with("Postgres was not found: "), "{words}");
        assert!(
            words.contains("install the Debian package postgresql") && words.contains(BINARIES_VARIABLE),
            "{words}"
        );
    }
}
