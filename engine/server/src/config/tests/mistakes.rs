//! Every mistake is reported at once, each with its place.

use super::super::load;
use super::{assert_problem, checked, checked_files, good, problems};

#[test]
fn all_mistakes_of_a_file_are_reported_with_file_line_key_value_and_rule() {
    let text = r#"listen = "localhost"
lisen = "127.0.0.1:1"
store = "postgres://weft:hunter2@db:x/weft"

[limits]
call_ms_max = 9000
lease_ms = "1m"

[network]
allow = ["10.0.0.1/8"]

[[tenant]]
name = "Shop"
type_pointer = "type"
keys = [{ name = "checkout", key = "hunter2" }, "hunter2"]

[[tenant.destination]]
name = "crm"
url = "ftp://x"
events = ["order*"]
request_timeout = 20

[[tenant.destination]]
name = "crm"
url = "https://10.0.0.1/hook"
connect_timeout = "1h"

[[tenant.step]]
name = "first"
roles = ["route"]
retry = ["1s"]

[[tenant.step]]
plugin = "operator/json-filter"
config = { since = 2024-01-01 }
then = "skip"
"#;
    let report = checked(text).expect_err("mistakes").to_string();
    let wanted = r#"weft.toml:1: listen = "localhost": must be an address and a port, e.g. "127.0.0.1:7411" or "[::]:7411"
weft.toml:2: lisen: there is no such key here, did you mean "listen"? (known: listen, data, store, store_password, node, limits, plugins, network, seal, tenant)
weft.toml:3: store: must name a user, a host and a database of Postgres, e.g. "postgres://weft@db.example/weft": invalid port number
weft.toml:6: limits.call_ms_max = 9000: must be 1 to 5000: a call that needs more holds up its tenant's other events
weft.toml:7: limits.lease_ms = "1m": must be an integer, this is a string
weft.toml:10: network.allow[0]: "10.0.0.1/8" has bits beyond its prefix: write 10.0.0.0/8 for the block, or 10.0.0.1 for the one address
weft.toml:13: tenant[0].name: "Shop" is not a name: use 1 to 64 of a-z, 0-9, '-' and '_', starting with a letter or digit
weft.toml:14: tenant[0].type_pointer = "type": must be a JSON pointer, e.g. "/type" or "/meta/kind" ("~1" for "/", "~0" for "~")
weft.toml:15: tenant[0].keys[0]: must say where the secret is: env = "NAME" or file = "path"
weft.toml:15: tenant[0].keys[0].key: there is no such key here (known: name, env, file)
weft.toml:15: tenant[0].keys[1]: a secret must not stand in the file: write { env = "NAME" } or { file = "path" }, and change the secret if this file was shared
weft.toml:19: tenant[0].destination[0].url = "ftp://x": the scheme must be http or https
weft.toml:20: tenant[0].destination[0].events[0]: "order*" is not a pattern of event types: use "*", a type, or a type's first parts and ".*"
weft.toml:21: tenant[0].destination[0].request_timeout = 20: must be a whole number and a unit: "250ms", "5s", "10m" or "2h"; this is an integer
weft.toml:24: tenant[0].destination[1].name = "crm": there is a destination crm already (weft.toml:18); give this one another name
weft.toml:25: tenant[0].destination[1].url = "https://10.0.0.1/hook": the address guard refuses it: 10.0.0.1 lies in 10.0.0.0/8 (private network), which the operator does not allow; if it is meant, add "10.0.0.1" to network.allow
weft.toml:26: tenant[0].destination[1].connect_timeout = "1h": must be 10ms to 5s; the most is limits.connect_ms_max, which can be raised to 60000 (a receiver that is reachable answers within seconds)
weft.toml:28: tenant[0].step[0]: "plugin" is missing; say which plugin runs, e.g. plugin = "operator/json-filter"
weft.toml:31: tenant[0].step[0].retry: there is no such key here, did you mean "retries"? (known: plugin, name, roles, config, headers, grants, secrets, sees_destinations, retries, then)
weft.toml:35: tenant[0].step[1].config.since: is a date or time, which JSON has not; write it as a string in quotes
weft.toml:36: tenant[0].step[1].then = "skip": must be "dead-letter" or "drop"
21 problems; nothing of this configuration was applied"#;
    assert_eq!(report, wanted);
    assert!(!report.contains("hunter2"));
}

#[test]
fn a_syntax_error_is_reported_with_its_line_and_without_quoting_it() {
    let found = problems("listen = \"127.0.0.1:7411\"\n\n[[tenant]]\nkeys = [{ env = hunter2 }]\n");
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].starts_with("weft.toml:4: is not TOML: "), "{found:#?}");
    assert!(!found[0].contains("hunter2"));
    assert_problem("data = \"a\"\ndata = \"b\"\n", "weft.toml:2: is not TOML: duplicate key");
}

#[test]
fn a_configuration_that_nests_without_end_is_a_problem_not_a_crash() {
    for text in
        [format!("a = {}1{}", "[".repeat(100_000), "]".repeat(100_000)), format!("{}a = 1", "a.".repeat(100_000))]
    {
        assert!(checked(&text).is_err());
    }
}

