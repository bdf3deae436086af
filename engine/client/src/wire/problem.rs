//! What a refusal looks like: RFC 9457.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The content type of a problem (RFC 9457, section 3).
pub const PROBLEM_CONTENT_TYPE: &str = "application/problem+json";
/// What every problem type of Weft begins with; the word after it is stable, and programs may branch on it.
pub const PROBLEM_TYPE_PREFIX: &str = "urn:weft:problem:";

/// Why a request was refused, and what to do about it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// A URN, the same for all problems of one kind, e.g. `urn:weft:problem:malformed-json`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind in a few words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What was wrong with this very request, and the way out.
    pub detail: String,
    /// The header, field, parameter or limit that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The rule that was not kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// The event that was stored first, if the request contradicts one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// The line of the payload, counted from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// The column in that line, counted in bytes from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<usize>,
}

impl Problem {
    /// The word of the kind, without the URN around it.
    pub fn word(&self) -> &str {
        self.kind.strip_prefix(PROBLEM_TYPE_PREFIX).unwrap_or(&self.kind)
    }
}

/// One line for a person: status, title and detail, then the rule if the detail does not say it.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.status, self.title, self.detail)?;
        match &self.rule {
            Some(rule) if !self.detail.contains(rule.as_str()) => write!(f, " ({rule})"),
            Some(_) | None => Ok(()),
        }
    }
}
