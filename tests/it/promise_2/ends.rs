//! The ends of events and deliveries, and what is left of them after their time.

use std::time::Duration;

use weft_client::wire::{Event, EventState};
use weft_tests::{Answer, Destination, Receiver, Site, Step, Tenant, Weft, audit, order};

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(24 * 3_600);

fn has_ended(event: &Event) -> bool {
    event.state.word() != "received" && event.deliveries.iter().all(|delivery| delivery.state.word() != "pending")
}

/// Step and reason of an event that ended without a delivery.
fn why(event: &Event) -> (&'static str, Option<&str>, &str) {
    match &event.state {
        EventState::Dropped { step, reason, .. } => ("dropped", step.as_deref(), reason),
        EventState::Dead { step, reason, .. } => ("dead", step.as_deref(), reason),
        EventState::Received { .. } | EventState::Routed { .. } => (event.state.word(), None, ""),
    }
}

#[tokio::test]
async fn promise_2_every_event_ends_routed_dropped_or_dead_and_says_why() {
    let crm = Receiver::start().await;
    let filtered = Tenant::named("filtered")
        .sends_to(Destination::at("crm", &crm).with(r#"events = ["order.*"]"#))
        .runs(Step::of("json-filter").with(
            r#"config = { keep_when = { not = { pointer = "/data/region", equals = "us" } }, drop_reason = "not our region" }"#,
        ));
    let plain = Tenant::named("plain").sends_to(Destination::at("crm", &crm).with(r#"events = ["order.*"]"#));
    let rejected = Tenant::named("rejected").sends_to(Destination::at("crm", &crm)).runs(
        Step::of("hostile")
            .with(r#"name = "gate""#)
            .with(r#"roles = ["filter"]"#)
            .with(r#"config = { do = "reject" }"#),
    );
    let site = Site::of([filtered, plain, rejected]).with_patience_for_plugins();
    let weft = Weft::start(&site).await;

    let other = r#"{"type":"cart.abandoned"}"#;
    let never = "never: ";
    let cases = [
        ("plain", order(1), ("routed", None, "")),
        ("plain", other.into(), ("dropped", None, "no-destination")),
        ("filtered", order(2), ("routed", None, "")),
        ("filtered", order(1), ("dropped", Some("json-filter"), "not our region")),
        ("filtered", other.into(), ("dropped", None, "no-destination")),
        ("rejected", order(1), ("dead", Some("gate"), never)),
    ];
    for (tenant, body, (state, step, reason)) in cases {
        let caller = weft.tenant(tenant);
        let id = caller.send(body).await;
        let event = caller.until(&id, "its end", has_ended).await;
        let (its_state, its_step, its_reason) = why(&event);
        assert_eq!((its_state, its_step), (state, step), "{tenant}: {its_reason}");
        assert!(its_reason.starts_with(reason), "{tenant}: {its_reason}");
        assert_eq!(event.deliveries.len(), usize::from(state == "routed"));
    }
    weft.stop().await;
    let counted = audit(&site).await;
    assert_eq!((counted.events.routed, counted.events.dropped, counted.events.dead), (2, 3, 1));
    assert_eq!((counted.events.received, counted.deliveries.delivered), (0, 2));
}

#[tokio::test]
async fn promise_2_only_what_has_ended_is_pruned_and_the_ledger_still_adds_up() {
    let crm = Receiver::of_any_time().await;
    let slow = Receiver::of_any_time().await;
    slow.answer(Answer::Status(503));
    let shop = Tenant::named("shop")
        .sends_to(Destination::at("crm", &crm).with(r#"events = ["order.*"]"#).with("retry_waits = []"))
        .sends_to(
            Destination::at("slow", &slow).with(r#"events = ["audit"]"#).with(r#"retry_waits = ["24h", "24h", "24h"]"#),
        );
    let site = Site::of([shop]).limit("retention_hours", 48);
    let weft = Weft::start(&site).await;
    let shop = weft.tenant("shop");

    // Day 0: delivered, dead, dropped. Day 1: two delivered, and one that has no end for three more days.
    crm.answer_first([Answer::Status(204), Answer::Status(500)]);
    for body in [order(1), order(2), r#"{"type":"cart.abandoned"}"#.into()] {
        let id = shop.send(body).await;
        shop.until(&id, "its end", has_ended).await;
    }
    weft.advance(DAY);
    for number in [3, 4] {
        let id = shop.send(order(number)).await;
        shop.delivered(&id).await;
    }
    let waiting = shop.send(r#"{"type":"audit"}"#).await;
    shop.after_attempts(&waiting, 1).await;

    // Day 2 and an hour: what ended on day 0 is gone, what ended on day 1 is there.
    weft.advance(DAY + HOUR);
    let counted = audit_until(&site, |counted| counted.pruned_events > 0).await;
    assert_eq!((counted.pruned_events, counted.pruned_deliveries), (3, 2));
    assert_eq!((counted.events.routed, counted.deliveries.pending), (3, 1));
    shop.after_attempts(&waiting, 2).await;

    // Day 4 and an hour: everything is gone but what has no end.
    weft.advance(2 * DAY);
    let counted = audit_until(&site, |counted| counted.pruned_events > 3).await;
    assert_eq!((counted.pruned_events, counted.pruned_deliveries), (5, 4));
    assert_eq!((counted.events.routed, counted.deliveries.pending), (1, 1));
    shop.after_attempts(&waiting, 3).await;

    slow.answer(Answer::Status(204));
    weft.advance(DAY);
    shop.delivered(&waiting).await;
    weft.stop().await;
    let counted = audit(&site).await;
    assert_eq!((counted.events.routed, counted.deliveries.delivered), (1, 1));
}

/// Audits until `condition` holds: pruning happens beside everything else.
async fn audit_until(
    site: &Site,
    condition: impl Fn(&weft_store::check::Counted) -> bool,
) -> weft_store::check::Counted {
    weft_tests::within("what has ended is pruned", async {
        loop {
            let counted = audit(site).await;
            if condition(&counted) {
                return counted;
            }
        }
    })
    .await
}
