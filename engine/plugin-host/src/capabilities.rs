//! The interfaces that a step grants: `kv`, `clock`, `random`, `metrics`, and `secrets`, which grants itself secret by secret.
//!
//! They are linked for every plugin that imports them; what keeps a plugin from them is that no instance is made of one that wants what
//! its step does not grant.

use bytes::Bytes;
use wasmtime::component::{ComponentType, Linker, Lower};
use wasmtime::{Result, StoreContextMut};
use weft_core::contract::Capability;

use crate::bindings::{LATEST, SECRETS, full_name};
use crate::guest::Guest;
use crate::lent::{Lent, NotKept};
use crate::ports::Revealed;

type Store<'a> = StoreContextMut<'a, Guest>;

/// `kv.refusal`.
#[derive(Clone, Copy, ComponentType, Lower)]
#[component(enum)]
#[repr(u8)]
enum KvRefusal {
    #[component(name = "key")]
    Key,
    #[component(name = "value")]
    Value,
    #[component(name = "full")]
    Full,
}

/// `secrets.refusal`.
#[derive(Clone, Copy, ComponentType, Lower)]
#[component(enum)]
#[repr(u8)]
enum SecretRefusal {
    #[component(name = "unknown")]
    Unknown,
    #[component(name = "hidden")]
    Hidden,
}

/// Links all of them.
pub(crate) fn link(linker: &mut Linker<Guest>) -> Result<()> {
    kv(linker)?;
    clock(linker)?;
    random(linker)?;
    metrics(linker)?;
    secrets(linker)
}

fn kv(linker: &mut Linker<Guest>) -> Result<()> {
    let mut kv = linker.instance(&name(Capability::Kv))?;
    kv.func_wrap("get", |mut store: Store<'_>, (key,): (String,)| Ok((lent(&mut store)?.get(&key)?.map(Vec::from),)))?;
    kv.func_wrap("set", |mut store: Store<'_>, (key, value, ttl): (String, Vec<u8>, Option<u32>)| {
        let kept = lent(&mut store)?.set(&key, Bytes::from(value), ttl)?;
        Ok((kept.map_err(|why| match why {
            NotKept::Key => KvRefusal::Key,
            NotKept::Value => KvRefusal::Value,
            NotKept::Full => KvRefusal::Full,
        }),))
    })?;
    kv.func_wrap("delete", |mut store: Store<'_>, (key,): (String,)| Ok(lent(&mut store)?.delete(&key)?))
}

fn clock(linker: &mut Linker<Guest>) -> Result<()> {
    let mut clock = linker.instance(&name(Capability::Clock))?;
    clock.func_wrap("now", |mut store: Store<'_>, (): ()| Ok((lent(&mut store)?.now().to_string(),)))?;
    clock.func_wrap("unix-ms", |mut store: Store<'_>, (): ()| {
        #[expect(clippy::cast_precision_loss, reason = "times of the next 200 000 years are exact")]
        let ms = lent(&mut store)?.now().as_ms() as f64;
        Ok((ms,))
    })
}

fn random(linker: &mut Linker<Guest>) -> Result<()> {
    let mut random = linker.instance(&name(Capability::Random))?;
    random.func_wrap("bytes", |mut store: Store<'_>, (count,): (u32,)| Ok((lent(&mut store)?.random(count)?,)))
}

fn metrics(linker: &mut Linker<Guest>) -> Result<()> {
    let mut metrics = linker.instance(&name(Capability::Metrics))?;
    metrics.func_wrap("count", |mut store: Store<'_>, (name, delta): (String, u32)| {
        Ok(lent(&mut store)?.count(&name, delta)?)
    })
}

fn secrets(linker: &mut Linker<Guest>) -> Result<()> {
    let mut secrets = linker.instance(&full_name(SECRETS, LATEST))?;
    // Nothing was lent to a step that grants nothing, and such a step names no secret.
    secrets.func_wrap("hmac-sha256", |store: Store<'_>, (name, data): (String, Vec<u8>)| {
        let mac = store.data().lent.as_ref().and_then(|lent| lent.hmac_sha256(&name, &data));
        Ok((mac.map(Vec::from).ok_or(SecretRefusal::Unknown),))
    })?;
    secrets.func_wrap("reveal", |store: Store<'_>, (name,): (String,)| {
        let revealed = store.data().lent.as_ref().map_or(Revealed::Unknown, |lent| lent.reveal(&name));
        Ok((match revealed {
            Revealed::Text(text) => Ok(text),
            Revealed::Hidden => Err(SecretRefusal::Hidden),
            Revealed::Unknown => Err(SecretRefusal::Unknown),
        },))
    })
}

fn name(capability: Capability) -> String {
    full_name(capability.as_str(), LATEST)
}

/// What the instance was lent; none is made without what it wants.
fn lent<'a>(store: &'a mut Store<'_>) -> Result<&'a mut Lent> {
    store.data_mut().lent.as_mut().ok_or_else(|| wasmtime::Error::msg("nothing was lent"))
}
