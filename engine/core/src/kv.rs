//! What a plugin keeps from event to event: values under keys, for one tenant and one plugin alone.
//!
//! A pass reads and writes on its own and is stored whole: what it had read is looked at again in the commit that ends it, and if
//! somebody has changed it meanwhile, the pass has not been.

use bytes::Bytes;

use crate::name::PluginRef;
use crate::time::Timestamp;

/// Bytes of a key: an id, a digest, a few names; keys stand in an index.
pub const KEY_BYTES_MAX: usize = 256;

/// One key, as a pass has found and left it. A pass has each key of a plugin once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KvTouch {
    /// Whose key it is, beside the event's tenant: the plugin as steps name it.
    pub plugin: PluginRef,
    /// 1 to [`KEY_BYTES_MAX`] bytes.
    pub key: String,
    /// What the pass found, as of its beginning.
    pub found: Found,
    /// What is to be there afterwards, if the pass has changed it.
    pub left: Option<Left>,
}

/// What a pass found under a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// It did not look.
    Unread,
    /// There was nothing, or what had expired when the pass began.
    Nothing,
    /// This value.
    Value(Bytes),
}

/// What a pass left under a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Left {
    /// Nothing.
    Nothing,
    /// A value.
    Value {
        /// The value.
        value: Bytes,
        /// When it is as if it were not there, if ever.
        expires_at: Option<Timestamp>,
    },
}

/// How much one plugin keeps for one tenant; what has expired counts until it is removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KvUsage {
    /// Keys.
    pub entries: u64,
    /// Bytes of keys and values.
    pub bytes: u64,
}
