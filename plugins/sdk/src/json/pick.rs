//! Finds the values at several pointers in one pass over the text.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::pointer::{Pointer, Token};
use crate::Payload;

/// Why a payload is not one JSON value: the rule and the place.
#[derive(Debug)]
pub struct NotJson(String);

impl fmt::Display for NotJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the payload is not JSON: {}", self.0)
    }
}

impl std::error::Error for NotJson {}

/// The values found at some pointers.
#[derive(Debug)]
pub struct Picked<'p, 'a> {
    probes: Vec<Probe<'p, 'a>>,
}

impl<'a> Picked<'_, 'a> {
    /// What no pointer finds in a payload that nobody looked at.
    pub const fn none() -> Self {
        Self { probes: Vec::new() }
    }

    /// What stands at `pointer`, one of those that were asked for; `None` if nothing does.
    pub fn get(&self, pointer: &Pointer) -> Option<&'a RawValue> {
        self.probes.iter().find(|probe| probe.pointer == pointer.as_str()).and_then(|probe| probe.found)
    }
}

/// Finds what stands at `pointers` in `payload`, whatever its content type; the whole text is checked.
///
/// Of members with the same name the last one counts.
///
/// # Errors
/// [`NotJson`] if the payload is anything but one JSON value.
pub fn pick<'p, 'a>(
    payload: &'a Payload,
    pointers: impl IntoIterator<Item = &'p Pointer>,
) -> Result<Picked<'p, 'a>, NotJson> {
    let text = payload.as_str().ok_or_else(|| NotJson("it is not UTF-8".to_owned()))?;
    let probe = |pointer: &'p Pointer| Probe { pointer: pointer.as_str(), at: 0, found: None };
    let mut probes: Vec<_> = pointers.into_iter().map(probe).collect();
    walk(text, 0, &mut probes).map_err(|e| NotJson(e.to_string()))?;
    Ok(Picked { probes })
}

/// A pointer on its way down.
#[derive(Debug)]
struct Probe<'p, 'a> {
    pointer: &'p str,
    /// How much of the pointer leads to the container that is being read, or as near to it as this pointer goes.
    at: usize,
    found: Option<&'a RawValue>,
}

/// Reads the value `text`, to which the first `at` bytes of those probes lead that stand there.
fn walk<'a>(text: &'a str, at: usize, probes: &mut [Probe<'_, 'a>]) -> serde_json::Result<()> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let below = arrive(&mut deserializer, at, probes)?;
    deserializer.end()?;
    match below {
        Some(raw) => walk_below(raw, at, probes),
        None => Ok(()),
    }
}

/// Follows the probes that go on below a value which others have arrived at.
fn walk_below<'a>(raw: &'a RawValue, at: usize, probes: &mut [Probe<'_, 'a>]) -> serde_json::Result<()> {
    serde_json::Deserializer::from_str(raw.get()).deserialize_any(Container { at, probes })
}

/// Reads one value. Where a probe has arrived and others go on, the value is returned, to be walked again.
fn arrive<'a, D: Deserializer<'a>>(
    deserializer: D,
    at: usize,
    probes: &mut [Probe<'_, 'a>],
) -> Result<Option<&'a RawValue>, D::Error> {
    let here = |probe: &&mut Probe<'_, 'a>| probe.at == at;
    if !probes.iter_mut().filter(here).any(|probe| probe.pointer.len() == at) {
        deserializer.deserialize_any(Container { at, probes })?;
        return Ok(None);
    }
    let raw = <&RawValue as serde::Deserialize>::deserialize(deserializer)?;
    let mut goes_on = false;
    for probe in probes.iter_mut().filter(here) {
        if probe.pointer.len() == at {
            probe.found = Some(raw);
        } else {
            goes_on = true;
        }
    }
    Ok(goes_on.then_some(raw))
}

/// A value into which probes point.
struct Container<'s, 'p, 'a> {
    at: usize,
    probes: &'s mut [Probe<'p, 'a>],
}

