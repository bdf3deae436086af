//! From a checked configuration to a catalog: names get their lasting ids, keys their hashes, destinations their secrets.
//!
//! The store knows who was here before; the file says who is to be. Both meet in one transaction of the store, and what
//! comes out is the catalog that the workers read.

use std::collections::HashMap;
use std::panic::resume_unwind;

use tokio::task::JoinSet;
use weft_core::destination::{Destination, DestinationKind, DestinationStatus, DisabledReason, HttpTarget};
use weft_core::id::DestinationId;
use weft_core::name::Name;
use weft_core::signing::{Scheme, Signing};
use weft_outbound::InvalidTarget;
use weft_store::catalog::{
    Declaration, DeclaredDestination, DeclaredKey, DeclaredTenant, DestinationRecord, TenantRecord,
};
use weft_store::{Store, StoreError};

use crate::catalog::{Caller, Catalog, Tenant};
use crate::clock::Clock;
use crate::config::{Config, ConfigSecrets, DestinationConfig, DestinationSecrets, TenantConfig, TenantSecrets};
use crate::generated::{Generated, Maker, Wanted};
use crate::secrets::{KeyHash, OpenError, SealKey};

/// Destinations whose secrets are made or opened beside each other: more would wait for the store's readers all the same.
const SECRETS_AT_ONCE: usize = 256;

