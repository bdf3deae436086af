//! A version of a plugin: a component that was checked and compiled, ready to be instantiated.

use std::fmt;
use std::sync::Arc;

use wasmtime::component::InstancePre;
use weft_core::contract::{Capability, Fault, Role};
use weft_core::digest::Digest;

use crate::admission::Interfaces;
use crate::description::Description;
use crate::guest::Guest;
use crate::instance::{CallContext, Instance};
use crate::ports::{Ports, Probing};
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
    interfaces: Interfaces,
    linked: InstancePre<Guest>,
    description: Option<Description>,
}

impl Version {
    pub(crate) fn new(
        digest: Digest,
        bytes: usize,
        linked: InstancePre<Guest>,
        interfaces: Interfaces,
        description: Option<Description>,
    ) -> Self {
        let roles = interfaces.exports.iter().map(|(role, _)| *role).collect();
        Self { inner: Arc::new(Inner { digest, bytes, roles, interfaces, linked, description }) }
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

    /// What a step must grant to run it.
    pub fn wants(&self) -> &[Capability] {
        &self.inner.interfaces.wants
    }

    /// Whether the same event, configuration and secrets always have the same outcome.
    pub fn is_pure(&self) -> bool {
        !self.wants().iter().any(|capability| capability.varies())
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
        let mut instance = self.instance(call, Some(Box::new(Probing))).map_err(|fault| Refusal::Probe { fault })?;
        instance.check_types()
    }

    /// Makes a fresh instance: no trace of an earlier one, limits on. `ports` is what the step lends it, if it lends anything.
    ///
    /// # Errors
    /// A [`Fault`] if a start function traps or runs into a limit; of class host if there are too many instances, or the plugin wants what
    /// it is not lent.
    pub fn instance(&self, call: &CallContext<'_>, ports: Option<Box<dyn Ports>>) -> Result<Instance, Fault> {
        Instance::new(&self.inner.linked, &self.inner.interfaces, call, ports)
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Version").field("digest", &self.inner.digest).field("roles", &self.inner.roles).finish()
    }
}
