//! What a step lends its plugin: only what it grants, within the contract's bounds.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::LazyLock;
use std::time::Duration;

use bytes::Bytes;
use weft_core::contract::{Capability, FaultClass, Outputs};
use weft_core::time::Timestamp;
use weft_plugin_host::{PortFailed, Ports, Revealed, Version};

use crate::{Step, event, load};

static BORROWER: LazyLock<Version> = LazyLock::new(|| load("borrower"));

/// What is lent, and what became of it.
#[derive(Default)]
struct Shop {
    kept: RefCell<BTreeMap<String, (Bytes, Option<Duration>)>>,
    counted: RefCell<Vec<(String, u32)>>,
    is_down: bool,
}

/// Everything but what is left out.
struct Loan {
    shop: Rc<Shop>,
    without: Option<Capability>,
}

impl Ports for Loan {
    fn grants(&self, capability: Capability) -> bool {
        self.without != Some(capability)
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_ms(1_700_000_000_123)
    }

    fn random(&self, bytes: &mut [u8]) -> Result<(), PortFailed> {
        bytes.fill(0xab);
        Ok(())
    }

    fn kv_get(&self, key: &str) -> Result<Option<Bytes>, PortFailed> {
        if self.shop.is_down {
            return Err(PortFailed("the store is away".to_owned()));
        }
        Ok(self.shop.kept.borrow().get(key).map(|(value, _)| value.clone()))
    }

    fn kv_set(&self, key: &str, value: Bytes, ttl: Option<Duration>) -> Result<bool, PortFailed> {
        let mut kept = self.shop.kept.borrow_mut();
        if kept.len() == 2 {
            return Ok(false);
        }
        kept.insert(key.to_owned(), (value, ttl));
        Ok(true)
    }

    fn kv_delete(&self, key: &str) {
        self.shop.kept.borrow_mut().remove(key);
    }

    fn count(&self, name: &str, delta: u32) {
        self.shop.counted.borrow_mut().push((name.to_owned(), delta));
    }

    fn hmac_sha256(&self, name: &str, data: &[u8]) -> Option<[u8; 32]> {
        (name == "pepper").then(|| [u8::try_from(data.len()).expect("short"); 32])
    }

    fn reveal(&self, name: &str) -> Revealed {
        match name {
            "pepper" => Revealed::Hidden,
            "token" => Revealed::Text("t0ken".to_owned()),
            _ => Revealed::Unknown,
        }
    }
}

/// What the borrower answers to these calls.
fn answers(shop: &Rc<Shop>, calls: &str) -> Result<Vec<String>, weft_core::contract::Fault> {
    let step = Step::of(calls);
    let loan = Loan { shop: Rc::clone(shop), without: None };
    let mut instance = BORROWER.instance(&step.call(), Some(Box::new(loan)))?;
    let Ok(Outputs::Events(mut patches)) = instance.transform(&event(&[], &[]))? else { panic!("an output") };
    Ok(patches.remove(0).set_attributes.into_iter().map(|answer| answer.value).collect())
}

#[test]
fn a_plugin_uses_what_its_step_grants() {
    let shop = Rc::new(Shop::default());
    let told = answers(&shop, "get a; set a one; set b two 60; get a; delete a; get a").expect("no fault");
    assert_eq!(told, ["nothing", "ok", "ok", "one", "ok", "nothing"]);
    assert_eq!(shop.kept.borrow()["b"], (Bytes::from_static(b"two"), Some(Duration::from_secs(60))));
    let told = answers(&shop, "now; ms; random 3").expect("no fault");
    assert_eq!(told, ["2023-11-14T22:13:20.123Z", "1700000000123", "ababab"]);
}

#[test]
fn promise_8_a_secret_is_used_without_being_seen_and_read_only_where_the_step_says_so() {
    let told = answers(&Rc::default(), "hmac pepper salt; reveal pepper; reveal token; hmac other x; reveal other");
    let mac = "04".repeat(32);
    let refusals = ["hidden", "t0ken", "unknown", "unknown"];
    assert_eq!(told.expect("no fault"), [&[&*mac], &refusals[..]].concat());
}

#[test]
fn what_cannot_be_kept_says_why() {
    let shop = Rc::new(Shop::default());
    let long = "k".repeat(257);
    let calls = format!("set {long} v; get {long}; fill a 65537; fill a 65536; set b 2; set c 3");
    let told = answers(&shop, &calls).expect("no fault");
    assert_eq!(told, ["key", "nothing", "value", "ok", "ok", "full"]);
}

#[test]
fn what_an_instance_counts_is_told_when_it_ends_and_also_if_it_faults() {
    let shop = Rc::new(Shop::default());
    answers(&shop, "count a 1; count b 2; count a 3").expect("no fault");
    assert_eq!(*shop.counted.borrow(), [("a".to_owned(), 4), ("b".to_owned(), 2)]);
    answers(&shop, "count c 1; panic").expect_err("a fault");
    assert_eq!(shop.counted.borrow().last(), Some(&("c".to_owned(), 1)));
}

#[test]
fn promise_5_more_than_the_contract_allows_is_the_plugins_fault() {
    let counters = (0..17).map(|n| format!("count c{n} 1")).collect::<Vec<_>>().join("; ");
    for (calls, words) in [
        (vec!["get a"; 65].join("; "), "kv_calls_max, 64"),
        ("random 4097".to_owned(), "the most is 4096"),
        ("count Total 1".to_owned(), "a-z, 0-9 and _"),
        (counters, "over 16 counters"),
    ] {
        let fault = answers(&Rc::default(), &calls).expect_err("a fault");
        assert!(fault.class == FaultClass::Contract && fault.message.contains(words), "{fault}");
    }
}

#[test]
fn promise_5_what_the_engine_cannot_read_is_not_the_plugins_fault() {
    let shop = Rc::new(Shop { is_down: true, ..Shop::default() });
    let fault = answers(&shop, "get a").expect_err("a fault");
    assert_eq!((fault.class, &*fault.message), (FaultClass::Host, "the store is away"));
}

#[test]
fn promise_8_no_instance_is_made_of_a_plugin_that_wants_what_its_step_does_not_grant() {
    assert_eq!(BORROWER.wants(), Capability::ALL);
    assert!(!BORROWER.is_pure());
    let step = Step::of("now");
    for without in Capability::ALL {
        let loan = Loan { shop: Rc::default(), without: Some(without) };
        let Err(fault) = BORROWER.instance(&step.call(), Some(Box::new(loan))) else { panic!("{without} is missing") };
        assert_eq!(fault.class, FaultClass::Host);
        assert!(fault.message.contains(without.as_str()), "{fault}");
    }
    assert!(BORROWER.instance(&step.call(), None).is_err());
    assert_eq!(BORROWER.probe(&step.call()), Ok(()), "a probe lends all of it");
}
