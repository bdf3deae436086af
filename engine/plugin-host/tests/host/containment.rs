//! Promise 5: whatever a guest does, it ends within its limits, as a fault of the plugin, and leaves nothing behind.

use weft_core::contract::{Fault, FaultClass, Outputs, Verdict};
use weft_plugin_host::Instance;

use crate::{HOSTILE, Step, event};

/// The fault of a filter that behaves like this.
fn fault_of(behaviour: &str) -> Fault {
    Step::of(behaviour).instance().decide(&event(&[], &[])).expect_err("a fault")
}

#[track_caller]
fn assert_fault(fault: &Fault, class: FaultClass, words: &[&str]) {
    assert_eq!(fault.class, class, "{fault}");
    for word in words {
        assert!(fault.message.contains(word), "{word:?} is missing: {fault}");
    }
}

#[test]
fn promise_5_a_plugin_that_loops_is_stopped() {
    for behaviour in ["loop", "log-loop"] {
        let mut instance = Step::of(behaviour).within_ms(50).instance();
        let fault = instance.decide(&event(&[], &[])).expect_err("a fault");
        assert_fault(&fault, FaultClass::Timeout, &["50 ms", "call_ms_max"]);
    }
}

#[test]
fn promise_5_the_limit_of_a_call_begins_with_each_role() {
    let mut instance = Step::of("ok").within_ms(250).instance();
    // More than the limit passes between the making of the instance and its call.
    Step::of("loop").within_ms(400).instance().decide(&event(&[], &[])).expect_err("a fault");
    assert_eq!(instance.decide(&event(&[], &[])).expect("no fault"), Ok(Verdict::Keep));
}

#[test]
fn promise_5_a_plugin_that_eats_memory_is_stopped_at_its_limit() {
    assert_fault(&fault_of("eat-memory"), FaultClass::Memory, &["guest_memory_bytes_max", "67108864"]);
    let mut step = Step::of("ok");
    step.limits.memory_bytes = 64 * 1024;
    let fault = step.try_instance(&HOSTILE).map(drop).expect_err("its first memory is larger");
    assert_fault(&fault, FaultClass::Memory, &["guest_memory_bytes_max is 65536"]);
}

#[test]
fn promise_5_a_panic_is_a_trap_that_quotes_message_and_place() {
    assert_fault(&fault_of("panic"), FaultClass::Trap, &["nobody expected this: 7", "src/attacks.rs:"]);
    let fault = fault_of("panic-after-words");
    assert_fault(&fault, FaultClass::Trap, &["the last straw"]);
    assert!(!fault.message.contains("a warning before"), "{fault}");
}

#[test]
fn promise_5_a_panic_stands_in_the_log_too() {
    let mut instance = Step::of("panic").instance();
    instance.decide(&event(&[], &[])).expect_err("a fault");
    let lines = instance.finish();
    assert!(lines.iter().any(|line| line.message.contains("nobody expected this: 7")), "{lines:?}");
}

#[test]
fn promise_5_a_plugin_that_recurses_without_end_or_ends_itself_is_a_trap() {
    assert_fault(&fault_of("deep-recursion"), FaultClass::Trap, &[]);
    assert_fault(&fault_of("exit"), FaultClass::Trap, &["called exit", "failure"]);
}

#[test]
fn promise_5_a_plugin_that_returns_too_much_is_stopped_before_it_is_copied() {
    let fault = |behaviour| Step::of(behaviour).transform().expect_err("a fault");
    assert_fault(&fault("return-100mb"), FaultClass::Memory, &["guest_memory_bytes_max"]);
    assert_fault(&fault("return-5mib"), FaultClass::Output, &["pass_output_bytes_max", "4194304"]);
    let mut roomy = Step::of("return-100mb");
    roomy.limits.memory_bytes = 256 << 20;
    assert_fault(&roomy.transform().expect_err("a fault"), FaultClass::Output, &["pass_output_bytes_max"]);
}

