//! What a test of crashes keeps by itself, beside the engine: what was acknowledged, what receivers got.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use weft_tests::{Acknowledged, Caller, Engine, Load, Order, Receiver, order};

/// The orders of one tenant over all starts of an engine.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    acknowledged: Acknowledged,
    /// Orders whose answer never came: they may be stored or not.
    unanswered: BTreeSet<usize>,
    next: usize,
}

impl Ledger {
    /// Starts a load of orders that were never sent before.
    pub(crate) fn begin(&mut self, caller: &Caller, senders: usize) -> Load {
        Load::begin(caller, senders, self.next)
    }

    /// Ends a load and writes down what became of it. Answers how many orders were acknowledged.
    pub(crate) async fn end(&mut self, load: Load) -> usize {
        let (acknowledged, unanswered) = load.end().await;
        let count = acknowledged.len();
        let last = acknowledged.keys().chain(&unanswered).max().copied();
        self.next = last.map_or(self.next, |last| last + 1);
        self.acknowledged.extend(acknowledged);
        self.unanswered.extend(unanswered);
        count
    }

    /// Sends again what was never answered, under the same keys, as a good sender does; whatever dies is tried next time.
    pub(crate) async fn settle(&mut self, caller: &Caller) {
        for number in std::mem::take(&mut self.unanswered) {
            match caller.try_send(&Order::keyed(number)).await {
                Ok(accepted) => drop(self.acknowledged.insert(number, accepted.id)),
                Err(_) => drop(self.unanswered.insert(number)),
            }
        }
    }

    /// How many orders there are, once all are settled.
    pub(crate) fn orders(&self) -> u64 {
        assert!(self.unanswered.is_empty(), "orders without an answer: {:?}", self.unanswered);
        self.acknowledged.len() as u64
    }

    /// How many acknowledged orders this receiver has not accepted yet.
    pub(crate) async fn under_way(&self, receiver: &Receiver) -> usize {
        let accepted: BTreeSet<_> = receiver.accepted(0).await.into_iter().collect();
        self.acknowledged.values().filter(|id| !accepted.contains(*id)).count()
    }

    /// Proves that a receiver got each order at least once, each `webhook-id` with one body, and nothing that was not sent.
    pub(crate) fn compare_with(&self, receiver: &Receiver, outputs: impl Fn(&str, usize) -> Vec<(String, Bytes)>) {
        let mut bodies: BTreeMap<String, Bytes> = BTreeMap::new();
        for request in receiver.so_far() {
            let body = bodies.entry(request.webhook_id().to_owned()).or_insert_with(|| request.body.clone());
            assert_eq!(*body, request.body, "{} came with two bodies", request.webhook_id());
        }
        let expected =
            self.acknowledged.iter().flat_map(|(number, id)| outputs(id, *number)).collect::<BTreeMap<_, _>>();
        let lost: Vec<_> = expected.keys().filter(|id| !bodies.contains_key(*id)).collect();
        assert!(lost.is_empty(), "{} of {} never arrived: {lost:?}", lost.len(), expected.len());
        assert!(bodies == expected, "what arrived is what was sent");
    }
}

/// What becomes of an order without steps: itself.
pub(crate) fn whole(id: &str, number: usize) -> Vec<(String, Bytes)> {
    vec![(id.to_owned(), order(number))]
}

/// What becomes of an order that is split by its three lines.
pub(crate) fn lines(id: &str, number: usize) -> Vec<(String, Bytes)> {
    let line = |part, n| (format!("{id}-{n}"), Bytes::from(format!(r#"{{"sku":"{part}-{number}","n":{n}}}"#)));
    vec![line("A", 1), line("B", 2), line("C", 3)]
}

/// Settles both ledgers, waits until the engine has nothing left to do, and stops it.
pub(crate) async fn drain(engine: Engine<'_>, ledgers: [(&mut Ledger, &Caller); 2]) {
    for (ledger, caller) in ledgers {
        ledger.settle(caller).await;
    }
    engine.operator().drained().await;
    engine.stop().await;
}
