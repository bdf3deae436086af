//! What is configured to be redacted, and that it is gone while all else stays.

use weft_plugin::json::{self, RawValue, Value};
use weft_plugin::{Event, Failure, Outputs, Patch, Payload, Transform, config, testing};

use super::Redact;

const ORDER: &str = r#"{ "id": 9007199254740993, "total": 1.50, "note":"é\u00e9", "customers": [
  { "name": "Zoë", "email": "zoe@example.org", "card": "4111111111111111" },
  {"email":"bo@example.org"}
], "meta": {"ip": "203.0.113.7", "ua": "curl"}, "z": 1e2 }"#;

fn plugin(config: &str) -> Redact {
    assert!(weft_plugin_manifest::manifest!().accepts(config), "plugin.json refuses {config}");
    config::parse(config).unwrap_or_else(|e| panic!("{config}: {e}"))
}

fn answer(rules: &str, event: &Event) -> Result<Patch, String> {
    match plugin(&format!(r#"{{"rules": [{rules}]}}"#)).transform(event) {
        Ok(Outputs::Events(mut patches)) if patches.len() == 1 => Ok(patches.remove(0)),
        Err(Failure::Reject(why)) => Err(why),
        other => panic!("{other:?}"),
    }
}

/// The payload after the rules.
fn redacted(rules: &str, json: &str) -> String {
    let patch = answer(rules, &testing::event(json)).unwrap_or_else(|e| panic!("{rules}: {e}"));
    patch.data.as_ref().map_or(json, |data| data.as_str().expect("a text")).to_owned()
}

fn removed(pointer: &str, json: &str) -> String {
    redacted(&format!(r#"{{"pointer": "{pointer}", "action": "remove"}}"#), json)
}

fn masked(keep_last: usize, value: &str) -> String {
    let rule = format!(r#"{{"pointer": "/v", "action": "mask", "keep_last": {keep_last}}}"#);
    redacted(&rule, &format!(r#"{{"v":{value}}}"#)).replacen(r#"{"v":"#, "", 1).trim_end_matches('}').to_owned()
}

fn required(pointer: &str, json: &str) -> Result<(), String> {
    let rule = format!(r#"{{"pointer": "{pointer}", "action": "remove", "required": true}}"#);
    answer(&rule, &testing::event(json)).map(|_| ())
}

#[test]
fn every_byte_that_is_not_redacted_stays() {
    let rules = r#"{"pointer": "/customers/*/email", "action": "remove"},
        {"pointer": "/customers/*/card", "action": "mask", "keep_last": 4}, {"pointer": "/meta/ip", "action": "mask"}"#;
    let wanted = r#"{ "id": 9007199254740993, "total": 1.50, "note":"é\u00e9", "customers": [
  { "name": "Zoë", "card": "****1111" },
  {}
], "meta": {"ip": "****", "ua": "curl"}, "z": 1e2 }"#;
    assert_eq!(redacted(rules, ORDER), wanted);
}

#[test]
fn a_removed_member_or_element_takes_its_comma_with_it() {
    let cases = [
        ("/a", r#"{"a":1}"#, "{}"),
        ("/a", r#"{ "a" : 1 , "b" : 2 }"#, r#"{ "b" : 2 }"#),
        ("/b", r#"{ "a" : 1 , "b" : 2 }"#, r#"{ "a" : 1 }"#),
        ("/b", r#"{"a":1,"b":2,"c":3}"#, r#"{"a":1,"c":3}"#),
        ("/a", r#"{"a":1,"a":2,"c":3,"a":4}"#, r#"{"c":3}"#),
        ("/a", r#"{"a":1,"a":2}"#, "{}"),
        ("/a", r#"{"c":3,"a":1,"a":2,"d":[]}"#, r#"{"c":3,"d":[]}"#),
        ("/0", "[1, 2 ,3]", "[2 ,3]"),
        ("/2", "[1, 2 ,3]", "[1, 2]"),
        ("/*", "[1, 2 ,3]", "[]"),
        ("/*", r#"{"a":[1],"b":{"c":2}}"#, "{}"),
        ("/*/x", r#"[{"x":1},{"y":{"x":2}},[{"x":3}]]"#, r#"[{},{"y":{"x":2}},[{"x":3}]]"#),
        ("/*/*/x", r#"{"a":{"b":{"x":1}},"c":[{"x":2,"y":3}]}"#, r#"{"a":{"b":{}},"c":[{"y":3}]}"#),
    ];
    for (pointer, json, wanted) in cases {
        assert_eq!(removed(pointer, json), wanted, "{pointer} in {json}");
    }
}

#[test]
fn no_spelling_of_a_name_slips_through() {
    let spellings =
        [r#""email""#, r#""e\u006dail""#, r#""e\u006Dail""#, r#""\u0065\u006d\u0061\u0069\u006c""#, r#""emai\u006c" "#];
    for name in spellings {
        for json in [
            format!(r#"{{{name}:"s3cret"}}"#),
            format!(
                r#"{{"x":1,{name} :
 "s3cret","y":2}}"#
            ),
            format!(r#"{{{name}:{{"deep":["s3cret"]}},"email":"s3cret"}}"#),
            format!(r#"{{"email":"s3cret",{name}:["s3cret"],"email":"s3cret"}}"#),
        ] {
            assert!(!removed("/email", &json).contains("s3cret"), "{json}");
            let masked = redacted(r#"{"pointer": "/email", "action": "mask"}"#, &json);
            assert!(!masked.contains("s3cret"), "{json}: {masked}");
        }
    }
    assert_eq!(removed("/a~1b/m~0n/😀", r#"{"a\/b":{"m~n":{"\ud83d\ude00":1}}}"#), r#"{"a\/b":{"m~n":{}}}"#);
    assert_eq!(removed("/q\\\"", r#"{"q\"":1,"q\\":"\\\"","r":2}"#), r#"{"q\\":"\\\"","r":2}"#);
    assert_eq!(removed("/", r#"{"":1," ":2}"#), r#"{" ":2}"#);
}

#[test]
fn brackets_and_quotes_within_texts_lead_nobody_astray() {
    let json = r#"{"x":"}],\"email\":\"","email":"s3cret]}\\","list":["[","{\"",{"email":"s3cret"}],"n":-1.5e-3}"#;
    assert_eq!(removed("/email", json), r#"{"x":"}],\"email\":\"","list":["[","{\"",{"email":"s3cret"}],"n":-1.5e-3}"#);
    assert_eq!(removed("/list/*/email", json), json.replace(r#"{"email":"s3cret"}"#, "{}"));
    let deep = format!(r#"{{"a":{}{},"email":"s3cret"}}"#, "[".repeat(20_000), "]".repeat(20_000));
    assert!(!removed("/email", &deep).contains("s3cret"));
}

#[test]
fn a_place_counts_in_arrays_and_a_name_of_digits_in_objects() {
    assert_eq!(removed("/1", r#"{"1":"a","01":"b"}"#), r#"{"01":"b"}"#);
    assert_eq!(removed("/01", r#"["a","b"]"#), r#"["a","b"]"#);
    assert_eq!(removed("/x", r#"["a","b"]"#), r#"["a","b"]"#);
    assert_eq!(removed("/*", r#"{"*":1}"#), "{}");
}

#[test]
fn a_mask_keeps_the_last_characters_and_at_most_half() {
    let cases = [
        (4, r#""4111111111111111""#, r#""****1111""#),
        (0, r#""secret""#, r#""****""#),
        (4, r#""secret""#, r#""****ret""#),
        (4, r#""a""#, r#""****""#),
        (4, r#""""#, r#""****""#),
        (2, r#""größe\u00e9é""#, r#""****éé""#),
        (1, r#""abc\"""#, r#""****\"""#),
        (3, "4111111111111111", r#""****111""#),
        (2, "true", r#""****""#),
        (2, "null", r#""****""#),
        (2, r#"["abcd","efgh"]"#, r#""****""#),
        (2, r#"{"a":"efgh"}"#, r#""****""#),
    ];
    for (keep_last, value, wanted) in cases {
        assert_eq!(masked(keep_last, value), wanted, "{value}");
    }
}

#[test]
fn of_several_rules_for_one_field_the_strictest_holds() {
    let rule = |pointer: &str, action: &str| format!(r#"{{"pointer": "{pointer}", "action": {action}}}"#);
    let json = r#"{"a":{"b":"12345678","c":1}}"#;
    let (mask, keep, remove) = (r#""mask""#, r#""mask", "keep_last": 4"#, r#""remove""#);
    let both = |first: &str, second: &str| redacted(&format!("{first},{second}"), json);
    for (first, second, wanted) in [
        (rule("/a/b", keep), rule("/a/*", mask), r#"{"a":{"b":"****","c":"****"}}"#),
        (rule("/a/b", remove), rule("/a/b", keep), r#"{"a":{"c":1}}"#),
        (rule("/a", mask), rule("/a/b", remove), r#"{"a":"****"}"#),
        (rule("/a/b", keep), rule("/a", remove), "{}"),
        (rule("/a/b", keep), rule("/a/c", remove), r#"{"a":{"b":"****5678"}}"#),
    ] {
        assert_eq!(both(&first, &second), wanted);
        assert_eq!(both(&second, &first), wanted, "the order of the rules does not matter");
    }
}

#[test]
fn a_required_field_that_is_not_everywhere_where_it_should_be_stops_the_event() {
    for (pointer, json) in [
        ("/email", r#"{"mail":"x"}"#),
        ("/email", r#"[{"email":"x"}]"#),
        ("/customer/email", r#"{"customer":{"contact":{"email":"x"}}}"#),
        ("/customer/email", r#"{"customer":[{"email":"x"}]}"#),
        ("/customer/email", r#"{"customer":null}"#),
        ("/customer/email", r#"{"customer":{"email":"x"},"customer":{}}"#),
        ("/customers/*/email", r#"{"customers":[{"email":"x"},{"mail":"y"}]}"#),
        ("/customers/*/email", r#"{"customers":["x@example.org"]}"#),
        ("/customers/*/email", r#"{"customers":"x@example.org"}"#),
        ("/customers/*/email", r#"{"clients":[]}"#),
        ("/customers/2", r#"{"customers":[1,2]}"#),
        ("/a", "7"),
    ] {
        let why = required(pointer, json).expect_err(json);
        assert_eq!(why, format!("rules[0]: {pointer:?} is required and missing"), "{json}");
    }
    for (pointer, json) in [
        ("/email", r#"{"email":null}"#),
        ("/customers/*/email", r#"{"customers":[{"email":"x"},{"email":"y"}]}"#),
        ("/customers/*/email", r#"{"customers":[]}"#),
        ("/*", "{}"),
    ] {
        assert_eq!(required(pointer, json), Ok(()), "{pointer} in {json}");
    }
    let json = r#"{"a":1,"b":1}"#;
    let rules = r#"{"pointer": "/a", "action": "remove", "required": true}, {"pointer": "/x", "action": "mask"},
        {"pointer": "/c", "action": "mask", "required": true}"#;
    let why = answer(rules, &testing::event(json)).expect_err("rule 2");
    assert_eq!(why, "rules[2]: \"/c\" is required and missing", "a rule that is not required stops nothing");
}

#[test]
fn what_is_not_json_goes_nowhere_while_there_are_rules() {
    let rule = r#"{"pointer": "/email", "action": "remove"}"#;
    for data in [
        Payload::Text("email=s3cret".to_owned()),
        Payload::Text(String::new()),
        Payload::Text(r#"{"email":"s3cret""#.to_owned()),
        Payload::Text(r#"{"email":"s3cret"} {"email":"s3cret"}"#.to_owned()),
        Payload::Text(r#"{'email':"s3cret"}"#.to_owned()),
        Payload::Text("\u{feff}{\"email\":\"s3cret\"}".to_owned()),
        Payload::Text(r#"{"a":1 /* "email" */}"#.to_owned()),
        Payload::Binary(b"{\"\xff\":1,\"email\":\"s3cret\"}".to_vec()),
    ] {
        let event = Event { data, ..testing::event("") };
        let why = answer(rule, &event).expect_err("no JSON");
        assert!(why.contains("not JSON") && !why.contains("s3cret"), "{why}");
        assert!(answer("", &event).expect("no rule").data.is_none());
    }
    let binary = Event { data: Payload::Binary(br#"{"email":1}"#.to_vec()), ..testing::event("") };
    let patch = answer(rule, &binary).expect("JSON, whatever its type");
    assert_eq!(patch.data.as_ref().and_then(Payload::as_str), Some("{}"));
}

#[test]
fn an_event_without_anything_to_redact_is_not_copied() {
    let patch = answer(r#"{"pointer": "/x", "action": "remove"}"#, &testing::event(ORDER)).expect("an answer");
    assert!(patch.data.is_none());
}

#[test]
fn a_configuration_that_makes_no_sense_is_named_by_path_and_rule() {
    let many = format!(r#"{{"rules": [{}]}}"#, vec![r#"{"pointer": "/a", "action": "mask"}"#; 65].join(","));
    let cases = [
        ("{}", "missing field `rules`"),
        (r#"{"rules": [{"pointer": "email", "action": "mask"}]}"#, "rules[0].pointer: \"email\" is not a JSON pointer"),
        (r#"{"rules": [{"pointer": "", "action": "mask"}]}"#, "rules[0]: the pointer \"\" is the whole payload"),
        (r#"{"rules": [{"pointer": "/a"}]}"#, "rules[0]: missing field `action`"),
        (r#"{"rules": [{"pointer": "/a", "action": "blur"}]}"#, "rules[0].action: unknown variant `blur`"),
        (r#"{"rules": [{"pointer": "/a", "action": "hash"}]}"#, "needs a \"secret\""),
        (r#"{"secret": "s", "rules": [{"pointer": "/a", "action": "mask"}]}"#, "\"secret\" goes with"),
        (
            r#"{"rules": [{"pointer": "/a", "action": "remove", "keep_last": 4}]}"#,
            "rules[0]: \"keep_last\" goes with \"action\": \"mask\"",
        ),
        (r#"{"rules": [{"pointer": "/a", "action": "mask", "keep_last": 1025}]}"#, "\"keep_last\" is 0 to 1024"),
        (r#"{"rules": [{"pointer": "/a", "action": "mask", "keep": 4}]}"#, "rules[0].keep: unknown field `keep`"),
        (many.as_str(), "rules: 65 rules, at most 64"),
    ];
    for (config, wanted) in cases {
        let error = config::parse::<Redact>(config).expect_err(config).to_string();
        assert!(error.contains(wanted), "{config}: {error}");
    }
    let left = weft_plugin_manifest::manifest!().accepted(&cases);
    assert_eq!(left, [""; 0], "plugin.json refuses what the plugin does");
}

#[test]
fn plugin_json_and_readme_agree_with_the_plugin() {
    assert_eq!(weft_plugin_manifest::manifest_findings!(Redact), [""; 0]);
}

/// A throw of dice that are the same in every run.
fn throw(dice: &mut u64, sides: usize) -> usize {
    *dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    usize::try_from((*dice >> 33) % u64::try_from(sides).expect("few sides")).expect("a side")
}

/// A document with names that repeat, are escaped or look like places, and with spaces here and there.
fn document(dice: &mut u64, levels: usize) -> String {
    let space = [" ", "", "\n"][throw(dice, 3)];
    let count = throw(dice, 5);
    match throw(dice, if levels == 0 { 2 } else { 4 }) {
        0 => throw(dice, 100).to_string(),
        1 => format!(r#""]}},\"{}\\""#, throw(dice, 9)),
        2 => {
            let elements: Vec<_> = (0..count).map(|_| format!("{space}{}", document(dice, levels - 1))).collect();
            format!("[{}{space}]", elements.join(","))
        }
        _ => {
            let mut member = || {
                let name = ["a", "b", "0", "1", r"\u0061", r"\u0030"][throw(dice, 6)];
                format!("{space}\"{name}\"{space}:{}{space}", document(dice, levels - 1))
            };
            let members: Vec<_> = (0..count).map(|_| member()).collect();
            format!("{{{}}}", members.join(","))
        }
    }
}

/// What must be left of `value`, written without spaces: the plain meaning of one removal, level by level.
fn without(value: &RawValue, way: Option<&[&str]>) -> String {
    let below = |matches: bool| way.filter(|_| matches).map(|way| &way[1..]);
    let is_gone = |rest: Option<&[&str]>| rest.is_some_and(<[_]>::is_empty);
    let wanted = way.and_then(|way| way.first().copied()).unwrap_or("nothing");
    if let Some(members) = json::members(value) {
        let left = members.iter().filter_map(|(name, value)| {
            let text = Value::of(name).as_str().expect("a name").to_owned();
            let rest = below(wanted == "*" || wanted == text);
            (!is_gone(rest)).then(|| format!("{}:{}", name.get(), without(value, rest)))
        });
        return format!("{{{}}}", left.collect::<Vec<_>>().join(","));
    }
    if let Some(elements) = json::elements(value) {
        let left = elements.iter().enumerate().filter_map(|(index, value)| {
            let rest = below(wanted == "*" || wanted == index.to_string());
            (!is_gone(rest)).then(|| without(value, rest))
        });
        return format!("[{}]", left.collect::<Vec<_>>().join(","));
    }
    value.get().to_owned()
}

#[test]
fn in_any_document_a_removal_leaves_what_its_plain_meaning_leaves() {
    let mut dice = 11;
    let mut changed = 0;
    for _ in 0..5_000 {
        let json = document(&mut dice, 4);
        let levels = 1 + throw(&mut dice, 3);
        let way: Vec<_> = (0..levels).map(|_| ["a", "b", "0", "1", "*"][throw(&mut dice, 5)]).collect();
        let pointer = format!("/{}", way.join("/"));
        let found = removed(&pointer, &json);
        let parse = |json: &str| serde_json::from_str::<Box<RawValue>>(json).unwrap_or_else(|e| panic!("{json}: {e}"));
        assert_eq!(without(&parse(&found), None), without(&parse(&json), Some(&way)), "{pointer} in {json}");
        changed += usize::from(found != json);
    }
    assert!(changed > 500, "only {changed} documents had something to remove");
}

const HASHING: &str = r#"{"secret": "pepper", "rules": [{"pointer": "/*", "action": "hash"}]}"#;

fn grant_pepper() {
    testing::granted(|host| host.secrets.insert("pepper".to_owned(), ("key".to_owned(), false)));
}

fn hashed(config: &str, json: &str) -> Result<String, Failure> {
    match plugin(config).transform(&testing::event(json))? {
        Outputs::Events(mut patches) => {
            Ok(patches.remove(0).data.and_then(|data| data.as_str().map(str::to_owned)).expect("a text"))
        }
        Outputs::Drop(reason) => panic!("{reason}"),
    }
}

#[test]
fn a_hashed_value_is_the_same_for_the_same_value_and_nobody_can_read_it() {
    grant_pepper();
    let text =
        hashed(HASHING, r#"{"a": "The quick brown fox jumps over the lazy dog", "b":"\u0061","c":"a","d":[1, "x"]}"#);
    let text = text.expect("hashed");
    // The example of Wikipedia's page on HMAC.
    let fox = "hmac-sha256:f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8";
    assert!(text.starts_with(&format!(r#"{{"a": "{fox}", "b":"hmac-sha256:"#)), "{text}");
    let value = |name: &str| {
        let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        value[name].as_str().expect("a text").to_owned()
    };
    assert_eq!(value("b"), value("c"), "however it is spelt");
    assert_ne!(value("c"), value("d"));
}

#[test]
fn nothing_leaves_unhashed_where_the_step_names_no_such_secret() {
    let refused = hashed(HASHING, r#"{"a": 1}"#);
    assert!(matches!(&refused, Err(Failure::Reject(why)) if why.contains("secrets = { pepper")), "{refused:?}");
}

#[test]
fn of_a_hash_and_a_mask_the_one_that_tells_less_holds() {
    grant_pepper();
    let both = |keep_last: usize| {
        let mask = format!(r#"{{"pointer": "/a", "action": "mask", "keep_last": {keep_last}}}"#);
        let config = format!(r#"{{"secret": "pepper", "rules": [{{"pointer": "/a", "action": "hash"}}, {mask}]}}"#);
        hashed(&config, r#"{"a": "secret"}"#).expect("redacted")
    };
    assert_eq!(both(0), r#"{"a": "****"}"#);
    assert!(both(2).contains("hmac-sha256:"));
}
