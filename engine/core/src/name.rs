//! Names that people give to tenants, destinations, plugins, steps and keys.

use std::fmt;
use std::str::FromStr;

/// A lower-case slug: letters, digits, `-` and `_`, starting with a letter or digit, at most 64 characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(String);

/// Longest name; keeps log lines, metrics labels and file names readable.
pub const NAME_CHARS_MAX: usize = 64;

/// Why a text is not a [`Name`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a name: use 1 to {NAME_CHARS_MAX} of a-z, 0-9, '-' and '_', starting with a letter or digit")]
pub struct InvalidName {
    text: String,
}

impl Name {
    /// The text of the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let ok = !text.is_empty()
            && text.len() <= NAME_CHARS_MAX
            && text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'))
            && text.as_bytes()[0].is_ascii_alphanumeric();
        if ok { Ok(Self(text.to_owned())) } else { Err(InvalidName { text: text.chars().take(80).collect() }) }
    }
}

impl<'de> serde::Deserialize<'de> for Name {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <std::borrow::Cow<'de, str>>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How a pipeline calls a plugin: `operator/name`, or `name` for the tenant's own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PluginRef {
    /// A plugin of the operator's folder; every tenant may bind it.
    Operator(Name),
    /// A plugin that the tenant pushed.
    Own(Name),
}

impl PluginRef {
    /// The plugin's name without its owner.
    pub fn name(&self) -> &Name {
        match self {
            Self::Operator(name) | Self::Own(name) => name,
        }
    }
}

impl FromStr for PluginRef {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        match text.strip_prefix("operator/") {
            Some(name) => name.parse().map(Self::Operator),
            None => text.parse().map(Self::Own),
        }
    }
}

impl fmt::Display for PluginRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Operator(name) => write!(f, "operator/{name}"),
            Self::Own(name) => write!(f, "{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_short_lower_case_slug() {
        for good in ["acme", "0day", "json-filter", "a_b"] {
            assert_eq!(good.parse::<Name>().map(|n| n.to_string()), Ok(good.to_owned()));
        }
        let long = "a".repeat(NAME_CHARS_MAX + 1);
        for bad in ["", "-a", "Acme", "a.b", "a/b", "ä", long.as_str()] {
            assert!(bad.parse::<Name>().is_err(), "{bad} must be refused");
        }
    }

    #[test]
    fn a_plugin_is_the_operators_only_when_it_says_so() {
        assert!(matches!("operator/split-array".parse(), Ok(PluginRef::Operator(_))));
        assert!(matches!("split-array".parse(), Ok(PluginRef::Own(_))));
        assert!("other/split-array".parse::<PluginRef>().is_err());
    }
}
