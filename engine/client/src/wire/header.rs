//! The request headers of the API, lower case as HTTP libraries want them.

/// The sender's own id of an event.
pub const EVENT_ID: &str = "weft-event-id";
/// What happened; without it the type is taken from the payload.
pub const EVENT_TYPE: &str = "weft-event-type";
/// What makes a second request the same event.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// The key within which events keep their order.
pub const ORDERING_KEY: &str = "weft-ordering-key";
/// The name of the tenant for whom the operator acts.
pub const TENANT: &str = "weft-tenant";
