//! An HTTP destination made ready for many requests: its URL taken apart once, with what a delivery may append to it.

use std::net::IpAddr;
use std::sync::Arc;

use http::uri::PathAndQuery;
use http::{HeaderName, HeaderValue, Method, Uri};
use url::{Host, Url};
use weft_core::delivery::RequestParts;
use weft_core::destination::{self, HttpTarget, Timeouts};
use weft_core::request_header::OwnHeader;
use weft_core::signing::Signing;
use weft_core::statuses::Statuses;

use crate::guard::{AddressGuard, Forbidden};

/// Why there can be no requests to a destination. It never quotes the query of its URL, a password or the value of a header.
#[derive(Debug, thiserror::Error)]
pub enum InvalidTarget {
    /// Neither `http` nor `https`.
    #[error("the scheme is {0:?}; a destination's URL begins with http:// or https://")]
    Scheme(String),
    /// A user name or a password stands before the host.
    #[error("the URL holds a user name or password; leave them out, deliveries are signed")]
    Credentials,
    /// No host to dial.
    #[error("the URL names no host")]
    Host,
    /// The host is an address that the guard refuses.
    #[error("the address guard refuses it")]
    Forbidden(#[from] Forbidden),
    /// Good as a URL, but HTTP cannot carry it.
    #[error("the URL cannot be the target of an HTTP request")]
    Uri(#[source] http::uri::InvalidUri),
    /// The host cannot be said in a `host` header.
    #[error("the URL's host cannot be the value of a host header")]
    HostHeader(#[source] http::header::InvalidHeaderValue),
    /// A header of its own cannot be sent.
    #[error("the destination's header {name:?} cannot be sent")]
    Header {
        /// Which one.
        name: String,
        /// Why.
        source: http::Error,
    },
}

/// Refuses a URL that no attempt could use, for an early word in the configuration check.
///
/// A name is not resolved here: what it resolves to may change, so only the connector's check counts.
///
/// # Errors
/// [`InvalidTarget`] says which rule it breaks.
pub fn check_url(url: &Url, guard: &AddressGuard) -> Result<(), InvalidTarget> {
    base_uri(url)?;
    match url.host() {
        Some(Host::Ipv4(address)) => guard.check(IpAddr::V4(address))?,
        Some(Host::Ipv6(address)) => guard.check(IpAddr::V6(address))?,
        Some(Host::Domain(_)) | None => {}
    }
    Ok(())
}

/// An HTTP destination made ready: what every request to it needs is worked out once.
#[derive(Clone, Debug)]
pub struct PreparedTarget {
    pub(crate) base: Uri,
    // What a plain request asks for: path and query.
    plain: Uri,
    // Scheme, host and port: by these connections are shared.
    pub(crate) origin: Arc<str>,
    pub(crate) host: HeaderValue,
    pub(crate) method: Method,
    // Of the destination itself.
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) signing: Signing,
    pub(crate) success: Statuses,
    pub(crate) timeouts: Timeouts,
}

impl PreparedTarget {
    /// Makes `target` ready, to be reached within `timeouts`.
    ///
    /// # Errors
    /// [`InvalidTarget`], but never for an address: that is refused when it is dialled.
    pub fn new(target: &HttpTarget, timeouts: Timeouts) -> Result<Self, InvalidTarget> {
        let base = base_uri(&target.url)?;
        // `Url` leaves a default port out, as RFC 9110 section 7.2 advises for `host`.
        let authority = base.authority().ok_or(InvalidTarget::Host)?.as_str();
        let host = HeaderValue::from_str(authority).map_err(InvalidTarget::HostHeader)?;
        let origin = format!("{}://{authority}", base.scheme_str().unwrap_or_default()).into();
        let plain = base.path_and_query().cloned().map_or_else(Uri::default, Uri::from);
        let method = match target.method {
            destination::Method::Post => Method::POST,
            destination::Method::Put => Method::PUT,
            destination::Method::Patch => Method::PATCH,
        };
        let headers = target.headers.iter().map(prepared).collect::<Result<_, _>>()?;
        let HttpTarget { signing, success, .. } = target.clone();
        Ok(Self { base, plain, origin, host, method, headers, signing, success, timeouts })
    }

    /// What a request with these parts asks for: below the destination's own path, after its own query.
    pub(crate) fn uri(&self, parts: &RequestParts) -> Result<Uri, http::Error> {
        if parts.path.is_none() && parts.query.is_none() {
            return Ok(self.plain.clone());
        }
        let mut text = self.base.path().to_owned();
        if let Some(below) = &parts.path {
            if !text.ends_with('/') {
                text.push('/');
            }
            text.push_str(below.strip_prefix('/').unwrap_or(below));
        }
        let mut joint = '?';
        for query in [self.base.query(), parts.query.as_deref()].into_iter().flatten().filter(|q| !q.is_empty()) {
            text.push(joint);
            text.push_str(query);
            joint = '&';
        }
        Ok(PathAndQuery::try_from(text)?.into())
    }
}

fn prepared(header: &OwnHeader) -> Result<(HeaderName, HeaderValue), InvalidTarget> {
    let failed = |source| InvalidTarget::Header { name: header.name().to_owned(), source };
    let name = HeaderName::try_from(header.name()).map_err(|error| failed(error.into()))?;
    let mut value = HeaderValue::try_from(header.value()).map_err(|error| failed(error.into()))?;
    value.set_sensitive(true);
    Ok((name, value))
}

/// The URL as HTTP knows it, without its fragment.
fn base_uri(url: &Url) -> Result<Uri, InvalidTarget> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(InvalidTarget::Scheme(url.scheme().to_owned()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(InvalidTarget::Credentials);
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(InvalidTarget::Host);
    }
    let before_fragment = &url[..url::Position::AfterQuery];
    before_fragment.parse().map_err(InvalidTarget::Uri)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn check(url: &str, allowed: &[&str]) -> Result<(), InvalidTarget> {
        let allowed = allowed.iter().map(|block| block.parse().expect("a block")).collect();
        check_url(&url.parse().expect("a URL"), &AddressGuard::new(allowed))
    }

    fn uri(url: &str, path: Option<&str>, query: Option<&str>) -> String {
        let target = HttpTarget::plain(url.parse().expect("a URL"), vec![]);
        let timeouts = Timeouts { connect: Duration::from_secs(5), total: Duration::from_secs(20) };
        let target = PreparedTarget::new(&target, timeouts).expect("a usable URL");
        let parts =
            RequestParts { path: path.map(str::to_owned), query: query.map(str::to_owned), ..RequestParts::default() };
        target.uri(&parts).expect("a URI").to_string()
    }

    #[test]
    fn promise_8_every_spelling_of_a_forbidden_address_is_refused() {
        for url in [
            "http://2130706433/",
            "http://0x7f000001/",
            "http://0x7F.1/",
            "http://0177.0.0.1/",
            "http://0177.0.0.01./",
            "http://127.1/",
            "http://127.0.1/",
            "http://127.0.0.1./",
            "http://%31%32%37.0.0.1/",
            "http://１２７.0.0.1/",
            "http://127。0。0。1/",
            "http://0/",
            "http://[::1]/",
            "http://[::]/",
            "http://[::ffff:127.0.0.1]/",
            "http://[::ffff:7f00:1]/",
            "http://[::127.0.0.1]/",
            "http://[64:ff9b::7f00:1]/",
            "http://[64:ff9b:1::7f00:1]/",
            "http://[2002:7f00:1::]/",
            "http://169.254.169.254/latest/meta-data/",
            "https://[fd00:ec2::254]/latest/meta-data/",
            "http://168.63.129.16/",
        ] {
            assert!(matches!(check(url, &[]), Err(InvalidTarget::Forbidden(_))), "{url}");
        }
    }

    #[test]
    fn promise_8_only_plain_http_urls_are_destinations() {
        for url in ["ftp://example.com/", "file:///etc/passwd", "ws://example.com/"] {
            assert!(matches!(check(url, &[]), Err(InvalidTarget::Scheme(_))), "{url}");
        }
        for url in ["http://user@example.com/", "http://:hunter2@example.com/"] {
            let error = check(url, &[]).expect_err(url);
            assert!(matches!(error, InvalidTarget::Credentials) && !error.to_string().contains("hunter2"), "{url}");
        }
        for url in ["https://example.com/hooks?a=1#f", "http://8.8.8.8:8080/", "http://localhost/"] {
            assert!(check(url, &[]).is_ok(), "{url}");
        }
        for url in ["http://127.0.0.1:8080/", "http://2130706433/", "http://[::ffff:127.0.0.1]/"] {
            assert!(check(url, &["127.0.0.1/32"]).is_ok(), "{url}");
        }
    }

    #[test]
    fn parts_are_appended_below_the_destinations_path_and_after_its_query() {
        for (url, path, query, expected) in [
            ("http://a.example", None, None, "/"),
            ("http://a.example/hooks?k=1#f", None, None, "/hooks?k=1"),
            ("http://a.example", Some("x"), None, "/x"),
            ("http://a.example/hooks", Some("x/7"), None, "/hooks/x/7"),
            ("http://a.example/hooks/", Some("/x"), None, "/hooks/x"),
            ("http://a.example/hooks?k=1", Some("x"), None, "/hooks/x?k=1"),
            ("http://a.example/hooks?k=1", None, Some("l=2"), "/hooks?k=1&l=2"),
            ("https://a.example:8443/hooks", Some("x"), Some("l=2"), "/hooks/x?l=2"),
            ("http://a.example/hooks?", None, Some(""), "/hooks"),
        ] {
            assert_eq!(uri(url, path, query), expected);
        }
    }
}
