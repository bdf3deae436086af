//! What the host hands over and takes back, in all roles.

use bytes::Bytes;
use weft_core::contract::{
    DestinationView, EventView, Failure, LogLevel, Outputs, Overrides, Patch, PayloadView, Recipients, Role, Target,
    Targets, Verdict,
};

use crate::{HOSTILE, Step, event, header};

#[test]
fn a_component_has_the_roles_that_it_exports() {
    assert_eq!(HOSTILE.roles(), [Role::Filter, Role::Transform, Role::Route]);
    assert_eq!(HOSTILE.digest(), weft_core::digest::Digest::of(&crate::component("hostile")));
}

#[test]
fn a_filter_keeps_drops_asks_for_another_try_or_rejects() {
    let decide = |behaviour| Step::of(behaviour).instance().decide(&event(&[], &[])).expect("no fault");
    assert_eq!(decide("ok"), Ok(Verdict::Keep));
    assert_eq!(decide("drop"), Ok(Verdict::Drop("unwanted order.created from shop".to_owned())));
    assert_eq!(decide("retry"), Err(Failure::Retry { reason: "not yet".to_owned(), after_ms: Some(1500) }));
    assert_eq!(decide("reject"), Err(Failure::Reject("never: evt_01h2xcejqtf2nbrexx3vqjhp41".to_owned())));
}

#[test]
fn a_transform_gets_the_event_whole_and_its_patch_comes_back_whole() {
    let (headers, attributes) = ([header("x-shop", "berlin"), header("x-shop", "")], [header("näme", "wért")]);
    let view = EventView {
        content_type: "image/png",
        data: PayloadView::Binary(&[0, 255, 7]),
        ..event(&headers, &attributes)
    };
    let answer = Step::of("echo").instance().transform(&view).expect("no fault");
    let patch = Patch {
        content_type: Some("image/png".to_owned()),
        data: Some(Bytes::from_static(&[0, 255, 7])),
        set_headers: headers.to_vec(),
        set_attributes: attributes.to_vec(),
        ..Patch::default()
    };
    assert_eq!(answer, Ok(Outputs::Events(vec![patch])));
}

#[test]
fn a_transform_splits_in_order_and_leaves_the_rest_unchanged() {
    let patches = Step::of("split").transform().expect("no fault");
    let bodies: Vec<_> = patches.iter().map(|patch| patch.data.clone().expect("a body")).collect();
    assert_eq!(bodies, ["1", "2", "3"]);
    assert!(patches.iter().all(|patch| patch.event_type.is_none() && patch.set_headers.is_empty()));
}

#[test]
fn a_route_sees_the_destinations_and_names_targets_with_all_their_parts() {
    let destinations = [
        DestinationView { name: "crm".to_owned(), kind: "http".to_owned(), labels: vec![] },
        DestinationView { name: "audit".to_owned(), kind: "nats".to_owned(), labels: vec![header("region", "eu")] },
    ];
    let target = |to, kind: &str| Target {
        to,
        change: Patch { remove_headers: vec!["x-old".to_owned()], ..Patch::default() },
        request: Overrides {
            method: Some("PUT".to_owned()),
            path: Some("/below".to_owned()),
            query: Some(format!("kind={kind}")),
            delay_ms: Some(7),
        },
    };
    let answer = Step::of("echo").instance().route(&event(&[], &[]), &destinations).expect("no fault");
    let wanted = vec![
        target(Recipients::Named("crm".to_owned()), "http"),
        target(Recipients::Labelled(vec![header("region", "eu")]), "nats"),
    ];
    assert_eq!(answer, Ok(Targets::Send(wanted)));
    let answer = Step::of("drop").instance().route(&event(&[], &[]), &[]).expect("no fault");
    assert_eq!(answer, Ok(Targets::Drop("nowhere for order.created".to_owned())));
}

#[test]
fn the_roles_of_a_step_share_one_instance() {
    let mut instance = Step::of("ok").instance();
    assert_eq!(instance.decide(&event(&[], &[])).expect("no fault"), Ok(Verdict::Keep));
    assert!(matches!(instance.transform(&event(&[], &[])).expect("no fault"), Ok(Outputs::Events(_))));
    assert!(matches!(instance.route(&event(&[], &[]), &[]).expect("no fault"), Ok(Targets::Send(_))));
    assert!(instance.finish().is_empty());
}

#[test]
fn promise_9_what_a_guest_logs_and_prints_is_handed_back_in_order() {
    let mut instance = Step::of("log").instance();
    instance.decide(&event(&[], &[])).expect("no fault").expect("a verdict");
    let lines: Vec<_> = instance.finish().into_iter().map(|line| (line.level, line.message)).collect();
    let wanted = [(LogLevel::Debug, "a log line"), (LogLevel::Info, "a printed line"), (LogLevel::Warn, "a complaint")];
    assert_eq!(lines, wanted.map(|(level, message)| (level, message.to_owned())));
}
