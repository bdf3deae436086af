//! What Weft makes for destinations that name no secret or key of their own: once, sealed in the store.

use bytes::Bytes;
use weft_core::name::Name;
use weft_core::sign::{SECRET_BYTES_GENERATED, SigningSecret};
use weft_core::signing_key::{SEED_BYTES, SigningKey};
use weft_store::Store;
use weft_store::catalog::DestinationRecord;
use zeroize::Zeroizing;

use crate::clock::Clock;
use crate::declare::DeclareError;
use crate::secrets::{SealKey, SealedFor, random_bytes};

/// The name of the secret that is made for a destination.
const SECRET: &str = "signing";
/// The name of the seed of the key that is made for one which signs with `v1a`.
const SEED: &str = "signing-v1a";

/// What a destination does not name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) secret: bool,
    pub(crate) key: bool,
}

/// What was made for it, now or before.
#[derive(Debug, Default)]
pub(crate) struct Generated {
    pub(crate) secret: Option<SigningSecret>,
    pub(crate) key: Option<SigningKey>,
}

/// Makes secrets and keys, and opens those that were made before.
pub(crate) struct Maker {
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) seal: SealKey,
}

impl Maker {
    /// What is wanted for `destination` of `tenant`.
    pub(crate) async fn make(
        &self,
        tenant: &Name,
        destination: &DestinationRecord,
        wanted: Wanted,
    ) -> Result<Generated, DeclareError> {
        let sealed = self.store.sealed(destination.id).await?;
        let one = OneDestination { maker: self, tenant, destination, sealed: &sealed };
        let mut generated = Generated::default();
        if wanted.secret {
            let plain = one.bytes::<SECRET_BYTES_GENERATED>(SECRET).await?;
            let secret = SigningSecret::from_bytes(plain.to_vec()).map_err(|why| one.damaged(why))?;
            generated.secret = Some(secret);
        }
        if wanted.key {
            let seed = one.bytes::<SEED_BYTES>(SEED).await?;
            generated.key = Some(SigningKey::from_seed(&seed).map_err(|why| one.damaged(why))?);
        }
        Ok(generated)
    }
}

struct OneDestination<'a> {
    maker: &'a Maker,
    tenant: &'a Name,
    destination: &'a DestinationRecord,
    sealed: &'a [(Name, Bytes)],
}

impl OneDestination<'_> {
    /// The bytes of this name that were made before, or `COUNT` fresh ones.
    async fn bytes<const COUNT: usize>(&self, name: &'static str) -> Result<Zeroizing<Vec<u8>>, DeclareError> {
        let Maker { store, clock, seal } = self.maker;
        let owner = self.destination.id.to_string();
        let whom = SealedFor { owner: &owner, name };
        if let Some((_, sealed)) = self.sealed.iter().find(|(known, _)| known.as_str() == name) {
            return seal.open(whom, sealed).map_err(|source| DeclareError::Sealed {
                tenant: self.tenant.clone(),
                destination: self.destination.name.clone(),
                source,
            });
        }
        let plain = random_bytes::<COUNT>()?;
        let sealed = Bytes::from(seal.seal(whom, &plain, random_bytes()?));
        let name: Name = name.parse().expect("the constants are names");
        store.put_sealed(self.destination.id, name, sealed, clock.now()).await?;
        Ok(plain.to_vec().into())
    }

    fn damaged(&self, why: impl std::error::Error + Send + Sync + 'static) -> DeclareError {
        DeclareError::Damaged {
            tenant: self.tenant.clone(),
            destination: self.destination.name.clone(),
            source: Box::new(why),
        }
    }
}
