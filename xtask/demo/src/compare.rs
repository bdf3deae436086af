//! Every count beside what it must be: of the engine's traces, and of the receivers' book.

use std::collections::BTreeMap;
use std::fmt;

use crate::counts::{Expected, TenantCounts};
use crate::expected::Content;
use crate::progress::grouped;
use crate::receipts::{Inbox, Pages, Place};
use crate::traces::{PlaceCounts, Traces};

/// Attempts that a delivery to a failing receiver gets: the first, and one after each of the `retry_waits` that
/// `examples/quickstart/weft.toml` gives `archive` and `pager`.
const FAILING_ATTEMPTS: u64 = 3;

/// A count and what it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) what: String,
    pub(crate) is: u64,
    pub(crate) must_be: u64,
}

impl Count {
    pub(crate) fn new(what: impl Into<String>, is: u64, must_be: u64) -> Self {
        Self { what: what.into(), is, must_be }
    }

    pub(crate) fn is_off(&self) -> bool {
        self.is != self.must_be
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}, must be {}", self.what, grouped(self.is), grouped(self.must_be))
    }
}

/// How the receiver of a destination behaves, which decides where its deliveries end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behaviour {
    /// It takes everything at once.
    Well,
    /// It turns some away, and takes them later.
    Recovers,
    /// It turns everything away.
    Fails,
}

/// Compares what is told of the tenants' events.
pub(crate) fn tenants(expected: &Expected, traces: &Traces) -> Vec<Count> {
    let mut counts = Vec::new();
    for (tenant, must) in &expected.tenants {
        let TenantCounts { accepted, filtered, emptied, split, outputs } =
            traces.tenants.get(tenant).copied().unwrap_or_default();
        let mut add = |what: &str, is, must_be| counts.push(Count::new(format!("{tenant}: {what}"), is, must_be));
        add("events accepted", accepted, must.accepted);
        add("events dropped by the filter", filtered, must.filtered);
        add("events dropped because nothing was to be split", emptied, must.emptied);
        add("events split", split, must.split);
        add("outputs", outputs, must.outputs);
    }
    let strangers = traces.tenants.keys().filter(|tenant| !expected.tenants.contains_key(*tenant)).count();
    counts.push(Count::new("tenants that nothing was sent for", strangers as u64, 0));
    counts.push(Count::new("ends that nothing here should have", traces.strange.len() as u64, 0));
    counts
}

/// Compares what is told of the destinations' deliveries, before the dead letters are replayed.
pub(crate) fn places(
    expected: &Expected,
    traces: &Traces,
    pages: &Pages,
    behaviour: impl Fn(&Place) -> Behaviour,
) -> Vec<Count> {
    let mut counts = vec![Count::new("requests that did not verify", pages.unverified, 0)];
    let (nothing, silence) = (BTreeMap::new(), Inbox::default());
    for place in expected.deliveries.keys().chain(traces.places.keys().filter(|p| !expected.deliveries.contains_key(p)))
    {
        let must = expected.deliveries.get(place).unwrap_or(&nothing);
        let is = traces.places.get(place).copied().unwrap_or_default();
        let inbox = pages.inboxes.get(place).unwrap_or(&silence);
        counts.extend(place_counts(place, behaviour(place), must, is, inbox));
    }
    let strangers = pages.inboxes.keys().filter(|place| !expected.deliveries.contains_key(place)).count();
    counts.push(Count::new("destinations that should have got nothing", strangers as u64, 0));
    counts
}

fn place_counts(
    place: &Place,
    behaviour: Behaviour,
    must: &BTreeMap<String, Content>,
    is: PlaceCounts,
    inbox: &Inbox,
) -> Vec<Count> {
    let all = must.len() as u64;
    let (delivered, dead) = if behaviour == Behaviour::Fails { (0, all) } else { (all, 0) };
    let turned_away = match behaviour {
        Behaviour::Well => 0,
        // How many depends on the moment; the engine and the receiver must agree.
        Behaviour::Recovers => is.attempts.saturating_sub(is.delivered),
        Behaviour::Fails => all * FAILING_ATTEMPTS,
    };
    let mut counts = Vec::new();
    let mut add = |what: &str, is, must_be| counts.push(Count::new(format!("{place}: {what}"), is, must_be));
    add("deliveries", is.deliveries, all);
    add("delivered", is.delivered, delivered);
    add("dead", is.dead, dead);
    add("attempts that the engine tells of", is.attempts, inbox.requests);
    add("requests turned away", inbox.turned_away, turned_away);
    counts.extend(arrivals(place, if delivered > 0 { must } else { const { &BTreeMap::new() } }, inbox));
    counts
}

