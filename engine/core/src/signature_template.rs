//! Signatures as receivers of others expect them, described instead of programmed: an HMAC-SHA256 over a text that holds the body, in
//! a header of its own.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::hex::hex;
use crate::sign::SigningSecret;

/// Longest text of a template.
pub const TEXT_BYTES_MAX: usize = 256;

/// How one header is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignatureTemplate {
    /// The header, in lower case.
    pub header: String,
    /// What the HMAC is over.
    pub signed: Pattern,
    /// The header's value, with the HMAC of the newest secret.
    pub value: Pattern,
    /// What follows it for each secret, newest first, with its HMAC.
    pub each: Option<Pattern>,
    /// How the HMAC is written.
    pub encoding: Encoding,
}

/// How an HMAC is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// Lower-case hexadecimal digits.
    #[default]
    Hex,
    /// Base64 with its padding.
    Base64,
}

/// A text with places in it, such as `{timestamp}.{body}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Place(Place),
}

/// What a pattern may hold beside text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The `webhook-id`.
    Id,
    /// The attempt's time in Unix seconds.
    Timestamp,
    /// The exact bytes of the body.
    Body,
    /// The HMAC.
    Hmac,
}

/// Why a text is not a [`Pattern`], or not one of this use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPattern {
    /// There is no such place.
    #[error("{{{0}}} is none of {{id}}, {{timestamp}}, {{body}} and {{hmac}}")]
    Place(String),
    /// A brace stands alone.
    #[error("a brace opens no place or closes none; there is no way to write one as text")]
    Brace,
    /// It is too long.
    #[error("must be at most {TEXT_BYTES_MAX} bytes long")]
    Length,
    /// It holds something that no header can carry.
    #[error("must hold printable ASCII only")]
    Characters,
}

/// What a signature is about.
#[derive(Clone, Copy, Debug)]
pub struct Signed<'a> {
    /// The `webhook-id`.
    pub id: &'a str,
    /// The attempt's time in Unix seconds.
    pub timestamp: &'a str,
    /// The exact bytes of the body.
    pub body: &'a [u8],
}

impl SignatureTemplate {
    /// As GitHub signs: `X-Hub-Signature-256: sha256=…` over the body.
    pub fn github() -> Self {
        Self {
            header: "x-hub-signature-256".to_owned(),
            signed: Pattern(vec![Piece::Place(Place::Body)]),
            value: Pattern(vec![Piece::Text("sha256=".to_owned()), Piece::Place(Place::Hmac)]),
            each: None,
            encoding: Encoding::Hex,
        }
    }

    /// As Stripe signs: `Stripe-Signature: t=…,v1=…` over the timestamp and the body.
    pub fn stripe() -> Self {
        Self {
            header: "stripe-signature".to_owned(),
            signed: Pattern(vec![
                Piece::Place(Place::Timestamp),
                Piece::Text(".".to_owned()),
                Piece::Place(Place::Body),
            ]),
            value: Pattern(vec![Piece::Text("t=".to_owned()), Piece::Place(Place::Timestamp)]),
            each: Some(Pattern(vec![Piece::Text(",v1=".to_owned()), Piece::Place(Place::Hmac)])),
            encoding: Encoding::Hex,
        }
    }

    /// The header's value for one attempt; empty without a secret.
    pub(crate) fn value(&self, secrets: &[SigningSecret], signed: &Signed<'_>) -> String {
        let Some(newest) = secrets.first() else { return String::new() };
        let mut value = String::new();
        self.value.write(&mut value, signed, || self.hmac(newest, signed));
        if let Some(each) = &self.each {
            for secret in secrets {
                each.write(&mut value, signed, || self.hmac(secret, signed));
            }
        }
        value
    }

    /// Keyed with the secret as text, as those do who tell their users a secret that is no encoding of anything.
    fn hmac(&self, secret: &SigningSecret, signed: &Signed<'_>) -> String {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(secret.reveal().as_bytes()).expect("HMAC takes keys of every length");
        for piece in &self.signed.0 {
            match piece {
                Piece::Text(text) => mac.update(text.as_bytes()),
                Piece::Place(Place::Id) => mac.update(signed.id.as_bytes()),
                Piece::Place(Place::Timestamp) => mac.update(signed.timestamp.as_bytes()),
                Piece::Place(Place::Body) => mac.update(signed.body),
                // Refused when the configuration is read: what is signed cannot hold its signature.
                Piece::Place(Place::Hmac) => {}
            }
        }
        let hmac = mac.finalize().into_bytes();
        match self.encoding {
            Encoding::Hex => hex(&hmac),
            Encoding::Base64 => STANDARD.encode(hmac),
        }
    }
}

impl Pattern {
    /// Whether it has this place.
    pub fn holds(&self, place: Place) -> bool {
        self.0.contains(&Piece::Place(place))
    }

    fn write(&self, to: &mut String, signed: &Signed<'_>, hmac: impl Fn() -> String) {
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => to.push_str(text),
                Piece::Place(Place::Id) => to.push_str(signed.id),
                Piece::Place(Place::Timestamp) => to.push_str(signed.timestamp),
                Piece::Place(Place::Hmac) => to.push_str(&hmac()),
                // Refused when the configuration is read: a header does not carry a body.
                Piece::Place(Place::Body) => {}
            }
        }
    }
}

impl FromStr for Pattern {
    type Err = InvalidPattern;