#[test]
fn promise_5_a_plugin_that_returns_too_many_is_stopped() {
    let fault = |behaviour| Step::of(behaviour).transform().expect_err("a fault");
    assert_fault(&fault("many-outputs"), FaultClass::Output, &["pass_output_bytes_max"]);
    assert_fault(&fault("too-many-outputs"), FaultClass::Output, &["65 outputs", "outputs_max is 64"]);
    let fault = Step::of("too-many-outputs").instance().route(&event(&[], &[]), &[]).expect_err("a fault");
    assert_fault(&fault, FaultClass::Output, &["65 targets", "targets_max is 64"]);
}

#[test]
fn promise_5_a_flood_of_log_lines_keeps_only_its_limit() {
    for (behaviour, left_out) in [("log-flood", "9997 more lines"), ("print-flood", "1997 more lines")] {
        let mut step = Step::of(behaviour);
        (step.limits.log_lines, step.limits.log_line_bytes) = (3, 100);
        let mut instance = step.instance();
        assert_eq!(instance.decide(&event(&[], &[])).expect("no fault"), Ok(Verdict::Keep));
        let lines = instance.finish();
        assert_eq!(lines.len(), 4);
        assert!(lines[..3].iter().all(|line| line.message.len() == 100), "{lines:?}");
        assert!(lines[3].message.contains(left_out), "{lines:?}");
    }
    assert_fault(&fault_of("log-huge"), FaultClass::Output, &["at once"]);
}

#[test]
fn promise_5_a_log_line_cannot_forge_another_or_reach_a_terminal() {
    let mut instance = Step::of("log-control").instance();
    instance.decide(&event(&[], &[])).expect("no fault").expect("a verdict");
    assert_eq!(instance.finish()[0].message, "red \\u{1b}[31m line\\nforged line");
}

#[test]
fn promise_5_an_instance_that_faulted_is_never_called_again() {
    let mut instance = Step::of("panic").instance();
    instance.decide(&event(&[], &[])).expect_err("a fault");
    let fault = instance.transform(&event(&[], &[])).expect_err("a fault");
    assert_fault(&fault, FaultClass::Host, &["a fresh one"]);
}

#[test]
fn promise_5_an_instance_finds_nothing_of_those_that_ran_before_it() {
    // 768 KiB are planted: what the pool clears by writing zeroes, and what it gives back to the system.
    let found = |instance: &mut Instance| -> u32 {
        let Ok(Ok(Outputs::Events(patches))) = instance.transform(&event(&[], &[])) else { panic!("an answer") };
        let found = patches[0].set_attributes.iter().find(|attribute| attribute.name == "found");
        found.and_then(|found| found.value.parse().ok()).expect("a number")
    };
    let mut instance = Step::of("canary").instance();
    // The search holds the secret itself.
    let itself = found(&mut instance);
    let left = found(&mut instance);
    // The allocator writes over the ends of what was freed.
    assert!(left > 24 * 2000, "the search finds what the same instance left: {left}");
    drop(instance);
    for _ in 0..200 {
        assert_eq!(found(&mut Step::of("canary").instance()), itself);
    }
}

#[test]
fn promise_5_faults_leave_the_host_as_it_was() {
    let threads: Vec<_> = (0..2)
        .map(|_| {
            std::thread::spawn(|| {
                for behaviour in ["panic", "eat-memory", "ok", "deep-recursion", "loop", "exit", "ok"].repeat(8) {
                    let limit_ms = if behaviour == "loop" { 20 } else { 20_000 };
                    let answer = Step::of(behaviour).within_ms(limit_ms).instance().decide(&event(&[], &[]));
                    assert_eq!(answer.is_ok(), behaviour == "ok", "{behaviour}: {answer:?}");
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().expect("no panic of the host");
    }
}

#[test]
fn promise_5_a_sleeping_plugin_costs_no_time() {
    assert_eq!(Step::of("sleep").instance().decide(&event(&[], &[])).expect("no fault"), Ok(Verdict::Keep));
}
