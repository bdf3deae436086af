//! Who runs the server: Postgres refuses to run as root.

use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use rustix::process::geteuid;

use crate::PostgresError;

/// Whom a process of root becomes: the user of Debian's package, else the user without rights.
const OTHERS: [&str; 2] = ["postgres", "nobody"];

/// The account that the server runs under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Account {
    /// Whoever we are.
    Own,
    /// Somebody else, because we are root.
    Other { user: u32, group: u32 },
}

impl Account {
    /// # Errors
    /// [`PostgresError::NoAccount`].
    pub(crate) fn find() -> Result<Self, PostgresError> {
        if !geteuid().is_root() {
            return Ok(Self::Own);
        }
        let accounts = fs::read_to_string("/etc/passwd").unwrap_or_default();
        let found = OTHERS.iter().find_map(|name| account_named(&accounts, name));
        found.ok_or(PostgresError::NoAccount)
    }

    /// Lets a command run under this account.
    pub(crate) fn take_over(self, command: &mut Command) {
        if let Self::Other { user, group } = self {
            command.uid(user).gid(group);
        }
    }

    /// Gives a file or folder to this account.
    ///
    /// # Errors
    /// [`PostgresError::File`].
    pub(crate) fn own(self, path: &Path) -> Result<(), PostgresError> {
        let Self::Other { user, group } = self else { return Ok(()) };
        let failed = |source| PostgresError::File { doing: "hand over", path: path.to_owned(), source };
        chown(path, Some(user), Some(group)).map_err(failed)
    }
}

/// Reads `name:password:user:group:…`.
fn account_named(accounts: &str, name: &str) -> Option<Account> {
    let line = accounts.lines().find(|line| line.split(':').next() == Some(name))?;
    let mut ids = line.split(':').skip(2).map(str::parse);
    match (ids.next()?, ids.next()?) {
        (Ok(user), Ok(group)) if user != 0 => Some(Account::Other { user, group }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_found_by_its_whole_name_and_is_never_root() {
        let accounts = "root:x:0:0::/:/bin/sh\npostgres2:x:7:7:::\npostgres:x:105:109::/var:/bin/bash\nbroken:x:\n";
        assert_eq!(account_named(accounts, "postgres"), Some(Account::Other { user: 105, group: 109 }));
        for nobody in ["root", "broken", "absent"] {
            assert_eq!(account_named(accounts, nobody), None, "{nobody}");
        }
    }
}
