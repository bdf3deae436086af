//! Open files: every socket is one, and most systems give a process a thousand until it asks for more.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use weft_server::config::Limits;

/// Files beside the sockets of callers and of attempts: the store's, and connections that are kept.
const OTHERS: u64 = 512;

/// Asks for as many open files as this process may have, and warns if its own limits allow for more sockets than that.
pub(crate) fn allow_for(limits: &Limits) {
    let sockets = limits.api_requests + limits.attempts + limits.attempts_slow;
    let needed = u64::try_from(sockets).unwrap_or(u64::MAX).saturating_add(OTHERS);
    let allowed = raise();
    if allowed < needed {
        tracing::warn!(
            "only {allowed} files may be open, and api_requests_max, attempts_max and attempts_slow_max may need {needed}: \
             raise the hard limit (LimitNOFILE= of systemd, ulimit -Hn), or lower these"
        );
    }
}

/// Raises the limit of open files to what the system allows at most; answers how many there may be.
fn raise() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
        tracing::warn!(error = &error as &dyn std::error::Error, "the limit of open files could not be raised");
    }
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_files_may_be_open_as_the_system_allows() {
        let limit = getrlimit(Resource::Nofile);
        let Some(most) = limit.maximum else { return };
        setrlimit(Resource::Nofile, Rlimit { current: Some(most - 1), ..limit }).expect("less is always allowed");
        assert_eq!(raise(), most);
    }
}
