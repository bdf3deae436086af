//! What is taken and what is refused, with words that a person can act on.

use weft_plugin_host::{HostConfig, PluginHost, Refusal};

use crate::{HOST, HOSTILE, Step, component, config};

/// Loads and probes a component given as text.
fn refusal(wat: &str) -> Refusal {
    let bytes = wat::parse_str(wat).expect("valid text");
    match HOST.load(&bytes) {
        Ok(version) => version.probe(&Step::of("ok").within_ms(50).call()).expect_err("a refusal"),
        Err(refusal) => refusal,
    }
}

#[track_caller]
fn assert_says(refusal: &Refusal, words: &[&str]) {
    for word in words {
        assert!(refusal.to_string().contains(word), "{word:?} is missing: {refusal}");
    }
}

#[test]
fn a_good_component_passes_its_probe() {
    assert_eq!(HOSTILE.probe(&Step::of("loop").call()), Ok(()), "a probe calls no role");
    assert_eq!(HOSTILE.bytes(), component("hostile").len());
}

#[test]
fn promise_5_a_component_that_wants_files_is_refused_by_interface_with_a_way_out() {
    let refusal = HOST.load(&component("needs-files")).expect_err("a refusal");
    assert!(matches!(refusal, Refusal::NotGranted { .. }));
    assert_says(&refusal, &["wasi:filesystem/types@0.2", "wasi:filesystem/preopens@0.2", "std::fs"]);
}

#[test]
fn a_component_for_another_contract_is_refused_with_both_versions() {
    let refusal = HOST.load(&component("other-contract")).expect_err("a refusal");
    assert!(matches!(refusal, Refusal::OtherContract { .. }));
    assert_says(&refusal, &["weft:plugin/filter@9.0.0", "weft:plugin@0.2.0"]);
}

#[test]
fn what_is_not_a_component_is_refused() {
    for (bytes, word) in
        [(&b""[..], "empty"), (b"not wasm at all", "does not begin"), (b"\0asm\x01\0\0\0", "core module")]
    {
        assert_says(&HOST.load(bytes).expect_err("a refusal"), &["not a WebAssembly component", word]);
    }
}

#[test]
fn half_a_component_is_refused() {
    let whole = component("hostile");
    let refusal = HOST.load(&whole[..whole.len() / 2]).expect_err("a refusal");
    assert!(matches!(refusal, Refusal::DoesNotCompile { .. }), "{refusal}");
}

#[test]
fn a_component_over_the_limit_is_refused_before_it_is_read() {
    let host = PluginHost::new(&HostConfig { component_bytes_max: 1000, ..config() }).expect("a host");
    let refusal = host.load(&[0; 1001]).expect_err("a refusal");
    assert_eq!(refusal, Refusal::TooLarge { bytes: 1001, bytes_max: 1000 });
    assert_says(&refusal, &["component_bytes_max is 1000"]);
}

#[test]
fn a_component_without_a_role_is_refused() {
    assert_says(&refusal("(component)"), &["exports no role", "filter, transform or route"]);
}

#[test]
fn promise_5_a_component_that_could_never_be_instantiated_is_refused_when_loaded() {
    let memory = refusal(r#"(component (core module $m (memory 5000)) (core instance (instantiate $m)))"#);
    let memories = r#"(core instance (instantiate $m))"#.repeat(5);
    let memories = refusal(&format!("(component (core module $m (memory 1)) {memories})"));
    let tables = refusal(r#"(component (core module $m (table 200000 funcref)) (core instance (instantiate $m)))"#);
    for refusal in [memory, memories, tables] {
        assert!(matches!(refusal, Refusal::Resources { .. }), "{refusal}");
    }
}

/// A filter whose `decide` has the type that `functions` gives it, and whose start function runs `start`.
fn filter(decide: &str, start: &str) -> String {
    format!(
        r#"(component
            (core module $m
                (memory (export "memory") 1)
                (func (export "decide") (param i32 i32) (result i32) unreachable)
                (func (export "realloc") (param i32 i32 i32 i32) (result i32) unreachable)
                (func $start {start})
                (start $start))
            (core instance $i (instantiate $m))
            (func $decide {decide}
                (canon lift (core func $i "decide") (memory (core memory $i "memory")) (realloc (core func $i "realloc"))))
            (instance $filter (export "decide" (func $decide)))
            (export "weft:plugin/filter@0.1.0" (instance $filter)))"#
    )
}

const OTHER_DECIDE: &str = r#"(param "event" string) (result u32)"#;

#[test]
fn a_role_with_other_types_is_refused() {
    let refusal = refusal(&filter(OTHER_DECIDE, ""));
    assert!(matches!(refusal, Refusal::Misfit { .. }));
    assert_says(&refusal, &["weft:plugin@0.2.0", "role filter"]);
}

#[test]
fn promise_6_a_component_whose_start_traps_or_loops_fails_its_probe() {
    let trap = refusal(&filter(OTHER_DECIDE, "unreachable"));
    assert_says(&trap, &["failed its probe", "trap fault", "unreachable"]);
    let spin = refusal(&filter(OTHER_DECIDE, "(loop $again (br $again))"));
    assert_says(&spin, &["failed its probe", "timeout fault", "50 ms"]);
}

#[test]
fn an_interface_without_its_function_is_refused() {
    let refusal = refusal(r#"(component (instance $empty) (export "weft:plugin/route@0.1.4" (instance $empty)))"#);
    assert_says(&refusal, &["does not fit", "weft:plugin/route@0.1.4 exports no route"]);
}

#[test]
fn promise_5_too_many_instances_are_a_fault_of_the_host_and_not_of_the_plugin() {
    let host = PluginHost::new(&HostConfig { instances_max: 1, ..config() }).expect("a host");
    let version = host.load(&component("hostile")).expect("a version");
    let step = Step::of("ok");
    let first = step.try_instance(&version).expect("an instance");
    let fault = step.try_instance(&version).map(drop).expect_err("a fault");
    assert_eq!(fault.class, weft_core::contract::FaultClass::Host, "{fault}");
    assert!(fault.message.contains("no instance could be made"), "{fault}");
    drop(first);
    assert!(step.try_instance(&version).is_ok(), "its place is free again");
}

#[test]
fn promise_6_a_version_outlives_the_host_that_made_it_and_is_still_limited() {
    let host = PluginHost::new(&config()).expect("a host");
    let version = host.load(&component("hostile")).expect("a version");
    drop(host);
    let mut instance = Step::of("loop").within_ms(50).try_instance(&version).expect("an instance");
    let fault = instance.decide(&crate::event(&[], &[])).expect_err("a fault");
    assert_eq!(fault.class, weft_core::contract::FaultClass::Timeout);
}