impl<'a> Container<'_, '_, 'a> {
    /// Sends on the probes whose next level `is_next`, and says how far they are then.
    fn advance(&mut self, is_next: impl Fn(Token<'_>) -> bool) -> Option<usize> {
        let mut below = None;
        for probe in self.probes.iter_mut().filter(|probe| probe.at == self.at && probe.pointer.len() > self.at) {
            let rest = &probe.pointer[self.at + 1..];
            let token = rest.split('/').next().unwrap_or_default();
            if is_next(Token(token)) {
                probe.at = self.at + 1 + token.len();
                // A later member of the same name takes the earlier one's place, whole.
                probe.found = None;
                below = Some(probe.at);
            }
        }
        below
    }

    /// Calls back the probes that were sent on to `below`.
    fn retreat(&mut self, below: usize) {
        for probe in self.probes.iter_mut().filter(|probe| probe.at == below) {
            probe.at = self.at;
        }
    }
}

/// A member's or an element's value, read for the probes that were sent on to it.
struct Below<'s, 'p, 'a> {
    at: usize,
    probes: &'s mut [Probe<'p, 'a>],
}

impl<'a> DeserializeSeed<'a> for Below<'_, '_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        match arrive(deserializer, self.at, self.probes)? {
            Some(raw) => walk_below(raw, self.at, self.probes).map_err(serde::de::Error::custom),
            None => Ok(()),
        }
    }
}

/// The name of a member, compared without being kept.
struct Name<'c, 's, 'p, 'a>(&'c mut Container<'s, 'p, 'a>);

impl<'a> DeserializeSeed<'a> for Name<'_, '_, '_, 'a> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<Option<usize>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'a> Visitor<'a> for Name<'_, '_, '_, 'a> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member's name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Option<usize>, E> {
        Ok(self.0.advance(|token| token.names(name)))
    }
}