/// Why a configuration could not be brought into force.
#[derive(Debug, thiserror::Error)]
pub enum DeclareError {
    /// The store failed.
    #[error("could not bring the configuration into the store")]
    Store(#[from] StoreError),
    /// A sealed secret does not open.
    #[error("could not open the signing secret of destination {destination} of tenant {tenant}")]
    Sealed {
        /// Whose.
        tenant: Name,
        /// Of which destination.
        destination: Name,
        /// Why.
        #[source]
        source: OpenError,
    },
    /// A sealed secret opens and is no secret.
    #[error("the signing secret of destination {destination} of tenant {tenant} is damaged")]
    Damaged {
        /// Whose.
        tenant: Name,
        /// Of which destination.
        destination: Name,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The system gave no random bytes.
    #[error("could not make a signing secret")]
    Chance(#[from] std::io::Error),
    /// A destination cannot be the target of a request.
    #[error("a destination cannot be the target of a request")]
    Target(#[from] InvalidTarget),
}

/// Brings configurations into force.
pub struct Declarer<'a> {
    /// Who was here before.
    pub store: &'a Store,
    /// For fresh ids.
    pub clock: &'a Clock,
    /// Seals the secrets that are made.
    pub seal: &'a SealKey,
}

impl Declarer<'_> {
    /// Brings `config` into force and answers the catalog of it.
    ///
    /// # Errors
    /// [`DeclareError`]. What the store took stays, and is the same again the next time.
    pub async fn declare(
        &self,
        config: &Config,
        secrets: ConfigSecrets,
        operator: KeyHash,
    ) -> Result<Catalog, DeclareError> {
        let declaration = self.declaration(config, &secrets);
        let known = self.store.declare(declaration, self.clock.now()).await?;
        let mut keys = HashMap::from([(operator, Caller::Operator)]);
        let mut tenants = Vec::with_capacity(config.tenants.len());
        for (declared, own) in config.tenants.iter().zip(secrets.tenants) {
            let Some(record) = known.tenants.iter().find(|record| record.name == declared.name) else { continue };
            for key in record.keys.iter().filter(|key| key.declared) {
                keys.insert(KeyHash::from_bytes(key.hash), Caller::Tenant(record.id));
            }
            tenants.push(self.tenant(declared, record, own).await?);
        }
        Ok(Catalog::new(tenants, keys)?)
    }

    fn declaration(&self, config: &Config, secrets: &ConfigSecrets) -> Declaration {
        let tenants = config.tenants.iter().zip(&secrets.tenants).map(|(tenant, secrets)| DeclaredTenant {
            fresh: self.clock.fresh(),
            name: tenant.name.clone(),
            keys: secrets
                .keys
                .iter()
                .map(|key| DeclaredKey {
                    fresh: self.clock.fresh(),
                    name: key.name.clone(),
                    hash: *key.hash.as_bytes(),
                })
                .collect(),
            destinations: tenant
                .destinations
                .iter()
                .map(|destination| DeclaredDestination { fresh: self.clock.fresh(), name: destination.name.clone() })
                .collect(),
        });
        // The operator's key lies in the data folder, not in the configuration.
        Declaration { tenants: tenants.collect(), operator_keys: Vec::new() }
    }

    async fn tenant(
        &self,
        declared: &TenantConfig,
        record: &TenantRecord,
        own: TenantSecrets,
    ) -> Result<Tenant, DeclareError> {
        let known: HashMap<&Name, &DestinationRecord> = record.destinations.iter().map(|it| (&it.name, it)).collect();
        let mut destinations = Vec::with_capacity(declared.destinations.len());
        let mut rest = declared
            .destinations
            .iter()
            .zip(own.destinations)
            .filter_map(|(it, own)| Some((it, *known.get(&it.name)?, own)));
        // Each secret that is made or opened is a look into the store; together they share its commits and its readers.
        loop {
            let part: Vec<_> = rest.by_ref().take(SECRETS_AT_ONCE).collect();
            if part.is_empty() {
                break;
            }
            let nameless = part.iter().filter_map(|(it, known, _)| Some((*known, wanted(it)?)));
            let mut generated = self.all_generated(&declared.name, nameless).await?;
            for (destination, known, own) in part {
                let generated = generated.remove(&known.id).unwrap_or_default();
                destinations.push(ready(destination, known, own, generated));
            }
        }
        let mut headers: Vec<_> = declared.pipeline.steps.iter().flat_map(|step| step.headers.clone()).collect();
        headers.sort_unstable();
        headers.dedup();
        Ok(Tenant {
            id: record.id,
            name: declared.name.clone(),
            type_pointer: declared.type_pointer.clone(),
            pipeline: declared.pipeline.clone(),
            step_secrets: own.steps,
            headers,
            destinations: destinations.into(),
        })
    }

    /// What is made for all these destinations.
    async fn all_generated(
        &self,
        tenant: &Name,
        destinations: impl Iterator<Item = (&DestinationRecord, Wanted)>,
    ) -> Result<HashMap<DestinationId, Generated>, DeclareError> {
        let mut making: JoinSet<Result<_, DeclareError>> = JoinSet::new();
        for (destination, wanted) in destinations {
            let maker = Maker { store: self.store.clone(), clock: self.clock.clone(), seal: self.seal.clone() };
            let (tenant, destination) = (tenant.clone(), destination.clone());
            making.spawn(async move { Ok((destination.id, maker.make(&tenant, &destination, wanted).await?)) });
        }
        let mut generated = HashMap::new();
        while let Some(made) = making.join_next().await {
            // Nobody aborts them, so one that did not end has panicked.
            let (destination, made) = made.unwrap_or_else(|error| resume_unwind(error.into_panic()))?;
            generated.insert(destination, made);
        }
        Ok(generated)
    }
}

/// What must be made for a destination.
fn wanted(declared: &DestinationConfig) -> Option<Wanted> {
    let key = declared.signing_keys.is_empty() && declared.signatures.contains(&Scheme::V1a);
    let wanted = Wanted { secret: declared.secrets.is_empty(), key };
    (wanted.secret || wanted.key).then_some(wanted)
}

fn ready(
    declared: &DestinationConfig,
    known: &DestinationRecord,
    own: DestinationSecrets,
    generated: Generated,
) -> Destination {
    let DestinationSecrets { mut secrets, signing_keys: mut keys, headers } = own;
    secrets.extend(generated.secret);
    keys.extend(generated.key);
    // What is in the file is declared, whatever the store remembers of the time without it.
    let status = match known.status {
        DestinationStatus::Disabled(DisabledReason::Undeclared) => DestinationStatus::Active,
        other @ (DestinationStatus::Active | DestinationStatus::Paused | DestinationStatus::Disabled(_)) => other,
    };
    let target = HttpTarget {
        url: declared.url.clone(),
        format: declared.request.format,
        method: declared.request.method,
        headers,
        signing: Signing { schemes: declared.signatures.clone(), secrets, keys },
        success: declared.success.clone(),
    };
    Destination {
        id: known.id,
        name: declared.name.clone(),
        kind: DestinationKind::Http(target),
        events: declared.events.clone(),
        labels: declared.labels.clone(),
        status,
        retry: declared.retry.clone(),
        timeouts: declared.timeouts,
    }
}
