//! A site's configuration, changed word for word: for what no test should say by accident.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use weft_server::app::App;
use weft_server::clock::Clock;
use weft_server::config;

use crate::{Caller, Site, within};

/// A configuration beside a site's own one, in the same folder and with the same data.
#[derive(Debug)]
pub struct Rewritten<'s> {
    site: &'s Site,
    text: String,
    path: PathBuf,
}

/// An engine inside the test's own process, on a rewritten configuration and the machine's clock.
pub struct RewrittenWeft<'s> {
    site: &'s Site,
    app: App,
    address: SocketAddr,
}

impl<'s> Rewritten<'s> {
    /// The site's configuration as it is.
    pub fn of(site: &'s Site) -> Self {
        let text = fs::read_to_string(site.write()).expect("it has just been written");
        let rewritten = Self { site, text, path: site.path().join("rewritten.toml") };
        rewritten.write()
    }

    /// Puts `new` everywhere in the place of `old`.
    ///
    /// # Panics
    /// If `old` is not there.
    #[must_use]
    pub fn with(mut self, old: &str, new: &str) -> Self {
        assert!(self.text.contains(old), "{old:?} is not in the configuration:\n{}", self.text);
        self.text = self.text.replace(old, new);
        self.write()
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The line, from 1, on which `words` stand first.
    pub fn line_of(&self, words: &str) -> usize {
        let line = self.text.lines().position(|line| line.contains(words));
        line.unwrap_or_else(|| panic!("{words:?} is not in the configuration:\n{}", self.text)) + 1
    }

    /// Starts an engine on it.
    ///
    /// # Panics
    /// If it does not start.
    pub async fn start(&self) -> RewrittenWeft<'s> {
        let config = match config::load(&self.path) {
            Ok(loaded) => loaded.config,
            Err(problems) => panic!("the rewritten configuration: {problems}"),
        };
        let starting = Box::pin(App::start(config, Clock::system()));
        let app = within("the engine starts", starting).await.unwrap_or_else(|error| panic!("no start: {error:?}"));
        let address = app.address();
        RewrittenWeft { site: self.site, app, address }
    }

    fn write(self) -> Self {
        fs::write(&self.path, &self.text).expect("the site's folder");
        self
    }
}

impl RewrittenWeft<'_> {
    /// The API as a tenant of the site sees it.
    pub fn tenant(&self, name: &str) -> Caller {
        Caller::new(self.address, &self.site.key(name))
    }

    /// The API as the operator sees it.
    pub fn operator(&self) -> Caller {
        Caller::new(self.address, &self.site.operator_key())
    }

    /// Stops it gracefully.
    pub async fn stop(self) {
        within("the engine stops", Box::pin(self.app.stop())).await;
    }
}
