//! How the requests of a destination are signed: fresh on every attempt, with all that its receiver may know.

use crate::sign::SigningSecret;
use crate::signature_template::{SignatureTemplate, Signed};
use crate::signing_key::SigningKey;
use crate::time::Timestamp;

/// What a destination signs with, and how.
#[derive(Clone, Debug)]
pub struct Signing {
    /// In the order of their signatures.
    pub schemes: Vec<Scheme>,
    /// Newest first; all of them sign.
    pub secrets: Vec<SigningSecret>,
    /// Newest first; all of them sign where `v1a` is among the schemes.
    pub keys: Vec<SigningKey>,
}

/// A way to sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// `v1` of Standard Webhooks, in `webhook-signature`.
    V1,
    /// `v1a` of Standard Webhooks, in `webhook-signature`.
    V1a,
    /// In a header of its own.
    Template(SignatureTemplate),
}

/// What an attempt says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signatures {
    /// `webhook-timestamp`: this attempt's time in Unix seconds.
    pub timestamp: String,
    /// `webhook-signature`: a token for each secret and key, one space between; empty if no scheme of Standard Webhooks is used.
    pub tokens: String,
    /// Further headers: names in lower case, and values.
    pub further: Vec<(String, String)>,
}

impl Signing {
    /// By Standard Webhooks' `v1` alone, which all its libraries verify.
    pub fn v1(secrets: Vec<SigningSecret>) -> Self {
        Self { schemes: vec![Scheme::V1], secrets, keys: Vec::new() }
    }

    /// Signs the exact `body` of one attempt made at `now`.
    pub fn sign(&self, id: &str, now: Timestamp, body: &[u8]) -> Signatures {
        let timestamp = now.as_seconds().to_string();
        let (mut tokens, mut further) = (Vec::with_capacity(self.secrets.len()), Vec::new());
        for scheme in &self.schemes {
            match scheme {
                Scheme::V1 => tokens.extend(self.secrets.iter().map(|secret| secret.token(id, &timestamp, body))),
                Scheme::V1a => {
                    let signed = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body].concat();
                    tokens.extend(self.keys.iter().map(|key| key.token(&signed)));
                }
                Scheme::Template(template) => {
                    let value = template.value(&self.secrets, &Signed { id, timestamp: &timestamp, body });
                    further.push((template.header.clone(), value));
                }
            }
        }
        Signatures { timestamp, tokens: tokens.join(" "), further }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v1(secret: &str) -> Signing {
        Signing::v1(vec![secret.parse().expect("a secret of the vectors")])
    }

    fn tokens(signing: &Signing, id: &str, seconds: i64, body: &str) -> String {
        signing.sign(id, Timestamp::from_ms(seconds * 1000 + 999), body.as_bytes()).tokens
    }

    /// The vectors of the Python, JavaScript and Rust libraries of Standard Webhooks.
    #[test]
    fn promise_3_signatures_match_the_published_vectors() {
        assert_eq!(
            tokens(
                &v1("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
                "msg_p5jXN8AQM9LWM0D4loKWxJek",
                1_614_265_330,
                r#"{"test": 2432232314}"#
            ),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
        assert_eq!(
            tokens(
                &v1("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"),
                "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
                1_649_367_553,
                r#"{"email":"test@example.com","username":"test_user"}"#
            ),
            "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw="
        );
    }

    #[test]
    fn every_secret_and_key_adds_a_token_after_one_space_with_one_comma_in_it() {
        let secret = || SigningSecret::from_bytes(vec![7; 30]).expect("30 bytes");
        let key = SigningKey::from_seed(&[9; 32]).expect("a seed");
        let schemes = vec![Scheme::V1, Scheme::V1a, Scheme::Template(SignatureTemplate::github())];
        let all = Signing { schemes, secrets: vec![secret(), secret()], keys: vec![key] };
        let signed = all.sign("evt_1", Timestamp::from_ms(0), b"x");
        let parts: Vec<_> = signed.tokens.split(' ').collect();
        assert_eq!(
            parts.iter().map(|it| it.split_once(',').expect("a comma").0).collect::<Vec<_>>(),
            ["v1", "v1", "v1a"]
        );
        assert!(parts.iter().all(|token| token.matches(',').count() == 1));
        assert_eq!(signed.further[0].0, "x-hub-signature-256");
    }

    #[test]
    fn without_a_scheme_of_standard_webhooks_there_are_no_tokens() {
        let secrets = vec![SigningSecret::from_text("text of a receiver").expect("long enough")];
        let schemes = vec![Scheme::Template(SignatureTemplate::stripe())];
        let signed = Signing { schemes, secrets, keys: Vec::new() }.sign("evt_1", Timestamp::from_ms(0), b"x");
        assert_eq!((signed.tokens.as_str(), signed.further.len()), ("", 1));
    }
}