    fn from_str(text: &str) -> Result<Self, InvalidPattern> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(InvalidPattern::Length);
        }
        if !text.bytes().all(|b| b.is_ascii_graphic() || b == b' ') {
            return Err(InvalidPattern::Characters);
        }
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, opened) = rest.split_at(at);
            let (name, after) =
                opened.strip_prefix('{').and_then(|it| it.split_once('}')).ok_or(InvalidPattern::Brace)?;
            if !before.is_empty() {
                pieces.push(Piece::Text(before.to_owned()));
            }
            pieces.push(Piece::Place(place(name)?));
            rest = after;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        Ok(Self(pieces))
    }
}

fn place(name: &str) -> Result<Place, InvalidPattern> {
    match name {
        "id" => Ok(Place::Id),
        "timestamp" => Ok(Place::Timestamp),
        "body" => Ok(Place::Body),
        "hmac" => Ok(Place::Hmac),
        _ => Err(InvalidPattern::Place(name.to_owned())),
    }
}

/// Why a text is not an [`Encoding`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not \"hex\" or \"base64\"")]
pub struct InvalidEncoding(String);

impl FromStr for Encoding {
    type Err = InvalidEncoding;

    fn from_str(text: &str) -> Result<Self, InvalidEncoding> {
        match text {
            "hex" => Ok(Self::Hex),
            "base64" => Ok(Self::Base64),
            _ => Err(InvalidEncoding(text.to_owned())),
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|piece| match piece {
            Piece::Text(text) => f.write_str(text),
            Piece::Place(Place::Id) => f.write_str("{id}"),
            Piece::Place(Place::Timestamp) => f.write_str("{timestamp}"),
            Piece::Place(Place::Body) => f.write_str("{body}"),
            Piece::Place(Place::Hmac) => f.write_str("{hmac}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> SigningSecret {
        SigningSecret::from_text(text).expect("long enough")
    }

    fn pattern(text: &str) -> Pattern {
        text.parse().expect("a pattern")
    }

    /// The vector that GitHub publishes.
    #[test]
    fn promise_3_a_signature_as_githubs_matches_its_published_vector() {
        let signed = Signed { id: "evt_1", timestamp: "1", body: b"Hello, World!" };
        assert_eq!(
            SignatureTemplate::github().value(&[secret("It's a Secret to Everybody")], &signed),
            "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
        );
    }

    /// Made with the rules that Stripe documents; its secret is text, prefix and all.
    #[test]
    fn promise_3_a_signature_as_stripes_has_a_part_for_each_secret() {
        let body = br#"{"id":"evt_test_webhook","object":"event"}"#;
        let signed = Signed { id: "evt_1", timestamp: "1614265330", body };
        let v1 = "v1=3c5817089d739023dd6190f70a3757e04f7a2fd8b5dab12c2e000f51970dccff";
        let stripe = SignatureTemplate::stripe();
        assert_eq!(stripe.value(&[secret("whsec_test_secret")], &signed), format!("t=1614265330,{v1}"));
        let both = stripe.value(&[secret("another secret of somebody"), secret("whsec_test_secret")], &signed);
        assert!(
            both.starts_with("t=1614265330,v1=") && both.ends_with(v1) && both.matches("v1=").count() == 2,
            "{both}"
        );
    }

    /// The vectors of Slack and of Shopify's users, which are neither of the two built in.
    #[test]
    fn promise_3_a_template_signs_as_others_do() {
        let own = |signed: &str, value: &str, encoding| SignatureTemplate {
            header: "x-signature".to_owned(),
            signed: pattern(signed),
            value: pattern(value),
            each: None,
            encoding,
        };
        let shopify = own("{body}", "{hmac}", Encoding::Base64);
        let signed = Signed { id: "evt_1", timestamp: "1", body: br#"{"id":1}"# };
        assert_eq!(shopify.value(&[secret("shop-secret")], &signed), "plW8VGqq0nDMIEhDqaNNW99asdUCy7EIqLZVcQwtAZ0=");
        let convoy = own("{timestamp},{body}", "t={timestamp},v1={hmac}", Encoding::Hex);
        let body = br#"{"event":"charge.success","amount":1000,"currency":"NGN"}"#;
        let signed = Signed { id: "evt_1", timestamp: "1700000000", body };
        assert_eq!(
            convoy.value(&[secret("convoy-webhook-secret")], &signed),
            "t=1700000000,v1=77b8b9269f25a199846a55a2bd25b3fba151c70fdae60bb1dcd87fbbc943c55c"
        );
    }

    #[test]
    fn a_pattern_reads_back_as_it_was_written() {
        for text in ["", "plain", "{body}", "v0:{timestamp}:{id}.{body}", "t={timestamp},s={hmac}"] {
            assert_eq!(pattern(text).to_string(), text);
        }
        assert!(pattern("{id}.{body}").holds(Place::Body) && !pattern("{id}").holds(Place::Hmac));
        for (bad, why) in [
            ("{secret}", InvalidPattern::Place("secret".to_owned())),
            ("{body", InvalidPattern::Brace),
            ("body}", InvalidPattern::Brace),
            ("{{body}}", InvalidPattern::Place("{body".to_owned())),
            ("a\nb", InvalidPattern::Characters),
            (&"a".repeat(257), InvalidPattern::Length),
        ] {
            assert_eq!(bad.parse::<Pattern>(), Err(why), "{bad:?}");
        }
    }
}
