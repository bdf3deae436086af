//! Components of released contracts, kept as they were built (`tests/guests/released`): each loads, and all of its roles answer.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use weft_core::contract::{Outputs, Role, Targets, Verdict};
use weft_plugin_host::{CONTRACT, Version};

use crate::{HOST, Step, event, header};

/// The contracts before the present one that are served, by the names of their files.
const RELEASED: [&str; 1] = ["0.1.0"];

fn kept(contract: &str) -> Version {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../tests/guests/released/{contract}.wasm"));
    let bytes = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    HOST.load(&bytes).unwrap_or_else(|refusal| panic!("{contract}: {refusal}"))
}

#[test]
fn promise_6_a_component_of_a_released_contract_runs_as_it_did() {
    for contract in RELEASED {
        let version = kept(contract);
        assert_eq!(version.roles(), Role::ALL);
        assert!(version.imports().iter().any(|name| *name == format!("weft:plugin/log@{contract}")), "{contract}");
        assert!(version.wants().is_empty() && version.is_pure());
        let step = Step::of("echo");
        assert_eq!(version.probe(&step.call()), Ok(()));
        let (headers, attributes) = ([header("x-a", "1")], [header("tier", "gold")]);
        let event = event(&headers, &attributes);
        let mut instance = step.try_instance(&version).expect("an instance");
        assert_eq!(instance.decide(&event), Ok(Ok(Verdict::Keep)));
        let Ok(Ok(Outputs::Events(patches))) = instance.transform(&event) else { panic!("{contract}: outputs") };
        assert_eq!((&*patches[0].set_headers, &*patches[0].set_attributes), (&headers[..], &attributes[..]));
        assert!(patches[0].data.as_ref().is_some_and(|data| data.starts_with(br#"{"order":"#)));
        let mut instance = Step::of("ok").try_instance(&version).expect("an instance");
        assert!(matches!(instance.route(&event, &[]), Ok(Ok(Targets::Send(targets))) if targets.len() == 1));
    }
}

#[test]
fn every_contract_that_is_served_has_a_component_that_is_kept_or_built() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/guests/released");
    let files = fs::read_dir(folder).expect("the folder").flatten();
    let names: BTreeSet<_> = files.map(|file| file.file_name().to_string_lossy().into_owned()).collect();
    let wanted = RELEASED.iter().map(|contract| format!("{contract}.wasm")).chain(["README.md".to_owned()]);
    assert_eq!(names, wanted.collect(), "the present one, {CONTRACT}, is that of all other tests");
}