/// Compares what a receiver has taken with what it must have got.
pub(crate) fn arrivals(place: &Place, must: &BTreeMap<String, Content>, inbox: &Inbox) -> Vec<Count> {
    let missing = must.keys().filter(|id| !inbox.taken.contains_key(*id)).count();
    let unexpected = inbox.taken.keys().filter(|id| !must.contains_key(*id)).count();
    let other = must
        .iter()
        .filter(|(id, content)| inbox.taken.get(*id).is_some_and(|receipt| receipt.content != Some(**content)));
    let mut counts = Vec::new();
    let mut add = |what: &str, is: usize| counts.push(Count::new(format!("{place}: {what}"), is as u64, 0));
    add("webhook-ids that did not arrive", missing);
    add("webhook-ids that should not have arrived", unexpected);
    add("bodies that hold something else", other.count());
    counts.push(Count::new(format!("{place}: taken more than once"), inbox.repeated, 0));
    counts.push(Count::new(format!("{place}: one webhook-id with two bodies"), inbox.changed, 0));
    counts
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use weft_core::time::Timestamp;

    use super::*;
    use crate::receipts::{Receipts, Verified};

    fn content(text: &str) -> Content {
        Content::of_body(text.as_bytes()).expect("JSON")
    }

    fn crm() -> Place {
        Place::new("shop", "crm")
    }

    fn request(id: &str, body: &'static str) -> Verified {
        let (place, body) = (crm(), Bytes::from_static(body.as_bytes()));
        Verified { place, webhook_id: id.to_owned(), at: Timestamp::from_ms(1), body }
    }

    fn off(counts: &[Count]) -> Vec<String> {
        counts.iter().filter(|count| count.is_off()).map(ToString::to_string).collect()
    }

    fn expected() -> Expected {
        let must = [("evt_a".to_owned(), content("1")), ("evt_b".to_owned(), content("2"))];
        Expected { deliveries: [(crm(), must.into())].into(), ..Expected::default() }
    }

    fn traces(counts: PlaceCounts) -> Traces {
        Traces { places: [(crm(), counts)].into(), ..Traces::default() }
    }

    #[test]
    fn counts_that_agree_are_not_off() {
        let receipts = Receipts::new();
        receipts.take(&request("evt_a", "1"));
        receipts.turn_away(&request("evt_b", "2"));
        receipts.take(&request("evt_b", " 2 ".trim()));
        let traces = traces(PlaceCounts { deliveries: 2, delivered: 2, dead: 0, attempts: 3 });
        let counts = places(&expected(), &traces, &receipts.snapshot(), |_| Behaviour::Recovers);
        assert_eq!(off(&counts), [""; 0]);
    }

    #[test]
    fn each_count_that_is_off_is_named_with_what_it_must_be() {
        let receipts = Receipts::new();
        receipts.take(&request("evt_a", "7"));
        receipts.take(&request("evt_c", "1"));
        receipts.refuse();
        let traces = traces(PlaceCounts { deliveries: 2, delivered: 1, dead: 1, attempts: 3 });
        let counts = places(&expected(), &traces, &receipts.snapshot(), |_| Behaviour::Well);
        assert_eq!(
            off(&counts),
            [
                "requests that did not verify: 1, must be 0",
                "shop/crm: delivered: 1, must be 2",
                "shop/crm: dead: 1, must be 0",
                "shop/crm: attempts that the engine tells of: 3, must be 2",
                "shop/crm: webhook-ids that did not arrive: 1, must be 0",
                "shop/crm: webhook-ids that should not have arrived: 1, must be 0",
                "shop/crm: bodies that hold something else: 1, must be 0",
            ]
        );
    }

    #[test]
    fn a_failing_receiver_must_leave_every_delivery_dead_after_its_attempts() {
        let receipts = Receipts::new();
        for id in ["evt_a", "evt_b"] {
            (0..FAILING_ATTEMPTS).for_each(|_| receipts.turn_away(&request(id, "1")));
        }
        let good = traces(PlaceCounts { deliveries: 2, delivered: 0, dead: 2, attempts: 6 });
        assert_eq!(off(&places(&expected(), &good, &receipts.snapshot(), |_| Behaviour::Fails)), [""; 0]);
        let short = traces(PlaceCounts { deliveries: 2, delivered: 0, dead: 1, attempts: 5 });
        assert_eq!(off(&places(&expected(), &short, &receipts.snapshot(), |_| Behaviour::Fails)).len(), 2);
    }

    #[test]
    fn a_tenants_counts_are_compared_one_by_one() {
        let counts = TenantCounts { accepted: 3, filtered: 1, emptied: 0, split: 1, outputs: 5 };
        let expected = Expected { tenants: [("shop".to_owned(), counts)].into(), ..Expected::default() };
        let told = TenantCounts { outputs: 4, ..counts };
        let traces = Traces { tenants: [("shop".to_owned(), told)].into(), ..Traces::default() };
        assert_eq!(off(&tenants(&expected, &traces)), ["shop: outputs: 4, must be 5"]);
    }
}
