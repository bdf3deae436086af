//! A plugin in all roles that does what its step's configuration says: answer well, break the contract, or attack the host.
//!
//! The configuration is the name of a behaviour, alone or as the last string of a JSON value: `{"do": "loop"}`.

mod attacks;
mod probes;

use exports::weft::plugin::{filter, route, transform};
use weft::plugin::types::{
    Destination, Event, Failure, Header, Later, Outputs, Overrides, Patch, Payload, Recipients, Target, Targets,
    Verdict,
};

wit_bindgen::generate!({ path: "../../../wit", world: "all-roles" });

struct Hostile;

export!(Hostile);

impl filter::Guest for Hostile {
    fn decide(event: Event) -> Result<Verdict, Failure> {
        let behaviour = behaviour();
        attacks::run(&behaviour);
        match behaviour.as_str() {
            "retry" => Err(Failure::Retry(Later { reason: "not yet".to_owned(), after_ms: Some(1500) })),
            "reject" => Err(Failure::Reject(format!("never: {}", event.id))),
            "drop" => Ok(Verdict::Drop(format!("unwanted {} from {}", event.event_type, event.source))),
            _ => Ok(Verdict::Keep),
        }
    }
}

impl transform::Guest for Hostile {
    fn transform(event: Event) -> Result<Outputs, Failure> {
        let behaviour = behaviour();
        attacks::run(&behaviour);
        Ok(Outputs::Events(match behaviour.as_str() {
            "retry" | "reject" => return Err(Failure::Reject("the filter should have answered".to_owned())),
            "drop" => return Ok(Outputs::Drop("unwanted".to_owned())),
            "empty-list" => Vec::new(),
            "many-outputs" => (0..100_000).map(|_| patch()).collect(),
            "too-many-outputs" => (0..65).map(|_| patch()).collect(),
            "split" => (1..=3).map(|n| Patch { data: Some(Payload::Text(n.to_string())), ..patch() }).collect(),
            "return-100mb" => vec![Patch { data: Some(Payload::Binary(vec![b'x'; 100_000_000])), ..patch() }],
            "return-5mib" => vec![Patch { data: Some(Payload::Text("x".repeat(5 << 20))), ..patch() }],
            "reserved-header" => vec![Patch { set_headers: vec![header("webhook-id", "mine")], ..patch() }],
            "ordering-key" => vec![Patch { ordering_key: Some("key".to_owned()), ..patch() }],
            "echo" => vec![Patch {
                data: Some(event.data),
                content_type: Some(event.content_type),
                set_headers: event.headers,
                set_attributes: event.attributes,
                ..patch()
            }],
            "probe" => vec![Patch { set_attributes: probes::surroundings(&event), ..patch() }],
            "canary" => vec![Patch { set_attributes: probes::canary(), ..patch() }],
            _ => vec![Patch { set_attributes: vec![header("hostile", "was here")], ..patch() }],
        }))
    }
}

impl route::Guest for Hostile {
    fn route(event: Event, destinations: Vec<Destination>) -> Result<Targets, Failure> {
        let behaviour = behaviour();
        attacks::run(&behaviour);
        Ok(Targets::Send(match behaviour.as_str() {
            "drop" => return Ok(Targets::Drop(format!("nowhere for {}", event.event_type))),
            "empty-list" => Vec::new(),
            "many-outputs" | "too-many-outputs" => (0..65).map(|_| target(Recipients::Subscribed)).collect(),
            "unknown-destination" => vec![target(Recipients::Named("no-such-destination".to_owned()))],
            "reserved-header" => vec![Target {
                change: Patch { set_headers: vec![header("Authorization", "mine")], ..patch() },
                ..target(Recipients::Subscribed)
            }],
            "outside-path" => vec![Target {
                request: Overrides { path: Some("/../admin".to_owned()), ..overrides() },
                ..target(Recipients::Subscribed)
            }],
            "echo" => destinations.into_iter().map(addressed).collect(),
            _ => vec![target(Recipients::Subscribed)],
        }))
    }
}

/// Every part of a target, made of what the route was shown.
fn addressed(destination: Destination) -> Target {
    let to = if destination.labels.is_empty() {
        Recipients::Named(destination.name)
    } else {
        Recipients::Labelled(destination.labels)
    };
    let request = Overrides {
        method: Some("PUT".to_owned()),
        path: Some("/below".to_owned()),
        query: Some(format!("kind={}", destination.kind)),
        delay_ms: Some(7),
    };
    Target { to, change: Patch { remove_headers: vec!["x-old".to_owned()], ..patch() }, request }
}

fn behaviour() -> String {
    let config = weft::plugin::config::get();
    config.rsplit('"').nth(1).unwrap_or(&config).to_owned()
}

fn header(name: &str, value: impl Into<String>) -> Header {
    Header { name: name.to_owned(), value: value.into() }
}

fn patch() -> Patch {
    Patch {
        event_type: None,
        content_type: None,
        ordering_key: None,
        data: None,
        set_headers: Vec::new(),
        remove_headers: Vec::new(),
        set_attributes: Vec::new(),
    }
}

fn overrides() -> Overrides {
    Overrides { method: None, path: None, query: None, delay_ms: None }
}

fn target(to: Recipients) -> Target {
    Target { to, change: patch(), request: overrides() }
}
