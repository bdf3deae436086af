//! The routes of plugins.

use std::time::Duration;

use bytes::Bytes;
use reqwest::Method;
use reqwest::header::CONTENT_TYPE;

use super::Client;
use crate::error::ClientError;
use crate::wire::{
    ActivateRequest, DryRunLine, DryRunRequest, DryRunResult, PluginChange, PluginFolder, Plugins, PushedVersion,
};

/// From the call to the end of the answer for a component that is pushed: compiling an interpreter takes seconds, minutes on a busy machine.
const PUSH_TIME_MAX: Duration = Duration::from_secs(600);
/// The same for a dry run: a hundred thousand events through an interpreter.
const DRY_RUN_TIME_MAX: Duration = Duration::from_secs(3600);

impl Client {
    /// All plugins with their versions.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn plugins(&self) -> Result<Plugins, ClientError> {
        self.json(self.request(Method::GET, &["v1", "plugins"])).await
    }

    /// Brings a component as a version of a plugin, and makes it active if that is wished.
    ///
    /// # Errors
    /// [`ClientError`]; it is a refusal of the engine's if the component is not good enough.
    pub async fn push_plugin(
        &self,
        name: &str,
        component: Bytes,
        activate: bool,
    ) -> Result<PushedVersion, ClientError> {
        let mut url = self.url(&["v1", "plugins", name, "versions"]);
        if activate {
            url.query_pairs_mut().append_pair("activate", "true");
        }
        let request = self.http.post(url).header(CONTENT_TYPE, "application/wasm");
        // An interpreter takes longer to compile than other answers may take.
        self.json(request.timeout(PUSH_TIME_MAX).body(component)).await
    }

    /// Tries a version of a plugin on stored events; `progress` is told how many have been looked at, of at most how many.
    ///
    /// # Errors
    /// [`ClientError`]; [`ClientError::BrokenOff`] if the engine could not finish it.
    ///
    /// # Cancel safety
    /// Dropping the future ends the dry run.
    pub async fn dry_run_plugin(
        &self,
        name: &str,
        wanted: &DryRunRequest,
        mut progress: impl FnMut(u64, u64),
    ) -> Result<DryRunResult, ClientError> {
        let request = self.request(Method::POST, &["v1", "plugins", name, "dry-run"]).timeout(DRY_RUN_TIME_MAX);
        let mut lines = self.lines(request.json(wanted)).await?;
        while let Some(line) = lines.next().await? {
            match line {
                DryRunLine::Progress { done, of } => progress(done, of),
                DryRunLine::Result(result) => return Ok(*result),
                DryRunLine::Failed { reason } => return Err(ClientError::BrokenOff { reason }),
            }
        }
        Err(ClientError::BrokenOff { reason: "the answer ended before its result".to_owned() })
    }

    /// Makes a version of a plugin active.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn activate_plugin(&self, name: &str, wanted: &ActivateRequest) -> Result<PluginChange, ClientError> {
        self.json(self.request(Method::POST, &["v1", "plugins", name, "activate"]).json(wanted)).await
    }

    /// Goes back to the version of a plugin that was active before.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn roll_back_plugin(&self, name: &str) -> Result<PluginChange, ClientError> {
        self.json(self.request(Method::POST, &["v1", "plugins", name, "rollback"])).await
    }

    /// Has every file of the plugin folder read again.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn reload_plugins(&self) -> Result<PluginFolder, ClientError> {
        self.json(self.request(Method::POST, &["v1", "plugins", "reload"])).await
    }
}
