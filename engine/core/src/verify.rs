//! What a receiver does with a Standard Webhooks signature of version `v1`, as its libraries do.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::sign::SigningSecret;
use crate::time::Timestamp;

/// How far a timestamp may be off, in both directions: what the libraries take.
pub const TOLERANCE: Duration = Duration::from_mins(5);

/// A request as it came: the three headers, as far as they are there, and the exact bytes of the body.
#[derive(Clone, Copy, Debug)]
pub struct SignedRequest<'a> {
    /// `webhook-id`.
    pub id: Option<&'a str>,
    /// `webhook-timestamp`.
    pub timestamp: Option<&'a str>,
    /// `webhook-signature`.
    pub signature: Option<&'a str>,
    /// The body.
    pub body: &'a [u8],
}

/// Why a request does not verify.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotVerified {
    /// A header is missing or empty.
    #[error("the header {0} is missing")]
    Missing(&'static str),
    /// The timestamp is no number.
    #[error("the header webhook-timestamp holds no number of seconds")]
    Timestamp,
    /// The timestamp is too far off.
    #[error("webhook-timestamp is more than five minutes off")]
    Stale,
    /// No token is that of a secret.
    #[error("no token of webhook-signature is that of a secret which is known here")]
    Signature,
}

/// Verifies a request that came at `now` with any of `secrets`.
///
/// # Errors
/// [`NotVerified`]; never says which of several secrets or tokens was nearly right.
pub fn verify(secrets: &[SigningSecret], request: &SignedRequest<'_>, now: Timestamp) -> Result<(), NotVerified> {
    let there = |value: Option<_>, name| value.filter(|it: &&str| !it.is_empty()).ok_or(NotVerified::Missing(name));
    let id = there(request.id, "webhook-id")?;
    let timestamp = there(request.timestamp, "webhook-timestamp")?;
    let signature = there(request.signature, "webhook-signature")?;
    let seconds: i64 = timestamp.parse().map_err(|_| NotVerified::Timestamp)?;
    if now.as_seconds().abs_diff(seconds) > TOLERANCE.as_secs() {
        return Err(NotVerified::Stale);
    }
    let tokens = signature.split(' ').filter_map(|token| token.strip_prefix("v1,"));
    let macs: Vec<_> = tokens.filter_map(|token| STANDARD.decode(token).ok()).collect();
    let verifies = |secret: &SigningSecret| macs.iter().any(|mac| secret.verifies(mac, id, timestamp, request.body));
    if secrets.iter().any(verifies) { Ok(()) } else { Err(NotVerified::Signature) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const GOOD: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    const SECONDS: i64 = 1_614_265_330;
    const REQUEST: SignedRequest<'_> = SignedRequest {
        id: Some("msg_p5jXN8AQM9LWM0D4loKWxJek"),
        timestamp: Some("1614265330"),
        signature: Some(GOOD),
        body: br#"{"test": 2432232314}"#,
    };

    fn verified(request: &SignedRequest<'_>, seconds: i64) -> Result<(), NotVerified> {
        let other = SigningSecret::from_bytes(vec![1; 24]).expect("24 bytes");
        verify(&[other, SECRET.parse().expect("a secret")], request, Timestamp::from_ms(seconds * 1000))
    }

    /// The good and the bad cases of the Standard Webhooks libraries' own tests.
    #[test]
    fn promise_8_what_the_libraries_accept_and_refuse_is_accepted_and_refused() {
        assert_eq!(verified(&REQUEST, SECONDS), Ok(()));
        assert_eq!(verified(&REQUEST, SECONDS + 300), Ok(()));
        let among = format!("v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc= v2,{} {GOOD}", &GOOD[3..]);
        assert_eq!(verified(&SignedRequest { signature: Some(&among), ..REQUEST }, SECONDS), Ok(()));
        for signature in ["v1,", &GOOD[..8], &GOOD.replace("1OE=", "1OA="), &GOOD.replace("v1,", "v2,"), "v1", ","] {
            let request = SignedRequest { signature: Some(signature), ..REQUEST };
            assert_eq!(verified(&request, SECONDS), Err(NotVerified::Signature), "{signature}");
        }
        assert_eq!(verified(&SignedRequest { body: b"{}", ..REQUEST }, SECONDS), Err(NotVerified::Signature));
        for seconds in [SECONDS + 301, SECONDS - 301] {
            assert_eq!(verified(&REQUEST, seconds), Err(NotVerified::Stale));
        }
        let missing = |request| verified(&request, SECONDS);
        assert_eq!(missing(SignedRequest { id: None, ..REQUEST }), Err(NotVerified::Missing("webhook-id")));
        assert_eq!(
            missing(SignedRequest { timestamp: None, ..REQUEST }),
            Err(NotVerified::Missing("webhook-timestamp"))
        );
        assert_eq!(
            missing(SignedRequest { signature: Some(""), ..REQUEST }),
            Err(NotVerified::Missing("webhook-signature"))
        );
        assert_eq!(missing(SignedRequest { timestamp: Some("soon"), ..REQUEST }), Err(NotVerified::Timestamp));
        assert_eq!(verify(&[], &REQUEST, Timestamp::from_ms(SECONDS * 1000)), Err(NotVerified::Signature));
    }
}
