//! Identities: TypeIDs at the rim (`evt_01h4…`), 16 bytes inside. Fresh ones are made by the server's clock, never here.

use type_safe_id::{StaticType, TypeSafeId};

macro_rules! ids {
    ($($(#[$doc:meta])* $alias:ident = $kind:ident($prefix:literal)),+ $(,)?) => {$(
        $(#[$doc])*
        pub type $alias = TypeSafeId<$kind>;

        #[doc = concat!("The kind behind [`", stringify!($alias), "`].")]
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $kind;

        impl StaticType for $kind {
            const TYPE: &'static str = $prefix;
        }
    )+};
}

ids! {
    /// One event, from its acceptance on.
    EventId = EventIdKind("evt"),
    /// One output for one destination.
    DeliveryId = DeliveryIdKind("dlv"),
    /// Where deliveries go.
    DestinationId = DestinationIdKind("dst"),
    /// Whose events these are.
    TenantId = TenantIdKind("ten"),
    /// A named component with versions.
    PluginId = PluginIdKind("plg"),
    /// A new run of something that had ended.
    ReplayId = ReplayIdKind("rpl"),
    /// An API key; the key itself is never stored, only its hash.
    KeyId = KeyIdKind("key"),
}

/// The `webhook-id` of an output: the event's id, followed by `-N` when the event was split.
///
/// It is the same for all destinations, attempts and replays of that output (promise 3), and holds no `.`, because the
/// signed text is `id.timestamp.body`.
pub fn webhook_id(event: EventId, output: u32) -> String {
    match output {
        0 => event.to_string(),
        n => format!("{event}-{n}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn promise_3_the_webhook_id_names_event_and_output_without_a_dot() {
        let event = EventId::from_uuid(Uuid::from_u128(0x0188_bac7_4afa_78aa_bc3b_bd1e_ef28_d881));
        assert_eq!(webhook_id(event, 0), "evt_01h2xcejqtf2nbrexx3vqjhp41");
        assert_eq!(webhook_id(event, 3), "evt_01h2xcejqtf2nbrexx3vqjhp41-3");
        assert!(!webhook_id(event, 3).contains('.'));
    }
}
