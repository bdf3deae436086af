//! The connector: names, addresses, TCP and TLS, with the guard between asking for an address and dialling it.

use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tower_service::Service;
use weft_core::limits::CONNECT_MS;

use crate::guard::{AddressGuard, Forbidden};

/// What the addresses of a name may take together, each an equal part: one that is dead leaves time for the others. An
/// attempt's own limit is never longer.
const CONNECTING_MAX: Duration = Duration::from_millis(CONNECT_MS.max);

type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Why there is no connection.
pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;
/// The bytes of a connection, encrypted or not.
pub(crate) type Stream = MaybeHttpsStream<TokioIo<TcpStream>>;

/// Connects by TCP, and by TLS for `https`, to addresses that the guard lets through.
#[derive(Clone, Debug)]
pub(crate) struct GuardedConnector {
    guard: Arc<AddressGuard>,
    inner: HttpsConnector<HttpConnector<GuardedResolver>>,
}

/// Why a name has no address to dial. It holds the name only, never the rest of the URL.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NameFailure {
    /// The resolver knows no address.
    #[error("the name {name} could not be resolved")]
    Unresolved {
        name: String,
        #[source]
        source: io::Error,
    },
    /// It knows some, and the guard refuses all of them.
    #[error("the name {name} resolves to a forbidden address")]
    Forbidden {
        name: String,
        #[source]
        first: Forbidden,
    },
}

impl GuardedConnector {
    pub(crate) fn new(guard: AddressGuard, tls: ClientConfig) -> Self {
        let guard = Arc::new(guard);
        let mut tcp = HttpConnector::new_with_resolver(GuardedResolver { guard: Arc::clone(&guard) });
        // The layer above chooses between http and https.
        tcp.enforce_http(false);
        // Requests are written whole; waiting for more to send along only delays them.
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECTING_MAX));
        let inner =
            HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().wrap_connector(tcp);
        Self { guard, inner }
    }

    /// Connects to the host and port of `uri`, by its scheme.
    ///
    /// # Errors
    /// What stood in the way; [`crate::failure`] knows which errors there can be.
    pub(crate) async fn connect(&self, uri: Uri) -> Result<Stream, BoxError> {
        // The TCP connector dials literals without asking its resolver.
        if let Some(address) = literal(&uri) {
            self.guard.check(address)?;
        }
        // A clone that is ready: both connectors always are, and take calls through a unique reference.
        self.inner.clone().call(uri).await
    }
}

/// The address that the host of `uri` spells, if it is no name.
fn literal(uri: &Uri) -> Option<IpAddr> {
    let host = uri.host()?;
    match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(bracketed) => bracketed.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        None => host.parse().ok(),
    }
}

/// Resolves names by the operating system and passes on the addresses that the guard lets through: those, and no others,
/// are dialled, so that a second answer of the name server cannot matter.
#[derive(Clone, Debug)]
pub(crate) struct GuardedResolver {
    guard: Arc<AddressGuard>,
}

impl Service<Name> for GuardedResolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = NameFailure;
    type Future = BoxFuture<Result<Self::Response, NameFailure>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), NameFailure>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let guard = Arc::clone(&self.guard);
        Box::pin(async move {
            // The TCP connector sets the port.
            match tokio::net::lookup_host((name.as_str(), 0)).await {
                Ok(addresses) => passed(&guard, name.as_str(), addresses),
                Err(source) => Err(NameFailure::Unresolved { name: name.as_str().to_owned(), source }),
            }
        })
    }
}

/// Those of `addresses` that the guard lets through.
fn passed(
    guard: &AddressGuard,
    name: &str,
    addresses: impl Iterator<Item = SocketAddr>,
) -> Result<std::vec::IntoIter<SocketAddr>, NameFailure> {
    let mut open = Vec::new();
    let mut first = None;
    for address in addresses {
        match guard.check(address.ip()) {
            Ok(()) => open.push(address),
            Err(forbidden) => first = first.or(Some(forbidden)),
        }
    }
    let name = name.to_owned();
    match first {
        Some(first) if open.is_empty() => Err(NameFailure::Forbidden { name, first }),
        None if open.is_empty() => Err(NameFailure::Unresolved { name, source: io::ErrorKind::NotFound.into() }),
        Some(_) | None => Ok(open.into_iter()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(texts: &[&str]) -> impl Iterator<Item = SocketAddr> {
        texts.iter().map(|text| SocketAddr::new(text.parse().expect("an address"), 0)).collect::<Vec<_>>().into_iter()
    }

    #[test]
    fn promise_8_of_a_names_addresses_only_those_that_pass_are_dialled() {
        let guard = AddressGuard::default();
        let open = passed(&guard, "mixed.example", addresses(&["10.0.0.1", "8.8.8.8", "::ffff:10.0.0.1", "::1"]));
        assert_eq!(open.expect("one passes").collect::<Vec<_>>(), addresses(&["8.8.8.8"]).collect::<Vec<_>>());
        let none = passed(&guard, "inner.example", addresses(&["10.0.0.1", "::1"]));
        assert!(matches!(none, Err(NameFailure::Forbidden { first, .. }) if first.address.to_string() == "10.0.0.1"));
        assert!(matches!(passed(&guard, "no.example", addresses(&[])), Err(NameFailure::Unresolved { .. })));
    }

    #[test]
    fn a_literal_is_told_from_a_name() {
        for (uri, address) in [
            ("http://127.0.0.1:80/", Some("127.0.0.1")),
            ("http://[::1]/", Some("::1")),
            ("http://[::ffff:127.0.0.1]:8/", Some("::ffff:127.0.0.1")),
            ("http://localhost/", None),
            ("http://127.0.0.1.example/", None),
        ] {
            let found = literal(&uri.parse().expect("a URI"));
            assert_eq!(found, address.map(|text| text.parse().expect("an address")), "{uri}");
        }
    }
}
