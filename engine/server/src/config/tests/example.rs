//! The example configuration cannot drift from what is read.

use std::collections::BTreeSet;

use toml_edit::{Document, Item, Table};
use weft_core::limits;

use super::{checked, good, problems};

const EXAMPLE: &str = include_str!("../example.toml");

/// What must be written; all the rest has a default.
const REQUIRED_ONLY: &str = r#"
[[tenant]]
name = "shop"
[[tenant.destination]]
name = "crm"
url = "https://crm.example/hook"
[[tenant.step]]
plugin = "operator/json-filter"
"#;

/// The example with the keys that are absent by default.
fn whole_example() -> String {
    let is_key =
        |line: &str| line.strip_prefix('#').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase()));
    EXAMPLE.lines().map(|line| if is_key(line) { &line[1..] } else { line }).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_example_holds_every_default() {
    assert_eq!(good(EXAMPLE), good(REQUIRED_ONLY));
}

#[test]
fn the_example_is_good_as_it_is_and_with_what_is_absent_by_default() {
    for text in [EXAMPLE, whole_example().as_str()] {
        let warnings = checked(text).map(|loaded| loaded.warnings).unwrap_or_else(|problems| panic!("{problems}"));
        assert_eq!(warnings, []);
    }
}

/// Plants an unknown key in every table: the report lists what is known there, which must be what the example holds.
#[test]
fn the_example_holds_every_key_that_is_known_and_no_other() {
    let text = whole_example();
    let document = Document::parse(text.as_str()).expect("the example is TOML");
    let root = document.as_table();
    let tenant = first_of(root, "tenant");
    for (header, table) in [
        ("", root),
        ("[limits]", root["limits"].as_table().expect("a table")),
        ("[plugins]", root["plugins"].as_table().expect("a table")),
        ("[network]", root["network"].as_table().expect("a table")),
        ("[seal]", root["seal"].as_table().expect("a table")),
        ("[[tenant]]", tenant),
        ("[[tenant.destination]]", first_of(tenant, "destination")),
        ("[[tenant.step]]", first_of(tenant, "step")),
    ] {
        let planted = match header {
            "" => format!("planted = 1\n{text}"),
            header => text.replacen(&format!("\n{header}\n"), &format!("\n{header}\nplanted = 1\n"), 1),
        };
        let held: BTreeSet<_> = table.iter().map(|(key, _)| key.to_owned()).collect();
        assert_eq!(known_in(&planted), held, "{header}");
    }
    assert_eq!(known_in(&text.replacen("{ env", "{ planted = 1, env", 1)), set(["env", "file"]));
    assert_eq!(known_in(&text.replacen("{ name", "{ planted = 1, name", 1)), set(["name", "env", "file"]));
    assert_eq!(known_in(&text.replacen("secrets = [{", "secrets = [{ planted = 1,", 1)), set(["env", "file"]));
}

#[test]
fn the_example_says_the_bounds_of_every_limit_and_why_it_is_there() {
    for bound in limits::ALL {
        let comment = format!("# {} to {}: {}\n{} = {}\n", bound.min, bound.max, bound.why, bound.key, bound.default);
        assert!(EXAMPLE.contains(&comment), "the example must hold:\n{comment}");
    }
}

fn first_of<'a>(table: &'a Table, key: &str) -> &'a Table {
    table.get(key).and_then(Item::as_array_of_tables).and_then(|tables| tables.get(0)).expect("a list of tables")
}

fn set<const N: usize>(keys: [&str; N]) -> BTreeSet<String> {
    keys.map(str::to_owned).into()
}

/// The known keys that the only problem of `text` lists.
fn known_in(text: &str) -> BTreeSet<String> {
    let found = problems(text);
    assert_eq!(found.len(), 1, "{found:#?}");
    let (_, known) = found[0].split_once("(known: ").expect("the report lists what is known");
    known.trim_end_matches(')').split(", ").map(str::to_owned).collect()
}
