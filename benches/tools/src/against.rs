//! How the same load goes into another product.

use serde::{Deserialize, Serialize};

/// What the load generator must be told.
#[derive(Debug, Serialize, Deserialize)]
pub struct Way {
    /// The path that takes events.
    pub path: String,
    /// `name: value`, sent with every event.
    pub headers: Vec<String>,
    /// What stands around each payload, which stands for `@@`.
    pub envelope: String,
}