#[test]
fn a_value_in_several_lines_is_reported_at_the_line_of_the_part_that_is_wrong() {
    let text = "[network]\nallow = [\n  \"127.0.0.1/32\",\n  \"nowhere\",\n]\n";
    assert_problem(text, "weft.toml:4: network.allow[1]: \"nowhere\" is not a block of addresses");
}

#[test]
fn a_wrong_type_names_both_types_wherever_it_stands() {
    for (text, says) in [
        ("listen = 7411", "weft.toml:1: listen = 7411: must be a string, this is an integer"),
        ("data = true", "data = true: must be a string, this is a boolean"),
        ("limits = 1", "limits = 1: must be a table, this is an integer"),
        ("[limits]\nlease_ms = 1e4", "limits.lease_ms = 10000: must be an integer, this is a float"),
        ("plugins = \"plugins\"", "plugins = \"plugins\": must be a table, this is a string"),
        ("network.allow = \"127.0.0.1\"", "network.allow = \"127.0.0.1\": must be an array, this is a string"),
        ("seal.key = 2024-01-01", "seal.key: must be a table, this is a date or time"),
        ("tenant = { name = \"shop\" }", "tenant: must be an array, this is a table"),
        ("tenant = [1]", "tenant[0] = 1: must be a table, this is an integer"),
        (
            "[[tenant]]\nname = \"shop\"\n[[tenant.step]]\nplugin = \"p\"\nsees_destinations = \"yes\"",
            "must be a boolean",
        ),
    ] {
        assert_problem(text, says);
    }
}

#[test]
fn the_files_of_a_folder_are_read_as_one() {
    let loaded = checked_files(&[
        ("a.toml", "listen = \"127.0.0.1:1\"\n[limits]\ncall_ms_max = 10\n[[tenant]]\nname = \"shop\"\n"),
        ("b.toml", "[limits]\noutputs_max = 2\n[[tenant]]\nname = \"bank\"\n"),
    ]);
    let config = loaded.expect("good").config;
    assert_eq!((config.listen.port(), config.limits.outputs, config.limits.call.as_millis()), (1, 2, 10));
    assert_eq!(config.tenants.iter().map(|tenant| tenant.name.as_str()).collect::<Vec<_>>(), ["shop", "bank"]);
}

#[test]
fn what_two_files_set_is_a_problem_that_names_both_places() {
    let report = checked_files(&[
        ("a.toml", "listen = \"127.0.0.1:1\"\n[network]\nallow = []\n[[tenant]]\nname = \"shop\"\n"),
        ("b.toml", "listen = \"127.0.0.1:1\"\n[[tenant]]\nname = \"shop\"\n\n[network]\nallow = [\"127.0.0.1\"]\n"),
        ("c.toml", "tenant = 1\n[limits]\nlease_ms = 0\n"),
    ]);
    let wanted = "\
b.toml:1: listen: is set in a.toml:1 already; keep one of the two
b.toml:3: tenant[0].name = \"shop\": there is a tenant shop already (a.toml:5); give this one another name
b.toml:6: network.allow: is set in a.toml:3 already; keep one of the two
c.toml:1: tenant: is set in a.toml:4 already; keep one of the two
c.toml:3: limits.lease_ms = 0: must be 5000 to 600000: outlasts the longest work (a whole request, a whole pass) plus a margin
5 problems; nothing of this configuration was applied";
    assert_eq!(report.expect_err("mistakes").to_string(), wanted);
}

#[test]
fn a_folder_is_read_by_name_and_leaves_out_what_is_hidden_or_no_toml() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).expect("a file");
    write("b.toml", b"[[tenant]]\nname = \"bank\"\n");
    write("a.toml", b"[[tenant]]\nname = \"shop\"\n");
    write(".#a.toml", b"an editor's leftovers");
    write("notes.txt", b"no configuration");
    let config = load(folder.path()).expect("good").config;
    assert_eq!(config.tenants.iter().map(|tenant| tenant.name.as_str()).collect::<Vec<_>>(), ["shop", "bank"]);
    assert_eq!(config.plugins.folder, folder.path().join("plugins"));

    write("c.toml", b"data = \"\xff\"");
    let report = load(folder.path()).expect_err("no text").to_string();
    assert!(report.contains("c.toml: is not UTF-8 text (at byte 8)"), "{report}");
}

#[test]
fn a_configuration_that_is_not_there_is_a_problem() {
    let folder = tempfile::tempdir().expect("a folder");
    let report = load(folder.path()).expect_err("empty").to_string();
    assert!(report.contains("holds no *.toml file; put a weft.toml there\n1 problem;"), "{report}");
    let report = load(&folder.path().join("weft.toml")).expect_err("absent").to_string();
    assert!(report.contains("weft.toml: cannot be read: "), "{report}");
}

#[test]
fn paths_start_from_the_configuration_and_the_store_from_the_data_folder() {
    let config = good("data = \"d\"\nstore = \"sqlite:s.db\"\nplugins.folder = \"/opt/plugins\"\n");
    assert_eq!(config.data.to_str(), Some("/etc/weft/d"));
    assert_eq!(config.store.to_string(), "sqlite:/etc/weft/d/s.db");
    assert_eq!(config.plugins.folder.to_str(), Some("/opt/plugins"));
}
