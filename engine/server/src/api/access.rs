//! Who calls, and for whom: made of a request's key, and the only way to anything that is not public.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use weft_client::wire::header;
use weft_core::id::TenantId;
use weft_core::name::Name;

use super::SharedState;
use super::refusal::{INVALID_HEADER, KEY_MISSING, KEY_UNKNOWN, NOT_ALLOWED, Refusal, shortened};
use crate::catalog::{Caller, Catalog, Tenant};

/// What a request may see and do.
#[derive(Clone, Debug)]
pub(super) struct Access {
    /// Who holds the key.
    pub(super) by: Caller,
    /// Whose things are meant: a tenant's own, or those of the tenant that the operator named. `None` means everybody's.
    tenant: Option<Arc<Tenant>>,
    /// The same catalog for the whole request.
    pub(super) catalog: Arc<Catalog>,
}

impl Access {
    /// Reads who calls from `authorization`, and for whom from `weft-tenant`.
    pub(super) fn of(headers: &HeaderMap, catalog: Arc<Catalog>) -> Result<Self, Refusal> {
        let by = catalog.caller(bearer(headers)?).ok_or_else(|| {
            Refusal::new(&KEY_UNKNOWN, "the key in authorization is not one of this engine's").key("authorization")
        })?;
        let named = named_tenant(headers)?;
        let tenant = match (by, named) {
            (Caller::Operator, None) => None,
            (Caller::Operator, Some(name)) => {
                Some(catalog.tenant_named(&name).ok_or_else(|| no_tenant(&name))?.clone())
            }
            (Caller::Tenant(id), named) => Some(own(&catalog, id, named.as_ref())?),
        };
        Ok(Self { by, tenant, catalog })
    }

    /// Whose things may be seen; `None` stands for everybody's.
    pub(super) fn scope(&self) -> Option<TenantId> {
        self.tenant.as_ref().map(|tenant| tenant.id)
    }

    /// The tenants whose things may be seen, by name.
    pub(super) fn tenants(&self) -> Vec<&Arc<Tenant>> {
        let mut tenants: Vec<_> = match &self.tenant {
            Some(tenant) => vec![tenant],
            None => self.catalog.tenants().collect(),
        };
        tenants.sort_by(|a, b| a.name.cmp(&b.name));
        tenants
    }

    /// The one tenant for whom something is done.
    pub(super) fn one_tenant(&self) -> Result<&Arc<Tenant>, Refusal> {
        self.tenant.as_ref().ok_or_else(|| {
            Refusal::new(&INVALID_HEADER, "the operator acts for one tenant here: name it in the header weft-tenant")
                .key(header::TENANT)
                .rule("with the operator's key, weft-tenant is needed")
        })
    }

    /// Refuses everybody but the operator.
    pub(super) fn operator_only(&self) -> Result<(), Refusal> {
        match self.by {
            Caller::Operator => Ok(()),
            Caller::Tenant(_) => {
                Err(Refusal::new(&NOT_ALLOWED, "only the operator's key may do that").key("authorization"))
            }
        }
    }

    /// Who calls, for the log.
    pub(super) const fn role(&self) -> &'static str {
        match self.by {
            Caller::Operator => "operator",
            Caller::Tenant(_) => "tenant",
        }
    }
}

impl FromRequestParts<SharedState> for Access {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &SharedState) -> Result<Self, Refusal> {
        Self::of(&parts.headers, state.catalog.snapshot())
    }
}

fn bearer(headers: &HeaderMap) -> Result<&str, Refusal> {
    const WAY_OUT: &str = "send the header authorization: Bearer <key>";
    let missing = |what: &str| Refusal::new(&KEY_MISSING, format!("{what}: {WAY_OUT}")).key("authorization");
    let value = headers.get(AUTHORIZATION).ok_or_else(|| missing("there is no key"))?;
    let text = value.to_str().map_err(|_| missing("the header authorization holds more than visible ASCII"))?;
    match text.split_once(' ') {
        Some((scheme, key)) if scheme.eq_ignore_ascii_case("bearer") && !key.trim().is_empty() => Ok(key.trim()),
        Some(_) | None => Err(missing("the header authorization holds no bearer key")),
    }
}

fn named_tenant(headers: &HeaderMap) -> Result<Option<Name>, Refusal> {
    let Some(value) = headers.get(header::TENANT) else { return Ok(None) };
    let text = String::from_utf8_lossy(value.as_bytes());
    text.parse()
        .map(Some)
        .map_err(|error| Refusal::new(&INVALID_HEADER, format!("{}: {error}", header::TENANT)).key(header::TENANT))
}

fn no_tenant(name: &Name) -> Refusal {
    let detail = format!("{}: there is no tenant {}", header::TENANT, shortened(name.as_str()));
    Refusal::new(&INVALID_HEADER, detail).key(header::TENANT).rule("it names a tenant of the configuration")
}

/// The tenant of a key. A tenant may name itself, and nobody else: whether another exists is not told.
fn own(catalog: &Catalog, id: TenantId, named: Option<&Name>) -> Result<Arc<Tenant>, Refusal> {
    let tenant = catalog.tenant(id).ok_or_else(|| {
        Refusal::new(&KEY_UNKNOWN, "the key's tenant is no longer in the configuration").key("authorization")
    })?;
    match named {
        Some(name) if *name != tenant.name => {
            let detail = format!("this key is {}'s and acts for nobody else", tenant.name);
            Err(Refusal::new(&NOT_ALLOWED, detail).key(header::TENANT))
        }
        Some(_) | None => Ok(tenant.clone()),
    }
}
