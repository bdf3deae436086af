//! A version of a plugin: a component that was checked and compiled, ready to be instantiated.

use std::fmt;
use std::sync::Arc;

use wasmtime::component::InstancePre;
use weft_core::contract::{Fault, Role};
use weft_core::digest::Digest;

use crate::admission::Exports;
use crate::description::Description;
use crate::guest::Guest;
use crate::instance::{CallContext, Instance};
use crate::refusal::Refusal;

/// A component that was checked and compiled. Cheap to clone; what was compiled goes with the last clone and instance.
#[derive(Clone)]
pub struct Version {
    inner: Arc<Inner>,
}

struct Inner {
    digest: Digest,
    bytes: usize,
    roles: Vec<Role>,
    exports: Exports,
    linked: InstancePre<Guest>,
    description: Option<Description>,
}

impl Version {
    pub(crate) fn new(
        digest: Digest,
        bytes: usize,
        linked: InstancePre<Guest>,
        exports: Exports,
        description: Option<Description>,
    ) -> Self {
        let roles = exports.iter().map(|(role, _)| *role).collect();
        Self { inner: Arc::new(Inner { digest, bytes, roles, exports, linked, description }) }
    }

    /// The digest of the component's bytes: what names this version.
    pub fn digest(&self) -> Digest {
        self.inner.digest
    }

    /// The size of the component in bytes.
    pub fn bytes(&self) -> usize {
        self.inner.bytes
    }

    /// The roles that the component exports, in the order in which a step runs them; never empty.
    pub fn roles(&self) -> &[Role] {
        &self.inner.roles
    }

    /// What the plugin says about itself, if it says anything.
    pub fn description(&self) -> Option<&Description> {
        self.inner.description.as_ref()
    }

    /// Every interface that the component imports, as it names them.
    pub fn imports(&self) -> Vec<String> {
        let component = self.inner.linked.component();
        component.component_type().imports(component.engine()).map(|(name, _)| name.to_owned()).collect()
    }

    /// Makes an instance and throws it away: proves that start functions run within the limits and that each role has the
    /// contract's types. No role is called.
    ///
    /// # Errors
    /// [`Refusal::Probe`] if it cannot be instantiated, [`Refusal::Misfit`] if a role has other types.
    pub fn probe(&self, call: &CallContext<'_>) -> Result<(), Refusal> {
        let mut instance = self.instance(call).map_err(|fault| Refusal::Probe { fault })?;
        instance.check_types()
    }

    /// Makes a fresh instance: no trace of an earlier one, limits on.
    ///
    /// # Errors
    /// A [`Fault`] if a start function traps or runs into a limit; of class host if there are too many instances.
    pub fn instance(&self, call: &CallContext<'_>) -> Result<Instance, Fault> {
        Instance::new(&self.inner.linked, &self.inner.exports, call)
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Version").field("digest", &self.inner.digest).field("roles", &self.inner.roles).finish()
    }
}
