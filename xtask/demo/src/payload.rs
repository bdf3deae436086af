//! Changing one place of a JSON text and leaving every other byte as its sender wrote it.
//!
//! A tree would write numbers anew (`12.50` as `12.5`) and sort members; here only the objects and arrays on the way to
//! the place are taken apart, and what lies beside the way is copied.

use std::fmt;

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Replaces the value at `pointer` (RFC 6901) by what `change` makes of its text.
///
/// # Errors
/// When `text` is not JSON, there is no such place, or `change` fails.
pub(crate) fn replace(text: &str, pointer: &str, change: &mut dyn FnMut(&str) -> Result<String>) -> Result<String> {
    let Some(way) = pointer.strip_prefix('/') else {
        return if pointer.is_empty() { change(text) } else { bail!("{pointer:?} is not a JSON pointer") };
    };
    let (name, rest) = match way.find('/') {
        Some(end) => (&way[..end], &way[end..]),
        None => (way, ""),
    };
    let name = name.replace("~1", "/").replace("~0", "~");
    let missing = || format!("nothing at {pointer:?}");
    if text.trim_start().starts_with('[') {
        let mut elements = elements(text)?.into_iter().map(str::to_owned).collect::<Vec<_>>();
        let place = name.parse::<usize>().ok().and_then(|place| elements.get_mut(place)).with_context(missing)?;
        *place = replace(place, rest, change)?;
        return Ok(array(&elements));
    }
    let members: Members<'_> = serde_json::from_str(text).with_context(missing)?;
    let mut written = Vec::with_capacity(members.0.len());
    let mut found = false;
    for (key, value) in members.0 {
        let is_it = key == name;
        found |= is_it;
        let value = if is_it { replace(value.get(), rest, change)? } else { value.get().to_owned() };
        written.push(format!("{}:{value}", serde_json::to_string(&key)?));
    }
    if !found {
        bail!(missing());
    }
    Ok(format!("{{{}}}", written.join(",")))
}

/// The texts of an array's elements.
///
/// # Errors
/// When `text` is not an array.
pub(crate) fn elements(text: &str) -> Result<Vec<&str>> {
    let elements: Vec<&RawValue> = serde_json::from_str(text).context("not an array")?;
    Ok(elements.into_iter().map(RawValue::get).collect())
}

/// An array of these elements.
pub(crate) fn array<T: AsRef<str>>(elements: &[T]) -> String {
    let elements: Vec<_> = elements.iter().map(AsRef::as_ref).collect();
    format!("[{}]", elements.join(","))
}

/// The members of an object in their order.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Vec<(String, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(members)
            }
        }

        deserializer.deserialize_map(InOrder).map(Members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(text: &str, pointer: &str, new: &str) -> Result<String> {
        replace(text, pointer, &mut |_| Ok(new.to_owned()))
    }

    #[test]
    fn only_the_named_place_changes_and_members_keep_their_order_and_digits() {
        let text = r#"{"z": 1.50, "a": {"n/m": [1e3, {"x": "\u00e9"}]}}"#;
        let changed = put(text, "/a/n~1m/1/x", "2.00").expect("there");
        assert_eq!(changed, r#"{"z":1.50,"a":{"n/m":[1e3,{"x":2.00}]}}"#);
    }

    #[test]
    fn a_place_that_is_not_there_is_named() {
        for pointer in ["/b", "/a/7", "/z/y"] {
            let error = put(r#"{"a": [1], "z": 1}"#, pointer, "2").expect_err("not there");
            assert!(format!("{error:#}").contains("nothing at"), "{pointer}: {error:#}");
        }
    }

    #[test]
    fn the_old_text_is_handed_over() {
        let swapped = replace(r#"{"a": [1, 2]}"#, "/a", &mut |old| {
            let mut parts = elements(old)?;
            parts.reverse();
            Ok(array(&parts))
        });
        assert_eq!(swapped.expect("an array"), r#"{"a":[2,1]}"#);
    }
}