impl<'a> Visitor<'a> for Container<'_, '_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_map<A: MapAccess<'a>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(below) = map.next_key_seed(Name(&mut self))? {
            match below {
                Some(at) => {
                    map.next_value_seed(Below { at, probes: self.probes })?;
                    self.retreat(at);
                }
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'a>>(mut self, mut seq: A) -> Result<(), A::Error> {
        for place in 0.. {
            let more = match self.advance(|token| token.place() == Some(place)) {
                Some(at) => {
                    let more = seq.next_element_seed(Below { at, probes: self.probes })?.is_some();
                    self.retreat(at);
                    more
                }
                None => seq.next_element::<IgnoredAny>()?.is_some(),
            };
            if !more {
                break;
            }
        }
        Ok(())
    }

    // Nothing lies below a scalar.
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(json: &str, pointers: &[&str]) -> Vec<Option<String>> {
        let payload = Payload::Text(json.to_owned());
        let pointers: Vec<Pointer> = pointers.iter().map(|p| p.parse().expect("a pointer")).collect();
        let picked = pick(&payload, &pointers).expect(json);
        pointers.iter().map(|p| picked.get(p).map(|raw| raw.get().to_owned())).collect()
    }

    fn one(json: &str, pointer: &str) -> Option<String> {
        found(json, &[pointer]).remove(0)
    }

    #[test]
    fn pointers_of_the_rfc_find_what_the_rfc_says() {
        let json = r#"{"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"e^f":3,"g|h":4,"i\\j":5,"k\"l":6," ":7,"m~n":8}"#;
        let cases = [
            ("/foo", r#"["bar","baz"]"#),
            ("/foo/0", r#""bar""#),
            ("/", "0"),
            ("/a~1b", "1"),
            ("/c%d", "2"),
            ("/e^f", "3"),
            ("/g|h", "4"),
            ("/i\\j", "5"),
            ("/k\"l", "6"),
            ("/ ", "7"),
            ("/m~0n", "8"),
            ("", json),
        ];
        for (pointer, wanted) in cases {
            assert_eq!(one(json, pointer).as_deref(), Some(wanted), "{pointer:?}");
        }
        for missing in ["/foo/2", "/foo/00", "/foo/-", "/foo/bar", "/fo", "/foo/0/x", "/m~0n/x", "//"] {
            assert_eq!(one(json, missing), None, "{missing:?}");
        }
    }

    #[test]
    fn many_pointers_are_found_in_one_pass_also_one_within_another() {
        let json = r#"{"a":{"b":{"c":[1,{"d":"é"}]},"x":null},"z":true}"#;
        let pointers = ["/a/b/c/1/d", "/a/b", "/z", "/a/b/c/0", "/a/y", "/a/x", "/a/b/c/1/d"];
        let wanted = ["\"é\"", r#"{"c":[1,{"d":"é"}]}"#, "true", "1", "", "null", "\"é\""];
        let found = found(json, &pointers);
        for (index, wanted) in wanted.iter().enumerate() {
            assert_eq!(found[index].as_deref(), (!wanted.is_empty()).then_some(*wanted), "{}", pointers[index]);
        }
    }

    #[test]
    fn paths_of_the_same_length_are_not_mixed_up() {
        assert_eq!(found(r#"{"aa":{"cc":1},"bb":{"dd":2}}"#, &["/aa/dd", "/bb/cc", "/bb/dd"])[..2], [None, None]);
    }

    #[test]
    fn of_members_with_one_name_the_last_counts_whole() {
        assert_eq!(one(r#"{"a":1,"a":2}"#, "/a").as_deref(), Some("2"));
        assert_eq!(one(r#"{"a":{"b":1},"a":{}}"#, "/a/b"), None);
        assert_eq!(one(r#"{"a":{"b":1},"a":7}"#, "/a/b"), None);
    }

    #[test]
    fn an_escaped_name_is_the_same_name() {
        assert_eq!(one(r#"{"\u0061mount":5}"#, "/amount").as_deref(), Some("5"));
        assert_eq!(one(r#"{"日本":{"\ud83d\ude00":1}}"#, "/日本/😀").as_deref(), Some("1"));
    }

    #[test]
    fn what_is_not_one_json_value_is_refused_wherever_it_breaks() {
        let pointer: Pointer = "/a".parse().expect("a pointer");
        for bad in ["", "{", r#"{"a":1"#, r#"{"a":1}}"#, r#"{"a":1,}"#, "nul", r#"{"a":01}"#, r#"{"b":[}"#, "a=1"] {
            assert!(pick(&Payload::Text(bad.to_owned()), [&pointer]).is_err(), "{bad}");
        }
        let error = pick(&Payload::Binary(vec![0xff]), [&pointer]).expect_err("bytes").to_string();
        assert_eq!(error, "the payload is not JSON: it is not UTF-8");
        assert!(pick(&Payload::Binary(br#"{"a":1}"#.to_vec()), [&pointer]).is_ok(), "the bytes decide, not the type");
    }

    #[test]
    fn depth_and_large_numbers_beside_the_path_do_no_harm() {
        let deep = format!(r#"{{"x":{}{},"n":1e999,"a":1}}"#, "[".repeat(10_000), "]".repeat(10_000));
        assert_eq!(one(&deep, "/a").as_deref(), Some("1"));
    }

    #[test]
    fn spaces_around_values_are_not_part_of_them() {
        assert_eq!(one(" { \"a\" : \n [ 1 , 2 ] } \n", "/a").as_deref(), Some("[ 1 , 2 ]"));
    }

    /// A throw of dice that are the same in every run.
    fn throw(dice: &mut u64, sides: u64) -> u64 {
        *dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*dice >> 33) % sides
    }

    /// A document of at most `levels` with names that repeat, are escaped or look like places.
    fn document(dice: &mut u64, levels: u32) -> String {
        let count = throw(dice, 5);
        match throw(dice, if levels == 0 { 1 } else { 3 }) {
            0 => throw(dice, 100).to_string(),
            1 => {
                let elements: Vec<_> = (0..count).map(|_| document(dice, levels - 1)).collect();
                format!("[{}]", elements.join(" ,"))
            }
            _ => {
                let mut member = || {
                    let name = ["a", "b", "0", "1", "~", "\\u0061"][throw(dice, 6) as usize];
                    format!("\"{name}\": {}", document(dice, levels - 1))
                };
                let members: Vec<_> = (0..count).map(|_| member()).collect();
                format!("{{{}}}", members.join(","))
            }
        }
    }

    #[test]
    fn in_any_document_any_pointers_find_what_a_tree_finds() {
        let mut dice = 7;
        let mut hits = 0;
        for _ in 0..5_000 {
            let json = document(&mut dice, 4);
            let mut token = || ["/a", "/b", "/0", "/1", "/~0"][throw(&mut dice, 5) as usize];
            let texts: Vec<String> = (0..6).map(|levels| (0..levels % 4).map(|_| token()).collect()).collect();
            let tree: serde_json::Value = serde_json::from_str(&json).expect(&json);
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            for (pointer, found) in texts.iter().zip(found(&json, &texts)) {
                let found = found.map(|raw| serde_json::from_str::<serde_json::Value>(&raw).expect("a part"));
                assert_eq!(found.as_ref(), tree.pointer(pointer), "{pointer} in {json}");
                hits += usize::from(found.is_some() && !pointer.is_empty());
            }
        }
        assert!(hits > 1_000, "only {hits} pointers found anything: the documents are too plain");
    }
}
