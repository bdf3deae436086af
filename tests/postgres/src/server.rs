//! A server that answers, whoever runs it.

use std::process::Stdio;

use crate::{PostgresError, binaries};

/// Seconds after which a connection that is not answered is given up.
const CONNECT_SECONDS_MAX: &str = "10";

/// Where a server answers, and as whom it is asked. It must be allowed to create databases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// `postgres://user@host:port`, without a database.
    root: String,
    /// What followed the database, with its `?`.
    parameters: String,
}

impl Server {
    /// A server by its URL; a database in it is left out of account.
    pub fn at(url: &str) -> Self {
        let (address, parameters) = url.split_at(url.find('?').unwrap_or(url.len()));
        let host = address.find("://").map_or(0, |scheme| scheme + 3);
        let end = address[host..].find('/').map_or(address.len(), |slash| host + slash);
        Self { root: address[..end].to_owned(), parameters: parameters.to_owned() }
    }

    /// The URL of one of its databases.
    pub fn url(&self, database: &str) -> String {
        format!("{}/{database}{}", self.root, self.parameters)
    }

    /// Creates a database, empty and in UTF-8.
    ///
    /// # Errors
    /// [`PostgresError::Failed`] with what the server says, e.g. that there is one of that name.
    pub fn create_database(&self, name: &str) -> Result<(), PostgresError> {
        // Of template0, because template1 cannot be copied while somebody looks into it.
        let create = format!("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'", quoted(name));
        self.query("postgres", &create).map(drop)
    }

    /// Drops a database, if it is there, and whoever is connected to it.
    ///
    /// # Errors
    /// [`PostgresError::Failed`] with what the server says.
    pub fn drop_database(&self, name: &str) -> Result<(), PostgresError> {
        self.query("postgres", &format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", quoted(name))).map(drop)
    }

    /// Runs one statement in a database and answers its rows: a line each, columns separated by `|`.
    ///
    /// # Errors
    /// [`PostgresError::Program`] if there is no `psql`, [`PostgresError::Failed`] with what the server or `psql` says.
    pub fn query(&self, database: &str, statement: &str) -> Result<String, PostgresError> {
        let mut psql = binaries::psql();
        let program = psql.get_program().to_string_lossy().into_owned();
        psql.args(["-X", "-q", "-A", "-t", "-w", "-v", "ON_ERROR_STOP=1", "-c", statement, "-d"]);
        psql.arg(self.url(database)).env("PGCONNECT_TIMEOUT", CONNECT_SECONDS_MAX).stdin(Stdio::null());
        let output = psql.output();
        let output =
            output.map_err(|source| PostgresError::Program { doing: "start", program: program.clone(), source })?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            return Err(PostgresError::Failed { program, status: output.status, said });
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
    }
}

/// An identifier as SQL wants it.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_known_by_any_url_of_it() {
        let plain = Server::at("postgres://me:word@127.0.0.1:5432");
        for url in ["postgres://me:word@127.0.0.1:5432/", "postgres://me:word@127.0.0.1:5432/there"] {
            assert_eq!(Server::at(url), plain);
        }
        assert_eq!(plain.url("here"), "postgres://me:word@127.0.0.1:5432/here");
        let with_parameters = Server::at("postgres://me@db/there?sslmode=require");
        assert_eq!(with_parameters.url("here"), "postgres://me@db/here?sslmode=require");
    }

    #[test]
    fn a_name_is_quoted_whatever_it_holds() {
        assert_eq!(quoted(r#"a "b""#), r#""a ""b""""#);
    }
}
