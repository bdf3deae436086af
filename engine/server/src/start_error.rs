//! Why an engine could not be started, in words for the person who starts it.

use std::net::SocketAddr;
use std::path::PathBuf;

use weft_outbound::SenderError;
use weft_plugin_host::HostError;
use weft_store::OpenError;

use crate::config::Problems;
use crate::declare::DeclareError;
use crate::plugins::RegistryError;
use crate::secrets::PrivateFileError;

/// Why an engine could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Secrets that the configuration refers to are missing or wrong.
    #[error("the secrets of the configuration cannot be used")]
    Secrets(#[from] Problems),
    /// The data folder could not be made.
    #[error("could not make the data folder {}", path.display())]
    DataFolder {
        /// Which folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A key file in the data folder is missing or wrong.
    #[error("could not use a key of the data folder")]
    Key(#[from] PrivateFileError),
    /// The store could not be opened.
    #[error("could not open the store")]
    Store(#[from] OpenError),
    /// The configuration could not be brought into force.
    #[error("could not bring the configuration into force")]
    Declare(#[from] DeclareError),
    /// The WebAssembly engine does not run here.
    #[error("could not start the plugin host")]
    Host(#[from] HostError),
    /// The plugins could not be loaded.
    #[error("could not load the plugins")]
    Plugins(#[from] RegistryError),
    /// Steps and plugins do not fit together.
    #[error("the pipelines cannot run with the plugins that are there:\n{}", .0.join("\n"))]
    Pipelines(Vec<String>),
    /// The sender could not be set up.
    #[error("could not set up the sender")]
    Sender(#[from] SenderError),
    /// The system gave no thread.
    #[error("could not start the plugin threads")]
    Threads(#[source] std::io::Error),
    /// The address could not be bound.
    #[error("could not listen on {address}: is another engine running? change `listen` or stop it")]
    Listen {
        /// Which address.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}
