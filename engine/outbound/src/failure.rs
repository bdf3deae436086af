//! What went wrong on the way to an answer, in words for a person.
//!
//! The causes come from five crates, boxed into each other. The first one that this crate knows decides, looked for from the
//! outside in; no text here holds more of the URL than its host.

use std::error::Error;
use std::io;

use weft_core::attempt::{AttemptOutcome, Waiting};

use crate::connect::NameFailure;
use crate::guard::Forbidden;

/// Longest reason kept of a failure whose words are not ours.
const REASON_CHARS_MAX: usize = 200;
const CLOSED: &str = "the connection was closed before the answer was complete";

/// The outcome that `error` amounts to.
pub(crate) fn outcome(error: &(dyn Error + 'static)) -> AttemptOutcome {
    let mut cause = Some(error);
    let mut innermost = error;
    while let Some(error) = cause {
        if let Some(outcome) = known(error) {
            return outcome;
        }
        innermost = error;
        cause = inner(error);
    }
    unreachable(innermost.to_string())
}

/// An attempt that found no answer, for this reason.
pub(crate) fn unreachable(reason: impl Into<String>) -> AttemptOutcome {
    let mut reason: String = reason.into();
    if let Some((end, _)) = reason.char_indices().nth(REASON_CHARS_MAX) {
        reason.truncate(end);
    }
    AttemptOutcome::Unreachable { reason }
}

fn known(error: &(dyn Error + 'static)) -> Option<AttemptOutcome> {
    if let Some(forbidden) = error.downcast_ref::<Forbidden>() {
        return Some(AttemptOutcome::Forbidden { reason: forbidden.to_string() });
    }
    if let Some(failure) = error.downcast_ref::<NameFailure>() {
        return Some(match failure {
            NameFailure::Forbidden { first, .. } => AttemptOutcome::Forbidden { reason: format!("{failure}: {first}") },
            NameFailure::Unresolved { source, .. } => unreachable(format!("{failure}: {source}")),
        });
    }
    if let Some(tls) = error.downcast_ref::<rustls::Error>() {
        return Some(unreachable(format!("tls: {tls}")));
    }
    if let Some(http) = error.downcast_ref::<hyper::Error>() {
        return of_http(http);
    }
    if let Some(io) = error.downcast_ref::<io::Error>() {
        return of_io(io);
    }
    None
}

fn of_http(error: &hyper::Error) -> Option<AttemptOutcome> {
    if error.is_parse_too_large() {
        return Some(unreachable("the head of the answer is too large"));
    }
    if error.is_parse() {
        return Some(unreachable(format!("the answer is not HTTP: {error}")));
    }
    if error.is_incomplete_message() {
        return Some(unreachable(CLOSED));
    }
    None
}

fn of_io(error: &io::Error) -> Option<AttemptOutcome> {
    let kind = error.kind();
    if kind == io::ErrorKind::TimedOut {
        return Some(AttemptOutcome::TimedOut { waiting_for: Waiting::Connection });
    }
    if kind == io::ErrorKind::UnexpectedEof {
        // By this kind hyper says that a body, and rustls that a session, was cut short.
        return Some(unreachable(CLOSED));
    }
    // Someone else's error in an I/O error's clothes says more than the clothes.
    error.get_ref().is_none().then(|| unreachable(kind.to_string()))
}

/// The cause inside `error`. An I/O error's own `source` skips the error that it wraps.
fn inner<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    if let Some(wrapped) = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        return Some(wrapped);
    }
    error.source()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_found_under_whatever_wraps_it() {
        let forbidden = crate::AddressGuard::default().check([127, 0, 0, 1].into()).expect_err("loopback");
        let wrapped = io::Error::other(io::Error::other(forbidden));
        assert!(matches!(outcome(&wrapped), AttemptOutcome::Forbidden { reason } if reason.contains("127.0.0.0/8")));
    }

    #[test]
    fn a_tls_error_keeps_its_words_under_an_io_error() {
        let wrapped = io::Error::new(io::ErrorKind::InvalidData, rustls::Error::General("no".to_owned()));
        assert_eq!(outcome(&wrapped), unreachable("tls: unexpected error: no"));
    }

    #[test]
    fn a_foreign_reason_is_cut() {
        let AttemptOutcome::Unreachable { reason } = outcome(&io::Error::other("é".repeat(1000))) else {
            panic!("must be unreachable")
        };
        assert_eq!(reason.chars().count(), REASON_CHARS_MAX);
    }
}
