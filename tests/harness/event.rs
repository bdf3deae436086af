//! Events as a shop sends them.

use bytes::Bytes;

/// The payload of order `number`: type `order.created`, a region, and three lines, for pipelines that route or split.
pub fn order(number: usize) -> Bytes {
    let region = if number.is_multiple_of(2) { "eu" } else { "us" };
    let line = |part, n| format!(r#"{{"sku":"{part}-{number}","n":{n}}}"#);
    let lines = [line("A", 1), line("B", 2), line("C", 3)].join(",");
    Bytes::from(format!(
        r#"{{"type":"order.created","data":{{"id":"ord_{number}","ort":"Köln","region":"{region}","lines":[{lines}]}}}}"#
    ))
}

/// An order that may be sent under a key.
#[derive(Clone, Debug)]
pub struct Order {
    number: usize,
    pub(crate) idempotency_key: Option<String>,
    pub(crate) event_id: Option<String>,
}

impl Order {
    /// Order `number`, without a key.
    pub const fn new(number: usize) -> Self {
        Self { number, idempotency_key: None, event_id: None }
    }

    /// Order `number` under an idempotency key of its own.
    pub fn keyed(number: usize) -> Self {
        Self::new(number).idempotency_key(&format!("order-{number}"))
    }

    /// Sends it with the header `idempotency-key`.
    #[must_use]
    pub fn idempotency_key(mut self, key: &str) -> Self {
        self.idempotency_key = Some(key.to_owned());
        self
    }

    /// Sends it with the header `weft-event-id`.
    #[must_use]
    pub fn event_id(mut self, id: &str) -> Self {
        self.event_id = Some(id.to_owned());
        self
    }

    /// The exact bytes that are sent.
    pub fn body(&self) -> Bytes {
        order(self.number)
    }
}
