//! The same event, version and configuration give the same bytes, whatever a guest asks for.

use weft_core::event::Header;

use crate::Step;

fn value<'a>(attributes: &'a [Header], name: &str) -> &'a str {
    attributes.iter().find(|a| a.name == name).map_or("", |a| &a.value)
}

#[test]
fn the_same_event_gives_the_same_bytes_on_every_fresh_instance() {
    let first = Step::of("probe").attributes();
    for _ in 0..20 {
        assert_eq!(Step::of("probe").attributes(), first);
    }
}

#[test]
fn another_event_or_output_throws_other_dice() {
    let order = |event, output| {
        let attributes = Step { event, output, ..Step::of("probe") }.attributes();
        value(&attributes, "hash-order").to_owned()
    };
    assert_ne!(order(7, 0), order(8, 0));
    assert_ne!(order(7, 0), order(7, 1));
    assert_eq!(order(8, 1), order(8, 1));
}

#[test]
fn a_guest_finds_the_events_time_and_an_empty_world() {
    let attributes = Step::of("probe").attributes();
    let wanted = [
        ("wall-ms", "1614265330007"),
        ("elapsed-ms", "0"),
        ("slept-ms", "1500"),
        ("environment", "0"),
        ("arguments", "0"),
        ("stdin", "0"),
    ];
    for (name, wanted) in wanted {
        assert_eq!(value(&attributes, name), wanted, "{name}");
    }
}
