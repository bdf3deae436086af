//! What the steps of one pass lend their plugins: the ports of the plugin host, filled.

use std::cell::RefCell;
use std::mem;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use weft_core::contract::Capability;
use weft_core::name::PluginRef;
use weft_core::pipeline::Step;
use weft_core::time::Timestamp;
use weft_core::trace::KvCall;
use weft_plugin_host::{PortFailed, Ports, Revealed};
use weft_store::StoreError;

use super::PassKv;
use crate::clock::Clock;
use crate::secrets::{StepSecret, StepSecrets};

/// Lends to the steps of one pass, one after the other.
pub struct Lender {
    clock: Clock,
    pass: Rc<RefCell<Lent>>,
}

/// What the pass has lent and what came of it.
struct Lent {
    kv: PassKv,
    used: Used,
}

/// What a step did with what it was lent.
#[derive(Debug, Default)]
pub struct Used {
    /// Its calls to what it keeps.
    pub kv: Vec<KvCall>,
    /// What it counted.
    pub counted: Vec<(String, u32)>,
}

impl Lender {
    /// Lends what `kv` has, and the time by `clock`.
    pub fn new(kv: PassKv, clock: Clock) -> Self {
        Self { clock, pass: Rc::new(RefCell::new(Lent { kv, used: Used::default() })) }
    }

    /// What `step` lends its plugin.
    pub fn lend(&self, step: &Step, secrets: &StepSecrets) -> StepLoan {
        StepLoan {
            plugin: step.plugin.clone(),
            grants: step.grants.clone(),
            secrets: secrets.get(&step.name).cloned().unwrap_or_default(),
            clock: self.clock.clone(),
            pass: Rc::clone(&self.pass),
        }
    }

    /// What was done since this was last asked.
    pub fn used(&self) -> Used {
        mem::take(&mut self.pass.borrow_mut().used)
    }

    /// What the pass has read and written; `None` while an instance is alive that was lent something.
    pub fn into_kv(self) -> Option<PassKv> {
        Rc::into_inner(self.pass).map(|pass| pass.into_inner().kv)
    }
}

/// What one step lends one instance.
pub struct StepLoan {
    plugin: PluginRef,
    grants: Vec<Capability>,
    secrets: Arc<[StepSecret]>,
    clock: Clock,
    pass: Rc<RefCell<Lent>>,
}

impl StepLoan {
    fn secret(&self, name: &str) -> Option<&StepSecret> {
        self.secrets.iter().find(|secret| secret.name().as_str() == name)
    }
}

impl Ports for StepLoan {
    fn grants(&self, capability: Capability) -> bool {
        self.grants.contains(&capability)
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn random(&self, bytes: &mut [u8]) -> Result<(), PortFailed> {
        self.clock.random(bytes).map_err(|error| PortFailed(format!("the system has no random bytes: {error}")))
    }

    fn kv_get(&self, key: &str) -> Result<Option<Bytes>, PortFailed> {
        let Lent { kv, used } = &mut *self.pass.borrow_mut();
        let value = kv.get(&self.plugin, key).map_err(|error| unread(&error))?;
        used.kv.push(KvCall::Get { key: key.to_owned(), found: value.is_some() });
        Ok(value)
    }

    fn kv_set(&self, key: &str, value: Bytes, ttl: Option<Duration>) -> Result<bool, PortFailed> {
        let Lent { kv, used } = &mut *self.pass.borrow_mut();
        let taken = kv.set(&self.plugin, key, value, ttl).map_err(|error| unread(&error))?;
        used.kv.push(KvCall::Set { key: key.to_owned(), taken });
        Ok(taken)
    }

    fn kv_delete(&self, key: &str) {
        let Lent { kv, used } = &mut *self.pass.borrow_mut();
        kv.delete(&self.plugin, key);
        used.kv.push(KvCall::Delete { key: key.to_owned() });
    }

    fn count(&self, name: &str, delta: u32) {
        self.pass.borrow_mut().used.counted.push((name.to_owned(), delta));
    }

    fn hmac_sha256(&self, name: &str, data: &[u8]) -> Option<[u8; 32]> {
        Some(self.secret(name)?.hmac_sha256(data))
    }

    fn reveal(&self, name: &str) -> Revealed {
        self.secret(name).map_or(Revealed::Unknown, StepSecret::revealed)
    }
}

fn unread(error: &StoreError) -> PortFailed {
    PortFailed(format!("what the plugin keeps could not be read: {error}"))
}
