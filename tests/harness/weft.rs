//! An engine inside the test's own process, on a clock that the test moves.

use std::net::SocketAddr;
use std::time::Duration;

use weft_core::time::Timestamp;
use weft_server::app::App;
use weft_server::clock::Clock;
use weft_server::config;

use crate::{Caller, Site, within};

/// A running engine. Its clock stands at the time of its first start until it is moved.
pub struct Weft<'s> {
    site: &'s Site,
    app: App,
    clock: Clock,
    address: SocketAddr,
}

impl<'s> Weft<'s> {
    /// Starts an engine on `site`; when this returns, it answers.
    ///
    /// # Panics
    /// If it does not start.
    pub async fn start(site: &'s Site) -> Self {
        // Receivers hold timestamps against the machine's clock.
        Self::start_on(site, Clock::manual(Clock::system().now())).await
    }

    /// Stops the engine and starts another one on the same site and clock.
    pub async fn restart(self) -> Self {
        let (site, clock) = (self.site, self.clock.clone());
        self.stop().await;
        Self::start_on(site, clock).await
    }

    /// Starts an engine on a clock that has been moved by others.
    pub async fn start_on(site: &'s Site, clock: Clock) -> Self {
        let config = match config::load(&site.write()) {
            Ok(loaded) => loaded.config,
            Err(problems) => panic!("the site's configuration: {problems}"),
        };
        let starting = Box::pin(App::start(config, clock.clone()));
        let app = within("the engine starts", starting).await.unwrap_or_else(|error| panic!("no start: {error:?}"));
        let address = app.address();
        Self { site, app, clock, address }
    }

    /// Stops it gracefully and gives back its clock.
    pub async fn stop(self) -> Clock {
        within("the engine stops", Box::pin(self.app.stop())).await;
        self.clock
    }

    /// Moves the clock on.
    pub fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    /// What time the engine believes it is.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Where the API listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The API as a tenant of the site sees it.
    pub fn tenant(&self, name: &str) -> Caller {
        Caller::new(self.address, &self.site.key(name))
    }

    /// The API as the operator sees it who acts for a tenant.
    pub fn operator_for(&self, tenant: &str) -> Caller {
        Caller::acting_for(self.address, &self.site.operator_key(), tenant)
    }

    /// The API as the operator sees it.
    pub fn operator(&self) -> Caller {
        Caller::new(self.address, &self.site.operator_key())
    }
}
