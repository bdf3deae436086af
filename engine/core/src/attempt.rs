//! One try at a delivery, and what happened.

use std::time::Duration;

use crate::event::Header;
use crate::time::Timestamp;

/// One try at a delivery, as it is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// 1 for the first.
    pub number: u32,
    /// When it began.
    pub started_at: Timestamp,
    /// How long it took.
    pub took: Duration,
    /// What happened.
    pub outcome: AttemptOutcome,
    /// What came back, kept for failures only.
    pub response: Option<ResponseSample>,
}

/// What happened to an attempt. None of these is an error of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttemptOutcome {
    /// The receiver answered as it does when it accepts: 2xx, unless its destination says otherwise.
    Accepted {
        /// Its status.
        status: u16,
    },
    /// The receiver answered anything else; redirects are not followed.
    Rejected {
        /// Its status.
        status: u16,
        /// What its `Retry-After` asked for.
        retry_after: Option<Duration>,
    },
    /// The time limit passed.
    TimedOut {
        /// What was being waited for.
        waiting_for: Waiting,
    },
    /// No answer could be had: name, connection, TLS or HTTP failed.
    Unreachable {
        /// For a person; never holds a secret.
        reason: String,
    },
    /// The address guard refused to dial.
    Forbidden {
        /// Which address, by which rule.
        reason: String,
    },
}

/// What an attempt was waiting for when its time passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// A connection.
    Connection,
    /// A response.
    Response,
}

impl AttemptOutcome {
    /// The word for this outcome in tables, metrics and the API.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Accepted { .. } => "accepted",
            Self::Rejected { .. } => "rejected",
            Self::TimedOut { .. } => "timed-out",
            Self::Unreachable { .. } => "unreachable",
            Self::Forbidden { .. } => "forbidden",
        }
    }

    /// The receiver's status, if it answered.
    pub const fn status(&self) -> Option<u16> {
        match self {
            Self::Accepted { status } | Self::Rejected { status, .. } => Some(*status),
            Self::TimedOut { .. } | Self::Unreachable { .. } | Self::Forbidden { .. } => None,
        }
    }

    /// One sentence part for a person: what the receiver or the network did.
    pub fn describe(&self) -> String {
        match self {
            Self::Accepted { status } => format!("accepted with {status}"),
            Self::Rejected { status, .. } => format!("rejected with {status}"),
            Self::TimedOut { waiting_for: Waiting::Connection } => "timed out waiting for a connection".to_owned(),
            Self::TimedOut { waiting_for: Waiting::Response } => "timed out waiting for a response".to_owned(),
            Self::Unreachable { reason } => format!("unreachable: {reason}"),
            Self::Forbidden { reason } => format!("forbidden: {reason}"),
        }
    }
}

/// The beginning of a response, for the person who must find out why a receiver refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResponseSample {
    /// As the receiver sent them.
    pub headers: Vec<Header>,
    /// The first bytes of the body.
    pub body: bytes::Bytes,
}
