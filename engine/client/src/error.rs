//! Why a call of the API gave no result.

use std::time::Duration;

use crate::wire::Problem;

/// Why a call of the API gave no result. Its text never holds a key.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// An option of the client breaks its rule.
    #[error("{key} {value:?} {rule}")]
    Option {
        /// Which option.
        key: &'static str,
        /// What it is; a key is never shown.
        value: String,
        /// The rule and the way out.
        rule: &'static str,
    },
    /// The HTTP client could not be set up.
    #[error("could not set up the HTTP client")]
    Setup(#[source] reqwest::Error),
    /// Nobody listens at the URL, or it cannot be reached. The engine has not seen the request.
    #[error("could not connect to {url}: is the engine running there? start it with `weft serve`, or name another URL")]
    Connect {
        /// Where the engine was looked for.
        url: String,
        /// What the network said.
        #[source]
        source: reqwest::Error,
    },
    /// The answer did not come in time. What the request asked for may have been done.
    #[error("no answer from {url} within {} s; what was asked for may have been done", after.as_secs_f64())]
    Timeout {
        /// What was called.
        url: String,
        /// How long was waited.
        after: Duration,
    },
    /// The connection broke off before the whole answer was there. What the request asked for may have been done.
    #[error("the connection to {url} broke off; what was asked for may have been done")]
    Broken {
        /// What was called.
        url: String,
        /// What the network said.
        #[source]
        source: reqwest::Error,
    },
    /// The engine began to answer and could not finish.
    #[error("it was broken off: {reason}")]
    BrokenOff {
        /// What the engine said of it.
        reason: String,
    },
    /// The engine refused, and said why.
    #[error("{0}")]
    Refused(Box<Problem>),
    /// What answered does not speak as an engine of this version does.
    #[error("{url} answered {status}, which is not what an engine answers: {body:?}")]
    Unexpected {
        /// What was called.
        url: String,
        /// The answer's status.
        status: u16,
        /// The beginning of the answer.
        body: String,
        /// Why it could not be read, if its status promised that it could.
        #[source]
        source: Option<serde_json::Error>,
    },
}

impl ClientError {
    /// The problem, if the engine refused.
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Refused(problem) => Some(problem),
            Self::Option { .. }
            | Self::Setup(_)
            | Self::Connect { .. }
            | Self::Timeout { .. }
            | Self::Broken { .. }
            | Self::BrokenOff { .. }
            | Self::Unexpected { .. } => None,
        }
    }
}
