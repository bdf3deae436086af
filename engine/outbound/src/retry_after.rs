//! What a receiver's `Retry-After` asks for.

use std::time::{Duration, UNIX_EPOCH};

use http::HeaderMap;
use http::header::RETRY_AFTER;
use weft_core::time::Timestamp;

/// The wait that `headers` ask for at `now`, given in seconds or as an HTTP date (RFC 9110, section 10.2.3).
///
/// A date that has passed is a wait of zero; what is neither form is as good as absent.
pub(crate) fn asked_for(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        // Only a number beyond 64 bits fails to parse: a wait without end, which the retry policy caps.
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    let date = httpdate::parse_http_date(text).ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(Timestamp::from_ms(i64::try_from(date.as_millis()).ok()?).since(now))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    /// Sun, 06 Nov 1994 08:49:37 GMT, the date that RFC 9110 writes in three ways.
    const NOW: Timestamp = Timestamp::from_ms(784_111_777_000);

    #[test]
    fn a_retry_after_is_read_in_both_forms_and_ignored_in_any_other() {
        for (text, wait) in [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("99999999999999999999999", Some(u64::MAX)),
            ("Sun, 06 Nov 1994 08:50:37 GMT", Some(60)),
            ("Sunday, 06-Nov-94 08:50:37 GMT", Some(60)),
            ("Sun Nov  6 08:50:37 1994", Some(60)),
            ("Sun, 06 Nov 1994 08:48:37 GMT", Some(0)),
            ("", None),
            ("-5", None),
            ("1.5", None),
            ("soon", None),
        ] {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(text))]);
            assert_eq!(asked_for(&headers, NOW), wait.map(Duration::from_secs), "{text:?}");
        }
        assert_eq!(asked_for(&HeaderMap::new(), NOW), None);
    }
}
